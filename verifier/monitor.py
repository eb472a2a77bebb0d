"""The monitor: whether everybody is shown one history of a log.

Each *look* reads the checkpoints of all places: of *sources*, which serve the log's tiles as well;
of *witnesses* and auditors, which show what they have cosigned last; of notes and bundles that
somebody was given.  Any source's tiles tell whether a smaller checkpoint, whoever showed it, is of
its history: a consistency path leads from the one to the other, or to another root.

What is kept, in ``monitor.json`` in a folder of the monitor's own::

    format  1
    head    the newest checkpoint whose log begins with all that was head before; none at first
    last    what each source and witness has shown last
    open    checkpoints that could not be compared yet with the tiles of another

each as ``{"place", "note", "seal", "seen"}``: who showed it, the checkpoint, the seal at its end,
logged (null where there were no tiles), and when it was seen, in unix seconds.

An *alarm* is evidence (`verifier.evidence`), which is written to a file beside it, once: a fork; a
rollback, where a place shows less than before; with a bound, a freeze, where a source's last seal
is older; with ``replay``, an entry that is wrong, for which each source is audited by a state of
its own.  A place that cannot be read, or shows what proves nothing, is *trouble*, and stops no
other.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from chain.files import Files
from chain.merkle import verify_consistency
from chain.paths import CHECKPOINT
from chain.rules import seal_body
from keys.catalogue import LANGUAGES, text
from keys.errors import Malformed, TallyError, Unreadable, VerificationError
from keys.notes import NOTE_BYTES_MAX, Checkpoint, parse_note
from keys.statements import parse_statement
from keys.strict import FieldTypes, fields, parse_base64
from verifier import evidence
from verifier.audit import Audit
from verifier.audit_state import AuditState
from verifier.bundles import FILE_BYTES_MAX, parse_file
from verifier.check import check_file
from verifier.evidence import Json
from verifier.logs import Log
from verifier.policy import Policy
from verifier.reports import Report
from verifier.sources import Source

FORMAT = "tally-monitor/1"
STATE = "monitor.json"
OPEN_MAX = 1_024
"""Checkpoints kept that could not be compared yet; the oldest give way."""


class Place(NamedTuple):
    """Where a checkpoint is shown."""

    name: str
    read: Callable[[], bytes]
    """The note; raises `TallyError`."""
    source: Source | None = None
    """Where the log's tiles are, if they are there too."""
    is_live: bool = True
    """Whether what it shows should grow."""


def source_place(name: str, source: Source) -> Place:
    """A source of the ledger."""
    return Place(name, lambda: source.read(CHECKPOINT, NOTE_BYTES_MAX), source)


def witness_place(name: str, source: Source) -> Place:
    """Whoever shows a checkpoint alone."""
    return Place(name, lambda: source.read(CHECKPOINT, NOTE_BYTES_MAX))


def note_place(path: Path) -> Place:
    """A file with a note."""
    return Place(str(path), lambda: _read(path, NOTE_BYTES_MAX), is_live=False)


def bundle_place(path: Path) -> Place:
    """A bundle, a certificate, a lot or a book."""

    def read() -> bytes:
        note = parse_file(_read(path, FILE_BYTES_MAX)).get("checkpoint")
        if not isinstance(note, str):
            raise Malformed("field-missing", where=str(path), field="checkpoint")
        return note.encode()

    return Place(str(path), read, is_live=False)


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error


@dataclass(frozen=True)
class Sighting:
    """A checkpoint that a log of the policy has signed, and where it was seen."""

    place: str
    note: bytes
    checkpoint: Checkpoint
    seen: int
    """In unix seconds."""
    seal: Json | None = None
    """The seal at its end, logged."""
    log: Log | None = None
    """Its tiles, if they can be read now."""

    @property
    def size(self) -> int:
        """Of its log."""
        return self.checkpoint.size

    def kept(self) -> Json:
        """It, as it is kept."""
        return {
            "place": self.place,
            "note": self.note.decode(),
            "seal": self.seal,
            "seen": self.seen,
        }


@dataclass(frozen=True)
class Alarm:
    """Something that must not be, with its evidence in a file."""

    places: tuple[str, ...]
    path: Path
    report: Report

    def text(self, lang: str) -> str:
        """The alarm in words."""
        said, places = self.report.text(lang), ", ".join(self.places)
        return text("monitor-alarm", lang, places=places, said=said, path=self.path)

    def as_json(self) -> Json:
        """The alarm as programs read it."""
        return {
            "places": list(self.places),
            "evidence": str(self.path),
            "kind": self.report.facts["evidence"],
            "verdict": self.report.verdict,
            "text": {lang: self.text(lang) for lang in LANGUAGES},
        }


class Trouble(NamedTuple):
    """A place that shows nothing of use now, and why."""

    place: str
    error: TallyError

    def text(self, lang: str) -> str:
        """The trouble in words."""
        return text("monitor-trouble", lang, place=self.place, reason=self.error.text(lang))


@dataclass
class Look:
    """What one look has found."""

    seen: list[Sighting] = field(default_factory=list)
    uncompared: set[Checkpoint] = field(default_factory=set)
    """Those that were not compared with the tiles of any source."""
    alarms: list[Alarm] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def lines(self, lang: str) -> list[str]:
        """What people read, a line each."""
        found = [trouble.text(lang) for trouble in self.troubles]
        found += [alarm.text(lang) for alarm in self.alarms]
        if self.alarms:
            return found
        apart = [one.place for one in self.seen if one.checkpoint in self.uncompared]
        if apart:
            found.append(text("monitor-uncompared", lang, places=", ".join(apart)))
        sizes = [one.size for one in self.seen if one.checkpoint not in self.uncompared]
        if sizes:
            facts = {"origin": self.seen[0].checkpoint.origin, "size": max(sizes)}
            found.append(text("monitor-one", lang, count=len(sizes), **facts))
        return found or [text("monitor-nothing", lang)]

    def as_json(self) -> Json:
        """The look as programs read it."""
        return {
            "format": FORMAT,
            "places": [
                {
                    "place": one.place,
                    "size": one.size,
                    "compared": one.checkpoint not in self.uncompared,
                }
                for one in self.seen
            ],
            "alarms": [alarm.as_json() for alarm in self.alarms],
            "troubles": [
                {"place": trouble.place, "error": trouble.error.as_json()}
                for trouble in self.troubles
            ],
        }


class Monitor:
    """One monitor of one log, with what it keeps in a folder."""

    def __init__(
        self,
        policy: Policy,
        places: Sequence[Place],
        folder: Path,
        clock: Callable[[], float],
        *,
        freeze: int | None = None,
        replay: bool = False,
    ) -> None:
        """freeze: how many seconds old a source's last seal may be.  Raises `Unreadable`,
        `Malformed` if what is kept cannot be read."""
        self._policy = policy
        self._places = places
        self._clock = clock
        self._freeze = freeze
        self._replay = replay
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unreadable("file-unreadable", path=folder, reason=error.strerror) from error
        self._files = Files(folder)
        self._head: Sighting | None = None
        self._last: dict[str, Sighting] = {}
        self._open: list[Sighting] = []
        if self._files.exists(STATE):
            self._load()

    def look(self) -> Look:
        """Read all places once, compare, and keep what was seen."""
        look, now = Look(), int(self._clock())
        for place in self._places:
            with _troubled(look, place.name):
                look.seen.append(self._see(place, now, look))
        self._compare(look)
        for place in self._places:
            with _troubled(look, place.name):
                self._watch(place, look, now)
        self._save()
        return look

    # --- seeing ---

    def _see(self, place: Place, now: int, look: Look) -> Sighting:
        seen = self._sighting(place.name, place.read(), now)
        first = self._head or next(iter(look.seen), seen)
        if seen.checkpoint.origin != first.checkpoint.origin:
            raise VerificationError("checkpoint-other-log", origin=seen.checkpoint.origin)
        if place.source is not None:
            # The note counts also where the tiles are not its own.
            with _troubled(look, place.name):
                seen = replace(seen, log=Log(place.source, seen.checkpoint))
            with _troubled(look, place.name):
                seen = replace(seen, seal=_seal(seen.log))
        return seen

    def _sighting(self, place: str, note: bytes, seen: int, seal: Json | None = None) -> Sighting:
        return Sighting(place, note, self._policy.check(parse_note(note)).checkpoint, seen, seal)

    # --- one history ---

    def _compare(self, look: Look) -> None:
        """Compare all checkpoints with the tiles of all sources."""
        head = [self._head] if self._head else []
        known: dict[Checkpoint, Sighting] = {}
        for one in (*look.seen, *head, *self._last.values(), *self._open):
            known.setdefault(one.checkpoint, one)
        trees = sorted((s for s in look.seen if s.log is not None), key=lambda s: -s.size)
        left = []
        for one in known.values():
            is_compared = self._twins(one, known.values(), look)
            for tree in trees:
                if one.size <= tree.size and one.checkpoint != tree.checkpoint:
                    with _troubled(look, tree.place):
                        self._check_one(one, tree, look)
                        is_compared = True
            if not is_compared:
                left.append(one)
        for tree in trees:
            if self._goes_on(tree):
                self._head = tree
                break
        mine = self._head.checkpoint if self._head else None
        self._open = [one for one in left if one.checkpoint != mine][-OPEN_MAX:]
        look.uncompared = {one.checkpoint for one in self._open}

    def _twins(self, one: Sighting, known: Iterable[Sighting], look: Look) -> bool:
        """Whether another root is known for its size, which needs no tiles to be a fork."""
        for other in known:
            if other.size == one.size and other.checkpoint.root != one.checkpoint.root:
                self._fork(look, one, other, other.checkpoint.root, [])
                return True
        return False

    def _check_one(self, one: Sighting, tree: Sighting, look: Look) -> None:
        """An alarm if a log does not begin with a checkpoint."""
        if tree.log is None or not 0 < one.size < tree.size:
            return
        root, path = tree.log.root_at(one.size), tree.log.consistency(one.size)
        verify_consistency(one.size, root, tree.size, tree.checkpoint.root, path)
        if root != one.checkpoint.root:
            self._fork(look, one, tree, root, path)

    def _fork(
        self, look: Look, one: Sighting, other: Sighting, root: bytes, path: Sequence[bytes]
    ) -> None:
        places = sorted({one.place, other.place})
        self._alarm(look, places, evidence.fork(one.note, other.note, root, path))

    def _goes_on(self, tree: Sighting) -> bool:
        """Whether a log begins with the newest checkpoint so far, and is more."""
        head = self._head
        if head is None:
            return True
        if tree.log is None or tree.size <= head.size:
            return False
        with suppress(TallyError):
            return tree.log.begins_with(head.size, head.checkpoint.root)
        return False

    # --- each place by itself ---

    def _watch(self, place: Place, look: Look, now: int) -> None:
        """A place that grows has not gone back, stood still, or signed what is wrong."""
        seen = next((one for one in look.seen if one.place == place.name), None)
        if seen is None or not place.is_live:
            return
        before = self._last.get(place.name)
        if before is None or before.size <= seen.size:
            self._last[place.name] = seen
        elif not any(place.name in alarm.places for alarm in look.alarms):
            notes, seals = (before.note, seen.note), (before.seal, seen.seal)
            shown = evidence.rollback(notes, seals, (before.seen, now))
            self._alarm(look, [place.name], shown, before.note, seen.note)
        bound, seal = self._freeze, seen.seal
        if bound is not None and seal is not None and now - _sealed_at(seal) > bound:
            shown = evidence.freeze(seen.note, seal, now, bound)
            self._alarm(look, [place.name], shown, seen.note)
        if self._replay and place.source is not None:
            self._audit(place, place.source, look)

    def _audit(self, place: Place, source: Source, look: Look) -> None:
        name = sha256(place.name.encode()).hexdigest()[:16]
        with closing(AuditState(self._folder / f"audit-{name}")) as kept:
            wrong = Audit(source, self._policy, kept).run().wrong
        if wrong is None:
            return
        if wrong.evidence is None:
            raise wrong.error
        self._alarm(look, [place.name], wrong.evidence, b"%d" % (wrong.index or 0))

    # --- alarms ---

    def _alarm(self, look: Look, places: Sequence[str], shown: Json, *what: bytes) -> None:
        """Raise an alarm, and write its evidence.

        places, what: the same places are alarmed of the same once; the first evidence stays.
        """
        named = [str(shown["kind"]).encode(), *(place.encode() for place in places), *what]
        digest = sha256(b"".join(sha256(part).digest() for part in named)).hexdigest()
        path = f"{shown['kind']}-{digest[:16]}.json"
        if not self._files.exists(path):
            self._files.write({path: json.dumps(shown).encode()})
        report = check_file(self._files.read(path), self._policy)
        alarm = Alarm(tuple(places), self._folder / path, report)
        if all(known.path != alarm.path for known in look.alarms):
            look.alarms.append(alarm)

    # --- what is kept ---

    def _load(self) -> None:
        try:
            kept = json.loads(self._files.read(STATE))
        except ValueError as error:
            raise Malformed("json-invalid", reason=str(error)) from error
        given = fields(kept, STATE, {"format": int, "head": list, "last": list, "open": list})
        self._head = next(map(self._again, given["head"]), None)
        self._last = {one.place: one for one in map(self._again, given["last"])}
        self._open = list(map(self._again, given["open"]))

    def _again(self, kept: object) -> Sighting:
        maybe = (dict, type(None))
        types: FieldTypes = {"place": str, "note": str, "seal": maybe, "seen": int}
        given = fields(kept, STATE, types)
        note = given["note"].encode()
        return self._sighting(given["place"], note, given["seen"], given["seal"])

    def _save(self) -> None:
        head = [self._head] if self._head else []
        kept = {"head": head, "last": self._last.values(), "open": self._open}
        lists = {name: [one.kept() for one in some] for name, some in kept.items()}
        self._files.write({STATE: json.dumps({"format": 1, **lists}).encode()})


@contextmanager
def _troubled(look: Look, place: str) -> Iterator[None]:
    """What goes wrong with a place is told, and stops no other."""
    try:
        yield
    except TallyError as error:
        look.troubles.append(Trouble(place, error))


def _seal(log: Log | None) -> Json | None:
    """The seal with which a log ends, logged; None if it does not end with one."""
    if log is None or not log.size:
        return None
    last = log.size - 1
    data = next(log.entries(last))
    with suppress(Malformed):
        seal_body(parse_statement(data))
        return evidence.logged(last, data, log.inclusion(last, data))
    return None


def _sealed_at(seal: Json) -> int:
    """The time of a seal."""
    return int(seal_body(parse_statement(parse_base64(seal["data"])))["time"])
