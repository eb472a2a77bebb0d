"""The worked example of docs/spec.md: a ledger of four entries, made the same in every run.

    PYTHONPATH=. .venv/bin/python tests/support/example.py

writes docs/examples again, and the values in the blocks of docs/spec.md that are marked
``values``; run it after a change of a format.  Keys come from seeds, times are fixed.
"""

import functools
import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.proving import prove_free, prove_reduction, prove_span
from chain import merkle
from chain.activities import parse_activity
from chain.admission import admit, reduce_activities, sign_submission
from chain.genesis import default_classes, enrol, library, make_genesis, publish_methodology
from chain.proofs import Held
from chain.proofs import Path as SpanPath
from chain.reductions import Reduction
from chain.sequencer import Sequencer
from chain.spans import bit, leaf_hash, node_head, value_hash
from chain.store.ledger import LedgerStore
from keys.notes import NoteKey, NoteSignature, cosign, format_note, parse_checkpoint, parse_note
from keys.participants import Role
from keys.pseudonyms import KeyedHash
from keys.signer import KeySigner, from_seed
from keys.statements import Statement, parse_statement
from keys.strict import dump_base64, dump_cbor, dump_json, parse_date

TOP = Path(__file__).resolve().parents[2]
SPEC = TOP / "docs" / "spec.md"
EXAMPLES = TOP / "docs" / "examples"
ORIGIN = "example.org/tally/spec"
OFFSET = 8 * 3600
TODAY = parse_date("2026-03-02")
NOON = TODAY * 86_400 + 12 * 3600 - OFFSET
FIRST_DAY = parse_date("2026-03-01")
AUDITORS = ("auditor-1", "auditor-2", "auditor-3", "auditor-4")
COSIGNED = AUDITORS[:3]
PSEUDONYMS = KeyedHash(b"the secret of the worked example")

_BLOCK = re.compile(r"```values\n(.*?)```", re.DOTALL)
_VALUE = re.compile(r"([a-z0-9][a-z0-9.-]*) = (.*)")


def signer(name: str) -> KeySigner:
    """The signer of a participant, or of an auditor."""
    return from_seed(b"spec/" + name.encode())


def pseudonym(class_name: str, identifier: str) -> str:
    """The pseudonym of an identifier."""
    return PSEUDONYMS.pseudonyms(class_name, TODAY, [identifier])[0]


def ride(number: int, person: str, start: int) -> bytes:
    """A bus ride by code, as its platform reports it."""
    return dump_json(
        {
            "format": 1,
            "id": f"ride-{number}",
            "scenario": "city-bus",
            "start": start,
            "end": start,
            "subject": pseudonym("traveller", person),
            "ticket": {"issuer": "city-bus", "number": pseudonym("ticket", f"ticket-{number}")},
            "evidence": {"tier": "platform-record", "digest": f"{number:064x}"},
            "authorisation": f"{number + 16:064x}",
            "nonce": f"{number + 32:032x}",
        }
    )


# The first and the last are of one person, so that each has a neighbour on the line.
RIDES = (
    ride(1, "person-1", NOON - 7200),
    ride(2, "person-2", NOON - 5400),
    ride(3, "person-1", NOON - 3600),
)


def _genesis() -> Statement:
    scenario = {
        "format": 1,
        "id": "city-bus",
        "title": {"en": "Bus rides in the city", "zh": "城市公交出行"},
        "region": "city",
        "methodology": "bus-ride-by-code",
        "owner": "governor",
        "platforms": ["metro-app"],
        "authority": "governor",
        "crediting": {"from": "2026-01-01", "to": "2030-12-31"},
    }
    operator = signer("operator")
    return make_genesis(
        operator,
        operator="operator",
        origin=ORIGIN,
        time=NOON,
        utc_offset=OFFSET,
        first_day=FIRST_DAY,
        classes=default_classes({"ticket": ["city-bus"]}),
        rules=1,
        actions=[
            enrol("operator", "The operator", [Role.OPERATOR], operator.public),
            enrol("governor", "The governor", [Role.GOVERNOR], signer("governor").public),
            enrol("metro-app", "The metro", [Role.PLATFORM], signer("metro-app").public),
            publish_methodology(library()["bus-ride-by-code"], FIRST_DAY),
            {"action": "scenario", "document": dump_json(scenario).decode()},
        ],
    )


class Example:
    """The ledger, and what can be shown of it."""

    def __init__(self, folder: Path) -> None:
        self.store = LedgerStore(folder)
        self.store.prepare()
        sequencer = Sequencer(self.store, signer("operator"))
        sequencer.post([_genesis()])
        sequencer.seal_all(NOON)
        state = sequencer.state
        self.reductions = [
            item
            for item in reduce_activities([parse_activity(r) for r in RIDES], state, "metro-app")
            if isinstance(item, Reduction)
        ]
        submission = sign_submission(
            signer("metro-app"),
            platform="metro-app",
            ledger=state.genesis.id,
            expires=NOON + 3600,
            reductions=self.reductions,
        )
        sequencer.submit([admit(state, submission, RIDES)])
        sequencer.seal_all(NOON + 60)
        with self.store.snapshot() as snapshot:
            head = snapshot.head()
            if head is None:
                raise AssertionError("no block")
            self.statements = [parse_statement(data) for data in snapshot.entries(0, head.size)]
            self.spans = list(snapshot.register().spans())
        leaf, claim = self.reductions[0].leaf, self.reductions[0].claims[0]
        self.bundle = self._cosigned(prove_reduction(self.store, leaf, disclose=True))
        self.span = self._cosigned(prove_span(self.store, claim.line, claim.start or 0))
        start = claim.end or 0
        self.free = self._cosigned(prove_free(self.store, claim.line, start, start + 60))

    def _cosigned(self, bundle: dict[str, Any]) -> dict[str, Any]:
        note = parse_note(bundle["checkpoint"].encode())
        lines = (
            *note.signatures,
            *(cosign(note.text, f"{n}.example", signer(n), NOON + 90) for n in COSIGNED),
        )
        return {**bundle, "checkpoint": format_note(replace(note, signatures=lines)).decode()}

    @property
    def policy(self) -> str:
        """The trust policy: the log's key, and three of four auditors."""
        return "".join(
            [
                f"log {self.log_key.vkey}\n",
                *(f"witness {name} {_auditor(name).vkey}\n" for name in AUDITORS),
                f"group auditors 3 {' '.join(AUDITORS)}\n",
                "quorum auditors\n",
            ]
        )

    @property
    def log_key(self) -> NoteKey:
        """The key of the log."""
        return NoteKey(ORIGIN, signer("operator").public, cosigner=False)

    def files(self) -> dict[str, str]:
        """The files of docs/examples."""
        return {
            "activity.json": RIDES[0].decode(),
            "bundle.json": _pretty(self.bundle),
            "span.json": _pretty(self.span),
            "free.json": _pretty(self.free),
            "policy": self.policy,
        }

    def values(self) -> dict[str, str]:
        """Every value that the specification quotes, by its name there."""
        reduction = self.reductions[0]
        genesis, _, submission, seal = self.statements
        note = parse_note(self.bundle["checkpoint"].encode())
        checkpoint = parse_checkpoint(note.text)
        held = Held.from_json(self.bundle["claims"][0])
        activity = parse_activity(RIDES[0])
        made: dict[str, str] = {}
        for name in ("operator", "metro-app", "auditor-1"):
            made[f"{name}.public"] = signer(name).public.raw.hex()
            made[f"{name}.kid"] = signer(name).public.kid.hex()
        made["log.vkey"] = self.log_key.vkey
        made["auditor-1.vkey"] = _auditor("auditor-1").vkey
        made |= _of_statement("genesis", genesis)
        made["activity.length"] = str(len(activity.data))
        made["activity.digest"] = activity.digest.hex()
        subject, ticket = activity.fields["subject"], activity.fields["ticket"]
        made["day"] = str(TODAY)
        for name, parts, claim in (
            ("traveller", [subject], reduction.claims[0]),
            ("ticket", [ticket["issuer"], ticket["number"]], reduction.claims[1]),
        ):
            made[f"{name}.parts"] = dump_cbor(parts).hex()
            made[f"{name}.line"] = claim.line.hex()
            made[f"{name}.start"] = str(claim.start)
            made[f"{name}.end"] = str(claim.end)
        made["reduction.cbor"] = reduction.data.hex()
        made["reduction.leaf"] = reduction.leaf.hex()
        made["reduction.holder"] = reduction.holder.hex()
        for place, other in enumerate(self.reductions):
            made[f"submission.leaf.{place}"] = other.leaf.hex()
        made["submission.root"] = merkle.root([r.leaf for r in self.reductions]).hex()
        made["submission.payload"] = submission.payload.decode()
        made["submission.protected"] = _protected(submission).hex()
        made["submission.signed"] = submission.signed.hex()
        made["submission.signature"] = submission.signature.hex()
        made["submission.data"] = submission.data.hex()
        made |= _of_statement("submission", submission)
        made["register.spans"] = str(len(self.spans))
        made["register.key"] = held.span.key.hex()
        made["register.value"] = value_hash(held.span.end, held.span.holder).hex()
        made["register.leaf"] = leaf_hash(
            held.span.key, value_hash(held.span.end, held.span.holder)
        ).hex()
        made["register.root"] = seal.body["register"]
        made["seal.payload"] = seal.payload.decode()
        made |= _of_statement("seal", seal)
        leaves = [merkle.leaf_hash(item.data) for item in self.statements]
        for index, leaf in enumerate(leaves):
            made[f"log.leaf.{index}"] = leaf.hex()
        made["log.root"] = checkpoint.root.hex()
        made["checkpoint.text"] = json.dumps(note.text)
        made["checkpoint.log"] = _line(note.signatures[0])
        made["checkpoint.cosigned"] = json.dumps(
            f"cosignature/v1\ntime {NOON + 90}\n{note.text}", ensure_ascii=False
        )
        made["checkpoint.auditor-1"] = _line(note.signatures[1])
        made["held.start"] = str(held.span.start)
        made["held.end"] = str(held.span.end)
        made |= _walk("held", held.span.key, bytes.fromhex(made["register.leaf"]), held.path)
        after = held.after
        if after is None or held.before is not None:
            raise AssertionError("the example has a neighbour after and none before")
        key = held.span.line + after.start.to_bytes(8)
        made["after.start"] = str(after.start)
        made["after.value"] = after.value.hex()
        made["after.leaf"] = leaf_hash(key, after.value).hex()
        made |= _walk("after", key, leaf_hash(key, after.value), after.path)
        return made


@functools.cache
def example() -> Example:
    """The example, made once."""
    with tempfile.TemporaryDirectory() as folder:
        return Example(Path(folder) / "ledger")


def _auditor(name: str) -> NoteKey:
    return NoteKey(f"{name}.example", signer(name).public, cosigner=True)


def _protected(statement: Statement) -> bytes:
    size = len(dump_cbor(statement.payload)) + 1
    rest = statement.signed[len(dump_cbor("Signature1")) + 1 : -size]
    return rest[2:] if rest[0] == 0x58 else rest[3:]


def _of_statement(name: str, statement: Statement) -> dict[str, str]:
    return {
        f"{name}.length": str(len(statement.data)),
        f"{name}.id": statement.id.hex(),
        f"{name}.sha256": merkle.sha256(statement.data).hexdigest(),
    }


def _line(line: NoteSignature) -> str:
    return f"\u2014 {line.name} {dump_base64(line.key_id + line.signature)}"


def _walk(name: str, key: bytes, digest: bytes, path: SpanPath) -> dict[str, str]:
    """From a leaf to the root: what is hashed at each node, and what it gives."""
    made = {}
    for number, (bits, sibling) in enumerate(reversed(path), 1):
        left, right = (sibling, digest) if bit(key, bits) else (digest, sibling)
        data = node_head(bits, key) + left + right
        digest = merkle.sha256(data).digest()
        side = "right" if bit(key, bits) else "left"
        made[f"{name}.step.{number}"] = (
            f"{bits} {side} {node_head(bits, key).hex()} {sibling.hex()} {digest.hex()}"
        )
    return made


def _pretty(bundle: dict[str, Any]) -> str:
    return json.dumps(bundle, ensure_ascii=False, indent=1) + "\n"


def quoted(text: str) -> dict[str, str]:
    """The values that a document quotes, by name."""
    found: dict[str, str] = {}
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            match = _VALUE.fullmatch(line)
            if match is None or match[1] in found:
                raise AssertionError(f"not a value, or quoted twice: {line}")
            found[match[1]] = match[2]
    return found


def _main() -> None:
    EXAMPLES.mkdir(exist_ok=True)
    for name, content in example().files().items():
        (EXAMPLES / name).write_text(content, "utf-8")
    values = example().values()
    for name, value in values.items():
        print(f"{name} = {value}")

    def again(match: re.Match[str]) -> str:
        named = [line.partition(" = ")[0] for line in match[1].splitlines()]
        return "```values\n" + "".join(f"{name} = {values[name]}\n" for name in named) + "```"

    SPEC.write_text(_BLOCK.sub(again, SPEC.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    _main()
