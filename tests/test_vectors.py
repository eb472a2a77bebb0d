"""The test vectors of docs/vectors: current, complete, and right, read as a stranger would.

Nothing here knows how they are made but `test_the_vectors_are_current`: each case is read from its
file, given to the project by its public faces, and compared.
"""

import ast
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import cbor2
import independent_checker
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from support import vectors
from support.replay import Replayed

from api.normalisers import normalise
from chain import merkle
from chain.activities import parse_activities, parse_activity
from chain.admission import admit, reduce_activities, sign_submission
from chain.calendar import Calendar
from chain.certifications import Certification, Withdrawn, certified
from chain.classes import Classes
from chain.effects import Effects, Entry, Refused
from chain.governance import ACTIONS
from chain.holdings import MOVES, Holding, moved, new_holding
from chain.issuances import Carry, Issuance, carried, issued
from chain.lots import Lot, LotEntry, LotTree, check_lot
from chain.methodologies import Methodology
from chain.proofs import Free, Held, check_free, check_held, check_held_many
from chain.receipts import check_receipt
from chain.records import Record
from chain.reductions import Reduction
from chain.register import Register
from chain.scenarios import Scenario
from chain.spans import Span, make_holder
from keys import suites
from keys.catalogue import TEXTS
from keys.errors import Malformed, TallyError, VerificationError
from keys.notes import cosign, parse_checkpoint, parse_note, parse_vkey, sign_note, signed_by
from keys.oprf import Blinded, PrivateKey
from keys.participants import MAY_SIGN, PARTICIPANT_ID, key_holder
from keys.pseudonyms import KeyedHash, message
from keys.signer import KeySigner, from_seed
from keys.statements import Statement, parse_statement
from keys.strict import (
    dump_base64,
    dump_cbor,
    parse_base64,
    parse_cbor,
    parse_date,
    parse_decimal,
    parse_hex,
    parse_json,
)
from keys.suites import PublicKey
from verifier.check import check_file
from verifier.policy import parse_policy

TOP = Path(__file__).parents[1]
FOLDER = TOP / "docs" / "vectors"
README = (FOLDER / "README.md").read_text("utf-8")
GUIDE = (TOP / "docs" / "integrating.md").read_text("utf-8")
SPEC = (TOP / "docs" / "spec.md").read_text("utf-8")
Json = dict[str, Any]
Reader = Callable[[Json, Json], Mapping[str, Any]]


@functools.cache
def read(name: str) -> Json:
    """A file of vectors."""
    value = json.loads((FOLDER / name).read_text("ascii"))
    assert isinstance(value, dict) and value["format"] == "tally-vectors/1"
    return value


NAMES = sorted(path.name for path in FOLDER.glob("*.json"))
LISTS = [(name, of) for name in NAMES for of in read(name)["cases"]]
READERS: dict[tuple[str, str], Reader] = {}


def reads(name: str, of: str) -> Callable[[Reader], Reader]:
    """Marks what is done with a case of a list: from (given, case) to the results."""

    def mark(reader: Reader) -> Reader:
        READERS[f"{name}.json", of] = reader
        return reader

    return mark


def raw(value: Any) -> bytes:
    """Bytes of a case: in hexadecimal, perhaps in pieces that are repeated."""
    if isinstance(value, str):
        return bytes.fromhex(value)
    return b"".join(bytes.fromhex(piece) * count for piece, count in value)


def source(case: Json, name: str) -> bytes:
    """The bytes that a case gives as the text called ``name``, or as bytes."""
    if name in case:
        text = case[name]
        assert isinstance(text, str)
        return text.encode()
    return raw(case["bytes"])


def number(text: str | None) -> int | None:
    """A number that may be large."""
    return None if text is None else int(text)


def plain(value: Any) -> Any:
    """A result as the vectors write it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


# --- the vectors themselves ---


def test_the_vectors_are_current() -> None:
    made = vectors.files()
    found = {
        str(path.relative_to(FOLDER)): path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert found.keys() == made.keys()
    stale = [name for name, data in made.items() if found[name] != data]
    assert stale == [], "run `make vectors`"


@pytest.mark.parametrize("name", NAMES)
def test_no_reader_of_json_misreads_a_file(name: str) -> None:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        else:
            assert value is None or isinstance(value, str | bool | int)
            assert not isinstance(value, int) or abs(value) < 2**53

    check(read(name))


@pytest.mark.parametrize(("name", "of"), LISTS)
def test_the_readme_tells_of_every_list_and_field(name: str, of: str) -> None:
    section = re.search(rf"### [^\n]*`{name}`.*?(?=\n### |\n## )", README, re.DOTALL)
    assert section is not None
    row = next(line for line in section[0].splitlines() if line.startswith(f"| `{of}` |"))
    told = set(re.findall(r"`([a-z0-9_]+)`", row)) | {"name", "valid", "code", "bytes"}
    for case in read(name)["cases"][of]:
        assert told >= case.keys(), case["name"]
    for field in read(name)["given"]:
        assert f"`{field}`" in section[0] or f"`given.{field}`" in section[0]


def difference(given: Json, case: Json, reader: Reader) -> str | None:
    """What is wrong with what came of a case; None if nothing is."""
    try:
        found = plain(reader(given, case))
    except TallyError as error:
        if case["valid"]:
            return f"refused: {error.code}"
        return None if case["code"] in (None, error.code) else f"refused otherwise: {error.code}"
    if not case["valid"]:
        return "accepted"
    wrong = [field for field, value in found.items() if case[field] != value]
    return f"other results: {wrong}" if wrong else None


@pytest.mark.parametrize(("name", "of"), LISTS)
def test_every_case_gives_its_result(name: str, of: str) -> None:
    file = read(name)
    found = {
        case["name"]: difference(file["given"], case, READERS[name, of])
        for case in file["cases"][of]
    }
    assert {case: wrong for case, wrong in found.items() if wrong} == {}


# --- json.json and cbor.json ---


def tagged(value: Any, pairs: str = "map") -> Any:
    """A value that was read, as the vectors write it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"integer": str(value)}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list | tuple):
        return {"list": [tagged(item, pairs) for item in value]}
    if isinstance(value, cbor2.CBORTag):
        return {"tag": [value.tag, tagged(value.value)]}
    if pairs == "object":
        return {"object": [[name, tagged(item, pairs)] for name, item in value.items()]}
    return {"map": [[tagged(name), tagged(item)] for name, item in value.items()]}


@reads("json", "texts")
def _(given: Json, case: Json) -> Json:
    limits = {name: case[name] for name in ("bytes_max", "depth_max")}
    return {"value": tagged(parse_json(raw(case["bytes"]), **limits), "object")}


@reads("json", "base64")
def _(given: Json, case: Json) -> Json:
    return {"bytes": parse_base64(case["text"])}


@reads("json", "hex")
def _(given: Json, case: Json) -> Json:
    return {"bytes": parse_hex(case["text"], case["size"])}


@reads("json", "decimals")
def _(given: Json, case: Json) -> Json:
    digits, decimals = parse_decimal(case["text"])
    return {"digits": str(digits), "decimals": decimals}


@reads("json", "dates")
def _(given: Json, case: Json) -> Json:
    return {"day": parse_date(case["text"])}


@reads("json", "names")
def _(given: Json, case: Json) -> Json:
    if not PARTICIPANT_ID.fullmatch(case["text"]):
        raise Malformed("participant-id-invalid", participant="")
    return {}


@reads("cbor", "items")
def _(given: Json, case: Json) -> Json:
    return {"value": tagged(parse_cbor(raw(case["bytes"])))}


def claims(of: Reduction) -> list[Json]:
    def text(value: int | None) -> str | None:
        return None if value is None else str(value)

    return [{"line": c.line, "start": text(c.start), "end": text(c.end)} for c in of.claims]


@reads("cbor", "reductions")
def _(given: Json, case: Json) -> Json:
    read = Reduction.parse(raw(case["bytes"]))
    names = ("platform", "scenario", "version", "day", "grams", "digest", "leaf", "holder")
    return {**{name: getattr(read, name) for name in names}, "claims": claims(read)}


# --- keys.json ---


@reads("keys", "public")
def _(given: Json, case: Json) -> Json:
    public = PublicKey(case["alg"], raw(case["public"])).check()
    return {"kid": public.kid, "holder": key_holder(public)}


@reads("keys", "json")
def _(given: Json, case: Json) -> Json:
    public = PublicKey.from_json(parse_json(case["text"].encode()))
    return {"alg": public.alg, "public": public.raw}


@reads("keys", "signatures")
def _(given: Json, case: Json) -> Json:
    public = PublicKey(case["alg"], raw(case["public"]))
    if not public.verify(raw(case["signature"]), raw(case["message"])):
        raise VerificationError("statement-signature")
    return {}


def signer(alg: int, secret: bytes) -> KeySigner:
    """A signer by its secret bytes."""
    suite = suites.by_alg(alg)
    if alg == suites.ED25519.alg:
        return KeySigner(suite, suite.private_type.from_private_bytes(secret))  # type: ignore[attr-defined]
    return KeySigner(suite, ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1()))


def secret_of(seed: str) -> bytes:
    """The secret bytes that a seed stands for."""
    return merkle.sha256(b"tally/seed/v1\n" + seed.encode()).digest()


@reads("keys", "signing")
def _(given: Json, case: Json) -> Json:
    secret = secret_of(case["seed"])
    of = signer(case["alg"], secret)
    return {
        "secret": secret,
        "public": of.public.raw,
        "signature": of.sign(raw(case["message"])),
    }


# --- lines.json ---


def classes_of(given: Json, offset: int | None = None) -> Classes:
    calendar = Calendar(given["utc_offset"] if offset is None else offset)
    return Classes(given["classes"].encode(), calendar)


@reads("lines", "days")
def _(given: Json, case: Json) -> Json:
    calendar = Calendar(case["utc_offset"])
    return {"day": calendar.day(case["time"]), "second": calendar.seconds(case["time"])}


@reads("lines", "cuts")
def _(given: Json, case: Json) -> Json:
    pieces = Calendar(case["utc_offset"]).cut(int(case["start"]), int(case["end"]))
    return {"pieces": [{"day": d, "start": str(s), "end": str(e)} for d, s, e in pieces]}


@reads("lines", "periods")
def _(given: Json, case: Json) -> Json:
    return {"end": Calendar(0).period_end(case["day"], case["period"])}


@reads("lines", "registries")
def _(given: Json, case: Json) -> Json:
    Classes(case["document"].encode(), Calendar(given["utc_offset"]))
    return {}


@reads("lines", "lines")
def _(given: Json, case: Json) -> Json:
    line = classes_of(given).line(case["class"], case["parts"], case["day"])
    return {"line": line, "parts_cbor": dump_cbor(case["parts"])}


@reads("lines", "allows")
def _(given: Json, case: Json) -> Json:
    classes_of(given).allows(raw(case["line"]), int(case["start"]), int(case["end"]))
    return {}


@reads("lines", "pseudonyms")
def _(given: Json, case: Json) -> Json:
    normalised = normalise(case["class"], case["written"])
    made = KeyedHash(raw(case["secret"])).pseudonyms(case["class"], 0, [normalised])
    return {"normalised": normalised, "pseudonym": made[0]}


@reads("lines", "oblivious")
def _(given: Json, case: Json) -> Json:
    key = PrivateKey(raw(case["seed"]))
    normalised = normalise(case["class"], case["written"])
    data = message(case["class"], normalised)
    blinded = Blinded([data])
    [output] = blinded.finalize(*key.evaluate(blinded.elements), key.public)
    return {
        "normalised": normalised,
        "message": data,
        "public": key.public,
        "output": output,
        "pseudonym": output[:16],
    }


@reads("lines", "holders")
def _(given: Json, case: Json) -> Json:
    return {"holder": make_holder(case["kind"], raw(case["content"]))}


# --- activities.json ---


def methodology_of(given: Json, case: Json) -> Methodology:
    documents = {of["id"]: of["document"] for of in given["methodologies"]}
    classes = classes_of(given, case["utc_offset"])
    return Methodology(documents[case["methodology"]].encode(), classes)


@reads("activities", "activities")
def _(given: Json, case: Json) -> Json:
    of = methodology_of(given, case)
    activity = parse_activity(source(case, "activity"))
    made = of.reduce(activity, case["platform"])
    return {
        "digest": activity.digest,
        "version": made.version,
        "day": made.day,
        "grams": made.grams,
        "points": of.points_of(activity),
        "claims": claims(made),
        "reduction": made.data,
        "leaf": made.leaf,
        "holder": made.holder,
    }


@reads("activities", "methodologies")
def _(given: Json, case: Json) -> Json:
    of = Methodology(source(case, "document"), classes_of(given, 0))
    least, most = of.grams_bounds
    return {"id": of.id, "version": of.version, "grams_min": least, "grams_max": most}


@reads("activities", "scenarios")
def _(given: Json, case: Json) -> Json:
    return {"id": Scenario(case["document"].encode()).id}


@reads("activities", "alone")
def _(given: Json, case: Json) -> Json:
    reduction = Reduction.parse(raw(case["reduction"]))
    return {"seats": methodology_of(given, case).check(reduction)}


def test_the_methodologies_that_are_given_are_what_they_say() -> None:
    given = read("activities.json")["given"]
    for said in given["methodologies"]:
        of = Methodology(said["document"].encode(), classes_of(given, 0))
        least, most = of.grams_bounds
        assert (of.id, of.version, of.holder.hex()) == (said["id"], said["version"], said["holder"])
        assert (least, most) == (said["grams_min"], said["grams_max"])


# --- trees.json ---


def path_of(case: Json) -> list[bytes]:
    return [bytes.fromhex(step) for step in case["path"]]


@reads("trees", "leaves")
def _(given: Json, case: Json) -> Json:
    return {"leaf": merkle.leaf_hash(raw(case["entry"]))}


@reads("trees", "roots")
def _(given: Json, case: Json) -> Json:
    return {"root": merkle.root([raw(leaf) for leaf in case["leaves"]])}


@reads("trees", "inclusion")
def _(given: Json, case: Json) -> Json:
    leaf, root = raw(case["leaf"]), raw(case["root"])
    merkle.verify_inclusion(leaf, int(case["index"]), int(case["size"]), path_of(case), root)
    return {}


@reads("trees", "consistency")
def _(given: Json, case: Json) -> Json:
    merkle.verify_consistency(
        int(case["size1"]),
        raw(case["root1"]),
        int(case["size2"]),
        raw(case["root2"]),
        path_of(case),
    )
    return {}


# --- submissions.json and log.json ---


def lines_of(case: Json) -> list[bytes]:
    return [line.encode() for line in case["activities"]]


def founded(given: Json) -> Replayed:
    """The ledger that a file gives, after its first seal."""
    log = Replayed()
    for name in ("genesis", "seal"):
        log.take(Entry(parse_statement(raw(given[name]))))
    state = log.state
    assert state is not None
    assert state.genesis.id.hex() == given["ledger"]
    assert (state.time, state.index) == (given["time"], given["next"])
    assert (state.genesis.offset, state.genesis.origin) == (given["utc_offset"], given["origin"])
    return log


@reads("submissions", "submissions")
def _(given: Json, case: Json) -> Json:
    state = founded(given).state
    assert state is not None
    assert given["seeds"][case["platform"]] == case["seed"]
    activities = parse_activities(lines_of(case))
    reductions = reduce_activities(activities, state, case["platform"])
    made = [item for item in reductions if isinstance(item, Reduction)]
    statement = sign_submission(
        signer(case["alg"], secret_of(case["seed"])),
        platform=case["platform"],
        ledger=state.genesis.id,
        expires=case["expires"],
        reductions=made,
    )
    body = statement.body
    return {
        "scenario": body["scenario"],
        "subject": statement.subject,
        "reductions": [item.data for item in made],
        "leaves": [item.leaf for item in made],
        "root": body["root"],
        "count": body["count"],
        "grams": body["grams"],
        "payload": statement.payload.decode(),
        "protected": cbor2.loads(statement.data).value[0],
        "signed": statement.signed,
        "signature": statement.signature,
        "statement": statement.data,
        "id": statement.id,
    }


@reads("submissions", "statements")
def _(given: Json, case: Json) -> Json:
    statement = parse_statement(raw(case.get("statement", case.get("bytes"))))
    names = ("alg", "kid", "kind", "issuer", "subject", "audience", "expires", "signature", "id")
    said = {name: getattr(statement, name) for name in names}
    return {**said, "payload": statement.payload.decode()}


@reads("submissions", "admission")
def _(given: Json, case: Json) -> Json:
    state = founded(given).state
    assert state is not None
    admit(state, parse_statement(raw(case["statement"])), lines_of(case))
    return {}


def outcome(of: Refused | None) -> Json | None:
    if of is None:
        return None
    return {"code": of.code, "claim": of.claim, "met": None if of.met is None else spelled(of.met)}


def spelled(span: Span) -> Json:
    """A span as the vectors write it."""
    bounds = {"start": str(span.start), "end": str(span.end)}
    return {"line": span.line.hex(), **bounds, "holder": span.holder.hex()}


@reads("submissions", "answers")
def _(given: Json, case: Json) -> Json:
    log = founded(given)
    outcomes = []
    for one in case["submissions"]:
        assert log.state is not None
        admitted = admit(log.state, parse_statement(raw(one["statement"])), lines_of(one))
        outcomes.append([outcome(item) for item in log.take(admitted.entry).outcomes])
    return {"outcomes": outcomes}


def entry_of(case: Json) -> Entry:
    reductions = [Reduction.parse(raw(data)) for data in case["reductions"]]
    return Entry(parse_statement(raw(case["statement"])), reductions)


MAKES: dict[str, Callable[[Statement, int], list[Record]]] = {
    "certification": lambda of, day: [certified(of, day)],
    "withdrawal": lambda of, day: [
        Withdrawn(Certification.read(of.body["certification"]).statement, of.id)
    ],
    "issuance": lambda of, day: [issued(of), carried(of), new_holding(of)],
    "correction": lambda of, day: [carried(of)],
    "deposit": lambda of, day: [new_holding(of)],
    **dict.fromkeys(MOVES, lambda of, day: [moved(of)]),
}
RECORDS: dict[str, type[Record]] = {
    of.KIND: of for of in (Certification, Withdrawn, Issuance, Carry, Holding)
}


def record_of(case: Json) -> Record | Lot:
    """The record that a case gives."""
    given = parse_json(case["record"].encode())
    return Lot.from_json(given) if case["kind"] == "lot" else RECORDS[case["kind"]].read(given)


def entered(log: Replayed, closed_until: int, today: int, effects: Effects) -> list[Record | Lot]:
    """The records that the last statement has entered in the register."""
    assert log.state is not None
    statement, holders = log.statements[-1], {span.holder for span in effects.put}
    make = MAKES.get(statement.kind)
    made: list[Record | Lot] = [*make(statement, today)] if make else []
    if statement.kind == "close":
        made += log.lots(closed_until, log.state.closed_until)
    return [record for record in made if record.holder in holders]


@reads("log", "ledgers")
def _(given: Json, case: Json) -> Json:
    log, states = Replayed(), []
    for one, said in zip(case["entries"], case["states"], strict=True):
        before = (log.state.closed_until, log.state.today) if log.state else (0, 0)
        entry = entry_of(one)
        effects = log.take(entry)
        records = entered(log, *before, effects)
        assert [record_of(item) for item in said["records"]] == records
        states.append(
            {
                "id": entry.statement.id,
                "put": [spelled(span) for span in effects.put],
                "drop": [spelled(span) for span in effects.drop],
                "outcomes": [outcome(item) for item in effects.outcomes],
                "register": log.root(),
                "records": said["records"],
            }
        )
    root = merkle.root([merkle.leaf_hash(raw(one["statement"])) for one in case["entries"]])
    checkpoint = parse_checkpoint(parse_note(case["checkpoint"].encode()).text)
    assert (checkpoint.size, checkpoint.root) == (len(states), root)
    return {"states": states, "root": root}


@reads("log", "refused")
def _(given: Json, case: Json) -> Json:
    ledgers = {one["name"]: one for one in read("log.json")["cases"]["ledgers"]}
    log = Replayed()
    for one in ledgers[case["after"]]["entries"][: case["at"]]:
        log.take(entry_of(one))
    log.take(entry_of(case))
    return {}


# --- register.json ---


def span_of(case: Json) -> Span:
    """A span that a case gives."""
    return Span(raw(case["line"]), int(case["start"]), int(case["end"]), raw(case["holder"]))


@reads("register", "roots")
def _(given: Json, case: Json) -> Json:
    register = Register()
    register.change([span_of(one) for one in case["spans"]])
    return {"root": register.root()}


@reads("register", "held")
def _(given: Json, case: Json) -> Json:
    proof = Held.from_json(parse_json(source(case, "proof")))
    check_held(raw(case["root"]), proof, classes_of(given).allows)
    return {}


@reads("register", "free")
def _(given: Json, case: Json) -> Json:
    proof = Free.from_json(parse_json(source(case, "proof")))
    check_free(raw(case["root"]), proof, classes_of(given).allows)
    return {}


@reads("register", "held_many")
def _(given: Json, case: Json) -> Json:
    spans = [span_of(one) for one in case["spans"]]
    check_held_many(raw(case["root"]), spans, raw(case["proof"]), classes_of(given).allows)
    return {}


# --- lots.json ---


@reads("lots", "records")
def _(given: Json, case: Json) -> Json:
    record = record_of(case)
    data = dump_cbor(list(record) if isinstance(record, Lot) else list(astuple(record)))
    assert make_holder(case["kind"], data) == record.holder
    return {"cbor": data, "holder": record.holder}


def lot_entries(case: Json) -> list[LotEntry]:
    return [(raw(one["key"]), int(one["grams"])) for one in case["entries"]]


@reads("lots", "trees")
def _(given: Json, case: Json) -> Json:
    tree = LotTree(lot_entries(case))
    return {"root": tree.root, "count": tree.count, "grams": str(tree.grams)}


@reads("lots", "draws")
def _(given: Json, case: Json) -> Json:
    trees = {one["name"]: one for one in read("lots.json")["cases"]["trees"]}
    tree = LotTree(lot_entries(trees[case["tree"]]))
    offset = int(case["offset"])
    key, grams = tree.at(offset)
    lot = Lot("a", "a", 0, tree.count, tree.grams, tree.root)
    [start] = check_lot(lot, [(key, grams)], raw(case["proof"]))
    assert start <= offset < start + grams
    return {"key": key, "grams": str(grams), "start": str(start), "proof": tree.prove([key])}


@reads("lots", "included")
def _(given: Json, case: Json) -> Json:
    lot = Lot.from_json(parse_json(case["lot"].encode()))
    return {"starts": list(map(str, check_lot(lot, lot_entries(case), raw(case["proof"]))))}


# --- notes.json, receipts.json, policies.json ---


@reads("notes", "vkeys")
def _(given: Json, case: Json) -> Json:
    of = parse_vkey(case["vkey"])
    return {
        "key_name": of.name,
        "key_id": of.key_id,
        "alg": of.public.alg,
        "public": of.public.raw,
        "cosigner": of.cosigner,
    }


@reads("notes", "notes")
def _(given: Json, case: Json) -> Json:
    note = parse_note(source(case, "note"))
    lines = [
        {"key_name": line.name, "key_id": line.key_id, "signature": line.signature}
        for line in note.signatures
    ]
    return {"text": note.text, "signatures": lines}


@reads("notes", "signed")
def _(given: Json, case: Json) -> Json:
    of = parse_vkey(case["vkey"])
    time = signed_by(parse_note(case["note"].encode()), of)
    shown = str(time) if time is not None and of.cosigner else None
    return {"signed": time is not None, "time": shown}


@reads("notes", "checkpoints")
def _(given: Json, case: Json) -> Json:
    checkpoint = parse_checkpoint(case["text"])
    return {
        "origin": checkpoint.origin,
        "size": str(checkpoint.size),
        "root": checkpoint.root,
    }


@reads("notes", "signing")
def _(given: Json, case: Json) -> Json:
    of, text, name = from_seed(case["seed"].encode()), case["text"], case["key_name"]
    time = number(case["time"])
    line = sign_note(text, name, of) if time is None else cosign(text, name, of, time)
    return {"line": f"\u2014 {name} {dump_base64(line.key_id + line.signature)}"}


@reads("receipts", "receipts")
def _(given: Json, case: Json) -> Json:
    public = PublicKey(case["alg"], raw(case["public"]))
    size, index, root = check_receipt(
        raw(case["receipt"]), raw(case["entry"]), public, case["origin"]
    )
    return {"size": size, "index": index, "root": root}


@reads("policies", "policies")
def _(given: Json, case: Json) -> Json:
    read = parse_policy(source(case, "policy"))
    return {
        "logs": [key.vkey for key in read.logs],
        "witnesses": [[name, key.vkey] for name, key in read.witnesses.items()],
        "quorum": read.quorum,
    }


@reads("policies", "quorums")
def _(given: Json, case: Json) -> Json:
    return {"reached": parse_policy(case["policy"].encode()).is_reached(case["cosigned"])}


# --- bundles.json ---


def bundle_of(case: Json) -> bytes:
    """The file of a case after its edits."""
    lines = (FOLDER / "bundles" / case["file"]).read_text("utf-8").split("\n")
    for first, count, text in case["edits"]:
        lines[first : first + count] = [] if text is None else [text]
    return "\n".join(lines).encode()


@reads("bundles", "bundles")
def _(given: Json, case: Json) -> Json:
    report = check_file(bundle_of(case), parse_policy(given["policies"][case["policy"]].encode()))
    last = report.checks[-1]
    if last.error is None:
        return {"verdict": report.verdict}
    if (report.verdict, last.code) != (case["verdict"], case["check"]):
        raise VerificationError(f"{report.verdict}, {last.code}: {last.error.code}")
    raise last.error


def test_the_second_checker_gives_the_same_verdicts() -> None:
    file = read("bundles.json")
    policies = {
        name: independent_checker.Policy(text.encode())
        for name, text in file["given"]["policies"].items()
    }
    for case in file["cases"]["bundles"]:
        verdict = independent_checker.check(bundle_of(case), policies[case["policy"]])
        assert verdict == case["verdict"], case["name"]


# --- what they leave out ---


def codes(name: str, of: str) -> set[str]:
    return {case["code"] for case in read(name)["cases"][of] if not case["valid"]}


RAISED = ("Malformed", "Refusal", "NotAllowed", "Conflict", "VerificationError")


def raised(path: str, *functions: str) -> Iterator[str]:
    """The codes of the errors that functions of a module spell out."""
    for node in ast.walk(ast.parse((TOP / path).read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and (not functions or node.name in functions):
            for call in ast.walk(node):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Name)
                    and call.func.id in RAISED
                    and isinstance(call.args[0], ast.Constant)
                ):
                    yield str(call.args[0].value)


def test_every_list_has_what_is_valid_and_what_is_not() -> None:
    always_valid = {"leaves", "roots", "days", "cuts", "periods", "pseudonyms", "holders"} | {
        *("oblivious", "signing", "submissions", "answers", "ledgers", "quorums", "draws")
    }
    for name, of in LISTS:
        found = {case["valid"] for case in read(name)["cases"][of]}
        only = {False} if (name, of) == ("log.json", "refused") else {True}
        assert found == (only if of in always_valid | {"refused"} else {True, False}), (name, of)


def test_every_methodology_of_the_library_has_an_activity() -> None:
    from chain.genesis import library

    given = {of["id"]: of["document"] for of in read("activities.json")["given"]["methodologies"]}
    tried = {
        case["methodology"] for case in read("activities.json")["cases"]["activities"]
        if case["valid"]
    }  # fmt: skip
    assert tried >= library().keys()
    assert all(given[name].encode() == document for name, document in library().items())


def test_every_code_that_an_activity_can_earn_is_earned() -> None:
    can_earn = {
        *raised("keys/strict.py", "parse_json", "_pairs", "_float", "_int", "parse_text", "fields"),
        *raised("chain/activities.py", "parse_activity", "_bad"),
        *raised("chain/methodologies.py", "reduce", "_claim", "_fill", "_slot"),
        *raised("chain/formulas.py", "look_up"),
        *raised("chain/classes.py", "check_parts"),
    }
    # The number of parts follows from the methodology, which was read.
    assert can_earn - codes("activities.json", "activities") == {"line-parts"}


def test_every_code_of_strict_json_is_earned() -> None:
    assert codes("json.json", "texts") == {
        *raised("keys/strict.py", "parse_json", "_pairs", "_float", "_int", "parse_text")
    }


def test_every_answer_about_a_reduction_is_given() -> None:
    answers = [
        outcomes
        for case in read("submissions.json")["cases"]["answers"]
        for outcomes in case["outcomes"]
    ]
    # A border of epochs lies at the end of a year: a ledger of its own comes to it.
    answers += [
        state["outcomes"]
        for case in read("log.json")["cases"]["ledgers"]
        for state in case["states"]
    ]
    found = {one["code"] for outcomes in answers for one in outcomes if one is not None}
    assert found == {"day-closed", "day-not-begun", "span-taken", "cap-full", "epoch-border"}


def test_every_kind_of_statement_is_read_and_logged() -> None:
    kinds = {
        case["kind"] for case in read("submissions.json")["cases"]["statements"] if case["valid"]
    }
    assert kinds >= MAY_SIGN.keys()
    logged = {
        parse_statement(raw(entry["statement"])).kind
        for case in read("log.json")["cases"]["ledgers"]
        for entry in case["entries"]
    }
    assert logged == MAY_SIGN.keys()


def test_every_action_of_governance_is_logged() -> None:
    logged = {
        action["action"]
        for case in read("log.json")["cases"]["ledgers"]
        for entry in case["entries"]
        for action in parse_statement(raw(entry["statement"])).body.get("actions", ())
    }
    assert logged == ACTIONS.keys()


def test_every_rule_of_proofs_is_broken() -> None:
    names = [
        case["name"].split(":")[0]
        for of in ("held", "free")
        for case in read("register.json")["cases"][of]
        if not case["valid"]
    ]
    assert set(names) == {"path", "form", *(f"rule {n}" for n in range(1, 8))}


def test_every_code_of_proofs_is_earned() -> None:
    tree = ast.parse((TOP / "chain" / "proofs.py").read_text("utf-8"))
    can_fail = {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "VerificationError"
        and isinstance(call.args[0], ast.Constant)
    }
    lists = ("held", "free", "held_many")
    assert {code for of in lists for code in codes("register.json", of)} >= can_fail


def test_every_rule_of_multiproofs_is_broken() -> None:
    names = [
        re.sub("held_many: ", "", case["name"]).split(":")[0]
        for file, of in (("register.json", "held_many"), ("lots.json", "included"))
        for case in read(file)["cases"][of]
        if not case["valid"]
    ]
    assert set(names) == {"form", "bounds", "root", *(f"rule {n}" for n in range(1, 10))}


def test_every_code_of_lots_is_earned() -> None:
    can_fail = {
        *raised("chain/multiproofs.py", "parse", "fold", "merge"),
        *raised("chain/lots.py", "_leaf", "_totals", "__init__", "build_nodes", "check_lot"),
    }
    assert can_fail == codes("lots.json", "included") | codes("lots.json", "trees")


def test_every_refusal_of_closed_books_and_units_is_earned() -> None:
    """Those that name the record or the statement after its kind among them."""
    modules = ("closing", "certifications", "issuances", "holdings", "records")
    can_earn = {code for name in modules for code in raised(f"chain/{name}.py")}
    can_earn |= {f"{kind}-differs" for kind in ("certification", "issuance", "carry", "holding")}
    can_earn |= {"certification-list", "erasure-list", "void-day-closed"}
    assert can_earn - codes("log.json", "refused") == set()


def test_every_kind_of_record_is_read_and_logged() -> None:
    kinds = {*RECORDS, "lot"}
    file = read("lots.json")["cases"]["records"]
    assert {case["kind"] for case in file if case["valid"]} == kinds
    states = [s for case in read("log.json")["cases"]["ledgers"] for s in case["states"]]
    assert {one["kind"] for state in states for one in state["records"]} == kinds


def test_every_check_of_a_bundle_fails_somewhere() -> None:
    table = SPEC.partition("The checks, in this order")[2].partition("The *days")[0]
    checks = set(re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE))
    cases = read("bundles.json")["cases"]["bundles"]
    # Without a checkpoint in hand there is nothing newer.
    assert {case["check"] for case in cases if not case["valid"]} == checks - {"newer"}
    verdicts = {case["verdict"] for case in cases}
    assert verdicts == {"valid", "provisional", "unwitnessed", "invalid"}


def test_every_kind_of_holder_is_hashed() -> None:
    tags = set(re.findall(r'"tally/holder/([a-z]+)/v1"', SPEC))
    assert {case["kind"] for case in read("lines.json")["cases"]["holders"]} == tags


def test_every_suite_has_keys_and_signatures() -> None:
    for of in ("public", "signatures"):
        tried = {(case["alg"], case["valid"]) for case in read("keys.json")["cases"][of]}
        assert tried >= {(alg, valid) for alg in suites.SUITES for valid in (True, False)}


# --- the guide ---


def test_the_guide_names_lists_that_there_are() -> None:
    named = re.findall(r"`vectors/(\w+\.json)`((?: →|,|) `\w+`(?:, `\w+`)*)?", GUIDE)
    assert len(named) > 30
    for name, of in named:
        lists = re.findall(r"`(\w+)`", of) if of.startswith(" →") else []
        assert (FOLDER / name).exists()
        assert set(lists) <= read(name)["cases"].keys(), (name, of)


def test_the_guide_says_what_each_refusal_means() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*?) \| (.*?) \| (.+) \|$", GUIDE, re.MULTILINE)
    told = {code: (en, zh) for code, en, zh, _ in rows if code in TEXTS}
    for code, texts in told.items():
        assert texts == tuple(text.replace("!r}", "}") for text in TEXTS[code])
    can_earn = codes("activities.json", "activities") | codes("submissions.json", "statements")
    can_earn |= codes("submissions.json", "admission")
    can_earn |= {"day-closed", "day-not-begun", "span-taken", "cap-full", "epoch-border"}
    assert told.keys() >= can_earn
    voids = {code for code in raised("chain/rules.py", "_void", "void_list") if "void" in code}
    assert told.keys() >= voids


def head(major: int, length: int) -> bytes:
    """The head of a CBOR item, as the guide tells it."""
    first = major << 5
    if length < 24:
        return bytes([first + length])
    return bytes([first + 24, length]) if length < 256 else bytes([first + 25, *length.to_bytes(2)])


def text(value: str) -> bytes:
    return head(3, len(value.encode())) + value.encode()


def data(value: bytes) -> bytes:
    return head(2, len(value)) + value


@pytest.mark.parametrize("case", read("submissions.json")["cases"]["submissions"])
def test_the_bytes_of_the_guide_are_those_of_the_vectors(case: Json) -> None:
    """Step 6, with nothing but the bytes that it shows."""
    given = read("submissions.json")["given"]
    of = signer(case["alg"], secret_of(given["seeds"][case["platform"]]))
    protected = b"".join(
        [
            bytes.fromhex("a401") + head(1, -1 - case["alg"]),
            bytes.fromhex("037825") + b"application/vnd.tally.submission+json",
            bytes.fromhex("0450") + of.public.kid,
            bytes.fromhex("0fa4"),
            bytes.fromhex("01") + text(case["platform"]),
            bytes.fromhex("02") + text(case["scenario"]),
            bytes.fromhex("037840") + given["ledger"].encode(),
            bytes.fromhex("041a") + case["expires"].to_bytes(4),
        ]
    )
    payload = (
        f'{{"count":{case["count"]},"format":1,"grams":{case["grams"]},'
        f'"root":"{case["root"]}","scenario":"{case["scenario"]}"}}'
    ).encode()
    assert (protected.hex(), payload.decode()) == (case["protected"], case["payload"])
    signed = b"\x84\x6aSignature1" + data(protected) + b"\x40" + data(payload)
    assert signed.hex() == case["signed"]
    statement = b"\xd2\x84" + data(protected) + b"\xa0" + data(payload) + data(of.sign(signed))
    assert statement.hex() == case["statement"]
    assert merkle.sha256(b"tally/statement/v1\n" + signed).hexdigest() == case["id"]
