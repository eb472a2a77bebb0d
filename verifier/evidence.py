"""Evidence: one JSON document that says what somebody has done, and shows it as far as it can.

Who finds something wrong writes it down, and whoever has the policy checks it, without a ledger::

    format       "tally-evidence/1"
    kind         "entry", "fork", "rollback" or "freeze"

*entry*, by an audit: the first entry that is wrong::

    error        {"code", "details", "text"}: why
    checkpoint   the signed note
    entry        the statement, logged (`verifier.bundles`); null if none stands there as signed
    seal         the last entry of the checkpoint, logged; likewise
    before       the last seal before the entry, logged; null if there is none
    seen         what an earlier audit saw instead of the entry: {"checkpoint", "index", "leaf",
                 "path"}, under another note of the log; null if there is nothing like it

*fork*: the log has signed two trees of which neither begins with the other::

    checkpoints  two notes, the smaller first
    root, path   the root that the tree of the second has at the size of the first, and the
                 consistency path (RFC 9162, section 2.1.4) that shows it; it is not the first's

*rollback*: something went back::

    checkpoints  two notes: what was shown first, and what later, which is smaller
    seals        the last entry of each, logged; or null
    seen         when each was shown, in unix seconds, by the clock of whoever wrote this

*freeze*: nothing newer was shown::

    checkpoint   the note
    seal         its last entry, logged
    seen         when it still was the newest, by the clock of whoever wrote this
    bound        how many seconds old a seal may be

What is *proved* follows from signatures alone, and no honest log or cosigner can ever be shown to
have done it.  What is *stated* is signed as the file says, but that it is wrong rests on the word
of whoever wrote the file, on a cosigner's clock, or on a replay:

* entry: proved by ``seen``, as two leaves at one index; where the checkpoint does not end with a
  seal; where the statement cannot be read; and against ``before`` where it has expired, is for
  another ledger, or is a seal that goes back, skips or names another than the one before it, or
  that follows it at once with another register root.  Any other reason is found by replay.
* fork: proved.
* rollback: proved of the log if one key has signed both notes and the seals say so, the later time
  with no greater height; proved of a cosigner that has signed the smaller note at a later time.
  Otherwise stated: no plain signature has a date.
* freeze: stated.  A cosignature's date shows when a cosigner was still given this note.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any

from chain.merkle import leaf_hash, verify_consistency, verify_inclusion
from chain.rules import seal_body
from keys.errors import Malformed, TallyError, VerificationError
from keys.notes import Note, NoteKey, NoteSignature, parse_note, signed_by
from keys.statements import Statement, parse_statement
from keys.strict import FieldTypes, dump_base64, fields, parse_base64, parse_hex
from verifier.anchors import InHand, utc
from verifier.bundles import read_path
from verifier.policy import Policy, Signed
from verifier.reports import Report, demand, step

FORMAT = "tally-evidence/1"
EVIDENCE_BYTES_MAX = 8_388_608
PROVED, STATED = "proved", "stated"

Json = dict[str, Any]

# --- writing ---


def logged(index: int, data: bytes, path: Sequence[bytes]) -> Json:
    """An entry of a log, with its inclusion path."""
    return {"index": index, "data": dump_base64(data), "path": _hexes(path)}


def wrong_entry(
    error: TallyError,
    note: bytes,
    entry: Json | None,
    *,
    seal: Json | None,
    before: Json | None,
    seen: Json | None,
) -> Json:
    """The evidence of an entry that is wrong; see the module's text."""
    return {
        "format": FORMAT,
        "kind": "entry",
        "error": error.as_json(),
        "checkpoint": note.decode(),
        "entry": entry,
        "seal": seal,
        "before": before,
        "seen": seen,
    }


def seen_instead(note: bytes, index: int, leaf: bytes, path: Sequence[bytes]) -> Json:
    """What was seen at ``index`` before, under another note."""
    return {"checkpoint": note.decode(), "index": index, "leaf": leaf.hex(), "path": _hexes(path)}


def fork(smaller: bytes, larger: bytes, root: bytes, path: Sequence[bytes]) -> Json:
    """The evidence of two histories; ``root``: the larger's, at the size of the smaller."""
    return {
        "format": FORMAT,
        "kind": "fork",
        "checkpoints": [smaller.decode(), larger.decode()],
        "root": root.hex(),
        "path": _hexes(path),
    }


def rollback(
    notes: tuple[bytes, bytes], seals: tuple[Json | None, Json | None], seen: tuple[int, int]
) -> Json:
    """The evidence that less is shown than before; each pair: what was first, and what later."""
    return {
        "format": FORMAT,
        "kind": "rollback",
        "checkpoints": [note.decode() for note in notes],
        "seals": list(seals),
        "seen": list(seen),
    }


def freeze(note: bytes, seal: Json, seen: int, bound: int) -> Json:
    """The evidence that nothing newer is shown."""
    return {
        "format": FORMAT,
        "kind": "freeze",
        "checkpoint": note.decode(),
        "seal": seal,
        "seen": seen,
        "bound": bound,
    }


def _hexes(hashes: Sequence[bytes]) -> list[str]:
    return [digest.hex() for digest in hashes]


# --- reading ---


@dataclass(frozen=True)
class Entry:
    """An entry of a log as bytes, since its form may be what is wrong."""

    index: int
    data: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Seen:
    """A leaf that stood at an index under another note."""

    note: Note
    index: int
    leaf: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Evidence:
    """A file of evidence, read; what its kind does not have is empty."""

    kind: str
    notes: tuple[Note, ...]
    code: str = ""
    entry: Entry | None = None
    before: Entry | None = None
    seals: tuple[Entry | None, ...] = ()
    earlier: Seen | None = None
    root: bytes = b""
    path: tuple[bytes, ...] = ()
    seen: tuple[int, ...] = ()
    bound: int = 0


_HEAD: FieldTypes = {"format": str, "kind": str}
_MAYBE = (dict, type(None))
FIELDS: Mapping[str, FieldTypes] = {
    "entry": {
        **_HEAD,
        "error": dict,
        "checkpoint": str,
        "entry": _MAYBE,
        "seal": _MAYBE,
        "before": _MAYBE,
        "seen": _MAYBE,
    },
    "fork": {**_HEAD, "checkpoints": list, "root": str, "path": list},
    "rollback": {**_HEAD, "checkpoints": list, "seals": list, "seen": list},
    "freeze": {**_HEAD, "checkpoint": str, "seal": dict, "seen": int, "bound": int},
}


def read(value: Json) -> Evidence:
    """Read a file of evidence; raises `Malformed`."""
    kind = str(value.get("kind"))
    if value.get("format") != FORMAT or kind not in FIELDS:
        raise Malformed("format-unknown", where="evidence", format=kind[:40])
    given = fields(value, "evidence", FIELDS[kind])
    match kind:
        case "entry":
            error = fields(given["error"], "error", {"code": str, "details": dict, "text": dict})
            return Evidence(
                kind,
                (_note(given["checkpoint"]),),
                code=error["code"],
                entry=_entry(given["entry"]),
                before=_entry(given["before"]),
                seals=(_entry(given["seal"]),),
                earlier=_seen(given["seen"]),
            )
        case "fork":
            root, path = parse_hex(given["root"], 32), read_path(given["path"])
            return Evidence(kind, _notes(given["checkpoints"]), root=root, path=path)
        case "rollback":
            first, later = _pair(given["seals"], "seals")
            return Evidence(
                kind,
                _notes(given["checkpoints"]),
                seals=(_entry(first), _entry(later)),
                seen=_times(_pair(given["seen"], "seen")),
            )
        case _:
            return Evidence(
                kind,
                (_note(given["checkpoint"]),),
                seals=(_entry(given["seal"]),),
                seen=_times([given["seen"]]),
                bound=given["bound"],
            )


def _pair(value: list[Any], field: str) -> list[Any]:
    if len(value) != 2:
        raise Malformed("field-type", where="evidence", field=field, expected="a list of two")
    return value


def _times(values: list[Any]) -> tuple[int, ...]:
    if any(type(value) is not int for value in values):
        raise Malformed("field-type", where="evidence", field="seen", expected="unix seconds")
    return tuple(values)


def _note(value: object) -> Note:
    if not isinstance(value, str):
        raise Malformed("field-type", where="evidence", field="checkpoints", expected="notes")
    return parse_note(value.encode())


def _notes(value: list[Any]) -> tuple[Note, ...]:
    return tuple(map(_note, _pair(value, "checkpoints")))


def _entry(value: object) -> Entry | None:
    if value is None:
        return None
    given = fields(value, "entry", {"index": int, "data": str, "path": list})
    return Entry(given["index"], parse_base64(given["data"]), read_path(given["path"]))


def _seen(value: object) -> Seen | None:
    if value is None:
        return None
    given = fields(value, "seen", {"checkpoint": str, "index": int, "leaf": str, "path": list})
    leaf, path = parse_hex(given["leaf"], 32), read_path(given["path"])
    return Seen(_note(given["checkpoint"]), given["index"], leaf, path)


# --- checking ---


class Checker:
    """The checks of one file of evidence."""

    def __init__(self, evidence: Evidence, policy: Policy, report: Report) -> None:
        earlier = evidence.earlier
        self._evidence = replace(
            evidence,
            notes=tuple(_sound(note, policy) for note in evidence.notes),
            earlier=earlier and replace(earlier, note=_sound(earlier.note, policy)),
        )
        self._policy = policy
        self._report = report

    def run(self, hand: InHand) -> None:
        """All checks of the evidence's kind, and the verdict."""
        evidence = self._evidence
        self._report.facts |= {"kind": "evidence", "evidence": evidence.kind}
        signed = [self._signed(note) for note in evidence.notes]
        kinds: dict[str, Callable[..., None]] = {
            "entry": self._wrong_entry,
            "fork": self._fork,
            "rollback": self._rollback,
            "freeze": self._freeze,
        }
        kinds[evidence.kind](*signed)

    def _step(self, code: str) -> AbstractContextManager[Json]:
        return step(self._report, code)

    def _signed(self, note: Note) -> Signed:
        """A log of the policy has signed a checkpoint."""
        with self._step("checkpoint") as details:
            signed = self._policy.check(note)
            origin = self._report.facts.setdefault("origin", signed.checkpoint.origin)
            details.update({"origin": signed.checkpoint.origin, "size": signed.checkpoint.size})
            demand(origin == signed.checkpoint.origin, "checkpoint-other-log", **details)
            return signed

    def _is(self, verdict: str, said: str, **facts: object) -> None:
        self._report.verdict, self._report.said = verdict, said
        self._report.facts |= facts

    def _logged(self, entry: Entry, signed: Signed) -> None:
        """An entry stands under a checkpoint."""
        with self._step("evidence-entry") as details:
            checkpoint = signed.checkpoint
            details.update({"index": entry.index, "size": checkpoint.size})
            leaf, path = leaf_hash(entry.data), list(entry.path)
            verify_inclusion(leaf, entry.index, checkpoint.size, path, checkpoint.root)

    def _seal(self, entry: Entry, signed: Signed) -> "Seal":
        """The seal with which a checkpoint ends."""
        self._logged(entry, signed)
        size = signed.checkpoint.size
        demand(entry.index == size - 1, "seal-not-last", index=entry.index, size=size)
        return _read_seal(entry)

    # --- an entry that is wrong ---

    def _wrong_entry(self, signed: Signed) -> None:
        evidence, entry = self._evidence, self._evidence.entry
        said = {"index": "–" if entry is None else entry.index, "error": evidence.code}
        if entry is not None:
            self._logged(entry, signed)
        for seal in filter(None, evidence.seals):
            self._logged(seal, signed)
        if evidence.before is not None:
            self._logged(evidence.before, signed)
        if evidence.earlier is not None:
            self._rewritten(evidence.earlier, signed, entry)
            return
        with self._step("evidence-wrong") as details:
            details["error"] = evidence.code
            shown = None if entry is None else self._shows(entry, signed)
            demand(shown is not False, "evidence-not-shown", error=evidence.code)
        if shown:
            self._is(PROVED, "evidence-entry-proved", **said)
        else:
            self._is(STATED, "evidence-entry-stated", **said)

    def _rewritten(self, seen: Seen, signed: Signed, entry: Entry | None) -> None:
        """Two leaves stand at one index, each under a note of the log."""
        earlier = self._signed(seen.note)
        with self._step("evidence-rewritten") as details:
            details["index"] = seen.index
            checkpoint, path = earlier.checkpoint, list(seen.path)
            verify_inclusion(seen.leaf, seen.index, checkpoint.size, path, checkpoint.root)
            if entry is None or entry.index != seen.index:
                raise VerificationError("bundle-incomplete")
            demand(leaf_hash(entry.data) != seen.leaf, "evidence-one-history")
        self._two_histories(earlier, signed)

    def _shows(self, entry: Entry, signed: Signed) -> bool | None:
        """Whether the entry is wrong as the file says; None if only a replay can tell."""
        code, before = self._evidence.code, self._evidence.before
        try:
            statement = parse_statement(entry.data)
        except Malformed as error:
            return True if error.code == code else None
        if code == "seal-not-last":
            return entry.index == signed.checkpoint.size - 1 and statement.kind != "seal"
        if before is None:
            return None
        demand(before.index < entry.index, "evidence-not-shown", error=code)
        last = _read_seal(before)
        if code in _AGAINST:
            return _AGAINST[code](statement, last)
        if code in _BETWEEN_SEALS:
            return _BETWEEN_SEALS[code](_read_seal(entry), last)
        return None

    # --- two histories ---

    def _fork(self, smaller: Signed, larger: Signed) -> None:
        with self._step("evidence-fork") as details:
            one, other = smaller.checkpoint, larger.checkpoint
            details.update({"first": one.size, "second": other.size})
            # Before the first entry all logs are one.
            demand(one.size > 0, "consistency-invalid")
            root, path = self._evidence.root, self._evidence.path
            verify_consistency(one.size, root, other.size, other.root, path)
            demand(root != one.root, "evidence-one-history")
        self._two_histories(smaller, larger)

    def _two_histories(self, one: Signed, other: Signed) -> None:
        """Say who has signed both."""
        both = [name for name in one.cosigned_by if name in other.cosigned_by]
        if both:
            with self._step("evidence-cosigned-both") as details:
                details["names"] = ", ".join(both)
        is_one = one.log.public == other.log.public
        self._is(
            PROVED,
            "evidence-fork-proved" if is_one else "evidence-fork-of-keys",
            cosigned_both=both,
            first=one.checkpoint.size,
            second=other.checkpoint.size,
        )

    # --- going back, and standing still ---

    def _rollback(self, first: Signed, later: Signed) -> None:
        sizes = {"first": first.checkpoint.size, "second": later.checkpoint.size}
        with self._step("evidence-rollback") as details:
            details.update(sizes)
            demand(sizes["second"] < sizes["first"], "evidence-one-history")
        seals = [
            self._seal(entry, signed)
            for entry, signed in zip(self._evidence.seals, (first, later), strict=True)
            if entry is not None
        ]
        back = [n for n, key in self._policy.witnesses.items() if self._went_back(key)]
        facts = {**sizes, "cosigners": ", ".join(back)}
        is_one = first.log.public == later.log.public
        if is_one and len(seals) == 2 and seals[1].contradicts(seals[0]):
            self._is(PROVED, "evidence-rollback-proved", **facts)
        elif back:
            self._is(PROVED, "evidence-rollback-cosigned", **facts)
        else:
            times = dict(zip(("then", "now"), map(utc, self._evidence.seen), strict=True))
            self._is(STATED, "evidence-rollback-stated", **facts, **times)

    def _went_back(self, key: NoteKey) -> bool:
        """Whether a cosigner has signed the second note, the smaller one, at a later time."""
        one, other = (signed_by(note, key) for note in self._evidence.notes)
        return one is not None and other is not None and one < other

    def _freeze(self, signed: Signed) -> None:
        [note], [seen], [entry] = self._evidence.notes, self._evidence.seen, self._evidence.seals
        if entry is None:
            raise VerificationError("bundle-incomplete")
        seal, bound = self._seal(entry, signed), self._evidence.bound
        with self._step("evidence-freeze") as details:
            details.update({"time": utc(seal.time), "seen": utc(seen), "bound": bound})
            demand(0 < bound < seen - seal.time, "evidence-fresh", **details)
        times = {name: signed_by(note, key) for name, key in self._policy.witnesses.items()}
        late = [name for name, at in times.items() if at is not None and at - seal.time > bound]
        code = "evidence-freeze-cosigned" if late else "evidence-freeze-stated"
        self._is(STATED, code, **details, names=", ".join(late))


@dataclass(frozen=True)
class Seal:
    """What a seal says, and where it stands."""

    index: int
    statement: Statement
    height: int
    time: int
    previous: str
    register: str

    def contradicts(self, other: "Seal") -> bool:
        """Whether no honest log has both: the one has the later time, and no greater height."""
        first, last = sorted((self, other), key=lambda seal: seal.time)
        return first.time < last.time and last.height <= first.height


def _sound(note: Note, policy: Policy) -> Note:
    """Without the lines in a cosigner's name that are not its own.

    Whoever is accused may add one to a note that it gives away: that must not spoil the evidence.
    """
    keys = {(key.name, key.key_id): key for key in policy.witnesses.values()}

    def is_sound(line: NoteSignature) -> bool:
        key = keys.get((line.name, line.key_id))
        with suppress(VerificationError):
            return key is None or signed_by(Note(note.text, (line,)), key) is not None
        return False

    return replace(note, signatures=tuple(filter(is_sound, note.signatures)) or note.signatures)


def _read_seal(entry: Entry) -> Seal:
    statement = parse_statement(entry.data)
    body = seal_body(statement)
    told = (body[name] for name in ("height", "time", "previous", "register"))
    return Seal(entry.index, statement, *told)


def _is_out_of_order(seal: Seal, last: Seal) -> bool | None:
    follows = seal.height == last.height + 1
    if follows or seal.height <= last.height:
        return not follows or seal.previous != last.statement.id.hex()
    return True if seal.index == last.index + 1 else None


def _is_of_another_register(seal: Seal, last: Seal) -> bool | None:
    # What stands between them may have changed it: whether it has so, only a replay can tell.
    return seal.register != last.register if seal.index == last.index + 1 else None


_AGAINST: Mapping[str, Callable[[Statement, Seal], bool]] = {
    "statement-expired": lambda statement, last: statement.expires <= last.time,
    "statement-other-ledger": lambda statement, last: statement.audience != last.statement.audience,
}
"""Why a statement may not stand after a seal, by the code of the error."""
_BETWEEN_SEALS: Mapping[str, Callable[[Seal, Seal], bool | None]] = {
    "seal-backdated": lambda seal, last: seal.time < last.time,
    "seal-out-of-order": _is_out_of_order,
    "seal-register": _is_of_another_register,
}
"""Why a seal may not stand after the last one before it; None where only a replay can tell."""
