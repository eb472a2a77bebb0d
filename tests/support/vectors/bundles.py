"""Bundles: good ones of every kind, and forgeries, each named for its one lie.

A bundle is told by the file that is nearest to it and the lines that differ, since most of every
bundle is the genesis and the registry of classes.
"""

import copy
import difflib
import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support import chains
from support.bundles import (
    AUDITORS,
    ENOUGH,
    LOG_VKEY,
    PLAIN_TEXT,
    QUORUM_TEXT,
    VOIDED,
    Json,
    Sealed,
    activity,
    cosignature,
    cosigned,
    honest,
    ledger,
    logged,
    samples,
    stretch,
    with_signatures,
    world,
)
from support.city import NOON, TODAY, genesis, key
from support.forging import altered, high_s, recorded, reduction_of, resigned, small_r
from support.vectors.common import Vectors, accepted, refused

from chain.genesis import default_classes
from chain.reductions import Claim
from chain.spans import FOREVER, Span, make_holder
from chain.state import rules_holder
from keys.notes import Checkpoint, Note, NoteKey, format_note, parse_note, sign_note
from keys.strict import dump_base64, dump_cbor, parse_base64

STRANGER = NoteKey("x.example", key("x").public, cosigner=False).vkey
MOVED = NoteKey("other.example/city", key("operator").public, cosigner=False).vkey
FIRST, SECOND = chains.trust(chains.A), chains.trust(chains.B)
POLICIES = {
    "first auditors": FIRST,
    "second auditors": SECOND,
    "plain": PLAIN_TEXT,
    "quorum": QUORUM_TEXT,
    "another log": f"log {STRANGER}\nquorum none\n",
    "two logs": f"log {STRANGER}\nlog {LOG_VKEY}\nquorum none\n",
    "moved": f"log {MOVED}\nquorum none\n",
}


@functools.cache
def _bases() -> dict[str, str]:
    """The files, by name."""
    found = {
        "ride.json": samples()["ride"],
        "trip.json": samples()["trip over midnight"],
        "meal.json": samples()["meal"],
        "span.json": samples()["span of seconds"],
        "free.json": samples()["free between two"],
        "chain.json": _chain().bundles[-1],
    }
    return {name: _text(bundle) for name, bundle in found.items()}


@functools.cache
def _chain() -> chains.Chain:
    """A ledger whose witness policy and operator's key have changed."""
    with TemporaryDirectory() as folder:
        made = chains.build(Path(folder) / "city")
        made.city.store.engine.dispose()
        return made


def bundle_files() -> dict[str, bytes]:
    """The bundles that stand in files of their own."""
    return {name: text.encode() for name, text in _bases().items()}


def _text(bundle: Json) -> str:
    return json.dumps(bundle, indent=1) + "\n"


def _edits(text: str) -> tuple[str, list[list[Any]]]:
    """The file that is nearest to a text, and its edits, the last lines first."""
    found = []
    for name, base in _bases().items():
        old, new = base.split("\n"), text.split("\n")
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        edits = [
            [first, last - first, "\n".join(new[low:high]) if high > low else None]
            for tag, first, last, low, high in reversed(matcher.get_opcodes())
            if tag != "equal"
        ]
        found.append((len(json.dumps(edits)), name, edits))
    return min(found)[1:]


def bundle_vectors() -> Vectors:
    """bundles.json."""
    cases = []
    for name, bundle, policy, verdict in _good():
        file, edits = _edits(_text(bundle))
        is_valid = verdict in ("valid", "provisional")
        given = {"file": file, "edits": edits, "policy": policy}
        if is_valid:
            cases.append(accepted(name, **given, verdict=verdict))
        else:
            more = {"verdict": verdict, "check": "witnessed"}
            cases.append(refused(name, "checkpoint-unwitnessed", **given, **more))
    for name, failing, forged, policy in _forged():
        file, edits = _edits(forged if isinstance(forged, str) else _text(forged))
        check, code = failing.split(": ")
        given = {"file": file, "edits": edits, "policy": policy}
        cases.append(refused(name, code, **given, verdict="invalid", check=check))
    return Vectors(
        "Bundles of all kinds under trust policies, good ones and forgeries.",
        [20],
        {"bundles": cases},
        {"policies": POLICIES},
    )


def _good() -> Iterator[tuple[str, Json, str, str]]:
    for name, bundle in samples().items():
        if name != "trip of 19 days":  # it is long, and shows nothing that the others do not
            yield f"good: {name}", bundle, "plain", "provisional"
    ride, small = samples()["ride"], ledger()
    yield "good: cosigned by enough", cosigned(ride, *ENOUGH), "quorum", "provisional"
    yield "good: signed by the second log of the policy", ride, "two logs", "provisional"
    yield "good: without the close", {**ride, "books": None}, "plain", "provisional"
    yield "not witnessed: nobody has cosigned", ride, "quorum", "unwitnessed"
    yield (
        "not witnessed: auditors without witnesses",
        cosigned(ride, *AUDITORS),
        "quorum",
        "unwitnessed",
    )
    note = parse_note(ride["checkpoint"].encode())
    line = cosignature(note.text, AUDITORS[0])
    twice = with_signatures(ride, [*note.signatures, line, replace(line, name="x.example"), line])
    yield "not witnessed: one auditor, three times", twice, "quorum", "unwitnessed"
    plain = [sign_note(note.text, f"{name}.example", key(name)) for name in ENOUGH]
    yield (
        "not witnessed: plain signatures are no cosignatures",
        with_signatures(ride, [*note.signatures, *plain]),
        "quorum",
        "unwitnessed",
    )
    for until, verdict in ((TODAY, "provisional"), (TODAY + 1, "valid")):
        closed = world().copy()
        closed.close(until)
        sealed = closed.sealed()
        said = f"closed up to the day {'itself' if verdict == 'provisional' else 'after'}"
        yield f"good: a ride, {said}", sealed.reduction(small.rides.index, 0), "plain", verdict
        trip = sealed.reduction(small.trips.index, 1, activity(small.trips, 1))
        yield f"good: a trip over midnight, {said}", trip, "plain", verdict
        yield f"good: a span, {said}", sealed.span(small.trips.index, 3), "plain", verdict
        line_of, *_ = stretch(small.rides, 0)
        free = sealed.free(line_of, NOON, NOON + 60)
        yield f"good: a free stretch, {said}", free, "plain", verdict
    for policy in ("first auditors", "second auditors"):
        yield (
            f"good: links followed by whom the {policy} are known to",
            _chain().bundles[-1],
            policy,
            "provisional",
        )
    ticket = sealed.free(stretch(small.rides, VOIDED, 1)[0], 0, FOREVER)
    yield "good: a free ticket has no day that closes", ticket, "plain", "provisional"
    yield (
        "not witnessed: final, and nobody has cosigned",
        sealed.reduction(small.rides.index, 0),
        "quorum",
        "unwitnessed",
    )


Forged = tuple[str, str, Json | str, str]


def _forged() -> Iterator[Forged]:
    """(what was forged, the check that fails and its code, the bundle, the policy)"""
    for make in (_form, _of_log, _of_rights, _of_reductions, _of_claims, _of_free, _of_chains):
        yield from make()


def ride() -> Json:
    """A ride's bundle, to be changed."""
    return copy.deepcopy(samples()["ride"])


def _edited(bundle: Json, path: str, value: object) -> Json:
    made = copy.deepcopy(bundle)
    at: Any = made
    *way, last = path.split(".")
    for name in way:
        at = at[int(name) if name.isdigit() else name]
    if value is ...:
        del at[last]
    else:
        at[int(last) if last.isdigit() else last] = value
    return made


def _form() -> Iterator[Forged]:
    text, bundle = _bases()["ride.json"], ride()

    def edited(name: str, code: str, path: str, value: object) -> Forged:
        return f"form: {name}", f"form: {code}", _edited(bundle, path, value), "plain"

    def spelled(name: str, code: str, old: str, new: str) -> Forged:
        assert text.count(old) >= 1
        return f"form: {name}", f"form: {code}", text.replace(old, new, 1), "plain"

    kind = ' "kind": "reduction",'
    yield spelled("a field twice", "json-duplicate-key", kind, f"{kind}\n{kind}")
    twice = f' "\\u006bind": "free",\n{kind}'
    yield spelled("a field twice by an escape", "json-duplicate-key", kind, twice)
    yield spelled("a fraction", "json-float", '"position": 0', '"position": 0.0')
    yield spelled("an exponent", "json-float", '"position": 0', '"position": 0e0')
    number = '"position": 18446744073709551616'
    yield spelled("an integer beyond 64 bits", "json-integer-range", '"position": 0', number)
    deep = '"activity": ' + "[" * 9 + "]" * 9
    yield spelled("deeper than may be", "json-depth", '"activity": null', deep)
    yield spelled("a comment", "json-invalid", kind, f"{kind} // one")
    escaped = '"activity": "e\\u0301"'
    yield spelled("text in another form than NFC", "text-not-nfc", '"activity": null', escaped)
    half = '"activity": "\\ud800"'
    yield spelled("half of a pair of surrogates", "text-not-utf8", '"activity": null', half)
    yield spelled("another format", "format-unknown", "tally-bundle/1", "tally-bundle/2")
    yield edited("another kind", "format-unknown", "kind", "proof")
    yield edited("the kind of another", "field-missing", "kind", "span")
    yield edited("a field more", "field-unknown", "more", 1)
    yield edited("a field more, deep inside", "field-unknown", "claims.0.more", 1)
    yield edited("a field less", "field-missing", "books", ...)
    yield edited("a number that is a text", "field-type", "genesis.index", "0")
    data = bundle["seal"]["data"]
    yield edited("base64 without padding", "base64-not-canonical", "seal.data", data.rstrip("="))
    yield edited("base64 with a line feed", "base64-not-canonical", "seal.data", data + "\n")
    line = bundle["rules"]["line"]
    yield edited("hexadecimal in capitals", "hex-not-canonical", "rules.line", line.upper())
    raw = parse_base64(bundle["submission"]["data"])
    longer = dump_base64(raw[:1] + b"\x9f" + raw[2:] + b"\xff")
    yield edited("a statement in another form", "cbor-not-canonical", "submission.data", longer)
    seal = world().last
    payload = seal.payload.replace(b'"height"', b'"height":1,"height"')
    inside = seal.data.replace(dump_cbor(seal.payload), dump_cbor(payload))
    yield edited(
        "a field twice in what is signed", "json-duplicate-key", "seal.data", dump_base64(inside)
    )
    yield edited(
        "a checkpoint without signatures",
        "note-signatures",
        "checkpoint",
        parse_note(bundle["checkpoint"].encode()).text + "\n",
    )
    identity = dump_base64(b"\1" + bytes(31))
    yield edited("an unsound key", "key-invalid", "signer.key.public", identity)
    yield edited("a key of another suite", "suite-unknown", "signer.key.alg", -35)


def _signed_size(bundle: Json, size: int) -> Json:
    """The bundle under a checkpoint of the same root and another size."""
    text = Checkpoint(world().origin, size, honest().root).text
    note = Note(text, (sign_note(text, world().origin, key("operator")),))
    return {**bundle, "checkpoint": format_note(note).decode()}


def _of_log() -> Iterator[Forged]:
    bundle, plain = ride(), "plain"
    note = parse_note(bundle["checkpoint"].encode())
    (line,) = note.signatures
    wrong = "checkpoint: note-signature-invalid"
    for name, signature in (
        ("with S + L", high_s(line.signature)),
        ("with R of small order", small_r(key("operator"), note.text.encode())),
        ("by another key", key("someone").sign(note.text.encode())),
    ):
        forged = with_signatures(bundle, [replace(line, signature=signature)])
        yield f"a checkpoint signed {name}", wrong, forged, plain
    yield "a policy of another log", "checkpoint: checkpoint-log-unknown", bundle, "another log"
    longer = world().copy()
    longer.submit([reduction_of(ledger().rides.index, 0)])
    other = longer.sealed().reduction(ledger().rides.index, 0)
    stolen = parse_note(cosigned(other, *ENOUGH)["checkpoint"].encode()).signatures[1:]
    yield (
        "cosignatures of another checkpoint",
        wrong,
        with_signatures(bundle, [line, *stolen]),
        "quorum",
    )
    renamed = cosignature(note.text, AUDITORS[1])
    as_other = replace(
        cosignature(note.text, AUDITORS[0]), name=renamed.name, key_id=renamed.key_id
    )
    yield (
        "one auditor's cosignature under another's name",
        wrong,
        with_signatures(bundle, [line, as_other]),
        "quorum",
    )
    yield (
        "cosignatures without the log's signature",
        "checkpoint: checkpoint-log-unknown",
        with_signatures(bundle, [cosignature(note.text, name) for name in ENOUGH]),
        "quorum",
    )
    text = note.text + "more\n"
    extended = Note(text, (sign_note(text, world().origin, key("operator")),))
    yield (
        "an extension line in the checkpoint",
        "checkpoint: checkpoint-malformed",
        {**bundle, "checkpoint": format_note(extended).decode()},
        plain,
    )
    moved = world().copy()
    moved.origin = "other.example/city"
    yield (
        "a checkpoint of another origin",
        "genesis: bundle-genesis",
        moved.sealed().reduction(ledger().rides.index, 0),
        "moved",
    )
    size = honest().size
    yield (
        "a greater size than the log has",
        "genesis: inclusion-invalid",
        _signed_size(bundle, 2 * size),
        plain,
    )
    for name in ("genesis", "seal", "submission"):
        forged = ride()
        forged[name]["path"].append(honest().root.hex())
        yield (
            f"a path of the {name} that is too long",
            f"{name}: inclusion-invalid",
            forged,
            plain,
        )
        code = "seal: seal-not-last" if name == "seal" else f"{name}: inclusion-invalid"
        yield f"the {name} of another log", code, {**bundle, name: other[name]}, plain
    forged = ride()
    forged["submission"]["index"] += 2
    yield "a submission at another index", "submission: inclusion-invalid", forged, plain
    second = world().copy()
    second.statements[0] = genesis(time=NOON + 1)
    yield (
        "another genesis, which the submission is not for",
        "submission: statement-other-ledger",
        second.sealed().reduction(ledger().rides.index, 0),
        plain,
    )
    foreign = world().seal(audience=genesis(time=NOON + 1).id)
    yield (
        "a seal of another ledger",
        "seal: seal-signature",
        world().sealed(foreign).reduction(ledger().rides.index, 0),
        plain,
    )
    first = world().copy()
    first.statements[0] = first.statements[1]
    yield (
        "another statement in the place of the genesis",
        "genesis: bundle-genesis",
        first.sealed().reduction(ledger().rides.index, 0),
        plain,
    )
    early = world().copy()
    at = early.append(early.seal())
    forged = early.sealed().reduction(ledger().rides.index, 0)
    forged["seal"] = logged(early.sealed().statements, at)
    yield "a seal that is not the last entry", "seal: seal-not-last", forged, plain
    seal = world().seal(key("governor"))
    yield (
        "a seal by another key",
        "seal: seal-signature",
        world().sealed(seal).reduction(ledger().rides.index, 0),
        plain,
    )
    seal = world().seal()
    yield (
        "a seal signed with S + L",
        "seal: seal-signature",
        world().sealed(resigned(seal, high_s(seal.signature))).reduction(ledger().rides.index, 0),
        plain,
    )
    fewer = world().copy()
    fewer.drop(
        *(
            s
            for s in fewer.spans.values()
            if s.holder == reduction_of(ledger().rides.index, 5).holder
        )
    )
    yield (
        "a register that the seal does not name",
        "rules: held-root-differs",
        fewer.sealed(world().seal()).reduction(ledger().rides.index, 0),
        plain,
    )


def _of_rights() -> Iterator[Forged]:
    small, plain = ledger(), "plain"
    rides = small.rides.index
    bundle = ride()
    document = bundle["classes"]["document"]
    yield (
        "a registry of classes with a space more",
        "rules: held-other-holder",
        _edited(bundle, "classes.document", document + " "),
        plain,
    )
    ended = world().copy()
    line = ended.line("classes")
    new = default_classes({"ticket": ["city-bus"]})
    ended.publish(line, ended.classes.document, "classes", 0, 4)
    ended.publish(line, new, "classes", 4, FOREVER)
    forged = ended.sealed().reduction(rides, 0)
    forged["classes"] = ended.sealed().document(line, 0)
    yield "a registry of classes that has ended", "rules: not-in-force", forged, plain
    ruled = world().copy()
    ruled.put(Span(ruled.line("rules"), 0, FOREVER, rules_holder(2**32)))
    yield (
        "rules of a version that there is not",
        "rules: held-other-holder",
        ruled.sealed().reduction(rides, 0),
        plain,
    )
    yield (
        "books that are something else",
        "books: held-other-line",
        {**bundle, "books": bundle["rules"]},
        plain,
    )
    old = world().copy()
    index = old.submit([reduction_of(rides, 0)], signer=key("metro-app"))
    forged = old.sealed().reduction(index, 0)
    yield "a key that was rotated away", "submission: statement-signature", forged, plain
    forged = {**forged, "signer": old.sealed().submitted(rides)["signer"]}
    yield "a key that was rotated away, shown", "right: not-in-force", forged, plain
    strange = world().copy()
    index = strange.submit([reduction_of(rides, 0)], signer=key("stranger"))
    forged = strange.sealed().reduction(index, 0)
    forged["signer"]["key"] = key("stranger").public.as_json()
    yield "a key that nobody has", "right: held-other-holder", forged, plain
    forged = ride()
    forged["signer"]["role_held"] = forged["signer"]["key_held"]
    yield "a role that is a key", "right: held-other-line", forged, plain
    statement = world().statements[rides]
    for name, signature in (
        ("with S + L", high_s(statement.signature)),
        ("with R of small order", small_r(key("metro-app"), statement.signed)),
        ("by another platform", key("pay-app").sign(statement.signed)),
    ):
        lax = world().copy()
        lax.statements[rides] = resigned(statement, signature)
        yield (
            f"a submission signed {name}",
            "submission: statement-signature",
            lax.sealed().reduction(rides, 0),
            plain,
        )
    yield (
        "a submission in another's name",
        "reduction: submission-mixed",
        recorded(reduction_of(rides, 0), platform="pay-app", signer=key("pay-app")),
        plain,
    )
    forged = ride()
    forged["scenario"]["document"] = forged["scenario"]["document"].replace("city", "town", 1)
    yield ("a scenario under another name", "scenario: platform-not-admitted", forged, plain)
    forged = ride()
    forged["scenario"]["document"] += " "
    yield "a scenario with a space more", "scenario: held-other-holder", forged, plain
    forged = ride()
    forged["methodology"]["document"] += " "
    yield "a methodology with a space more", "methodology: held-other-holder", forged, plain
    forged = {**ride(), "methodology": samples()["meal"]["methodology"]}
    yield "the methodology of another scenario", "methodology: methodology-differs", forged, plain


def _of_reductions() -> Iterator[Forged]:
    small, plain = ledger(), "plain"
    rides, trips, meals = small.rides.index, small.trips.index, small.meals.index
    of = reduction_of(rides, 0)
    first, ticket = of.claims
    assert first.start is not None and first.end is not None
    forged = ride()
    forged["reduction"]["data"] = dump_base64(altered(of, grams=81).data)
    yield "a gram more, not signed", "reduction: inclusion-invalid", forged, plain
    yield (
        "a gram more, signed and recorded",
        "methodology: reduction-grams",
        recorded(altered(of, grams=81)),
        plain,
    )
    yield (
        "fewer grams than its submission holds",
        "reduction: submission-grams",
        recorded(of, grams=79),
        plain,
    )
    yield (
        "another version of the methodology",
        "methodology: reduction-version",
        recorded(altered(of, version=2)),
        plain,
    )
    yield (
        "another day",
        "methodology: reduction-claim",
        recorded(altered(of, day=TODAY + 1)),
        plain,
    )
    yield (
        "a class left out",
        "methodology: reduction-class-missing",
        recorded(altered(of, claims=(first,))),
        plain,
    )
    yield (
        "a claim more",
        "methodology: reduction-claim-extra",
        recorded(altered(of, claims=of.claims + reduction_of(rides, 1).claims)),
        plain,
    )
    shorter = Claim(first.line, first.start, first.end - 1)
    yield (
        "a claim a second shorter",
        "methodology: reduction-claim",
        recorded(altered(of, claims=(shorter, ticket))),
        plain,
    )
    half = Claim(ticket.line, 0, 1)
    yield (
        "half a ticket",
        "methodology: span-class",
        recorded(altered(of, claims=(first, half))),
        plain,
    )
    trip = reduction_of(trips, 1)
    yield (
        "the day after midnight left out",
        "methodology: reduction-claim",
        recorded(altered(trip, claims=(trip.claims[0], *trip.claims[2:]))),
        plain,
    )
    leaves = [one.leaf for one in world().batches[rides]]
    forged = ride()
    forged["reduction"] |= {"data": dump_base64(leaves[0] + leaves[1])}
    forged["reduction"]["path"] = forged["reduction"]["path"][1:]
    yield "an inner node as a reduction", "reduction: cbor-not-canonical", forged, plain
    forged = ride()
    forged["reduction"]["position"] = 1
    yield "a reduction at another position", "reduction: inclusion-invalid", forged, plain
    forged = ride()
    forged["reduction"]["path"].append("00" * 32)
    yield "a path of a reduction that is too long", "reduction: inclusion-invalid", forged, plain
    forged = {**ride(), "reduction": honest().reduction(meals, 0)["reduction"]}
    yield "a reduction of another submission", "reduction: inclusion-invalid", forged, plain
    counted = world().copy()
    index = counted.submit(world().batches[rides], count=65_537)
    yield (
        "more than a submission may have",
        "submission: submission-count",
        counted.sealed().reduction(index, 0),
        plain,
    )
    disclosed = copy.deepcopy(samples()["ride, disclosed"])
    yield (
        "the activity of another reduction",
        "activity: activity-differs",
        {**ride(), "activity": disclosed["activity"]},
        plain,
    )
    yield (
        "an activity with a space more",
        "activity: activity-differs",
        {**disclosed, "activity": disclosed["activity"] + " "},
        plain,
    )
    yield (
        "an activity that is none",
        "activity: json-invalid",
        {**disclosed, "activity": disclosed["activity"][:-1]},
        plain,
    )
    digest = reduction_of(rides, 1).digest
    other = recorded(altered(of, digest=digest))
    yield (
        "an activity that gives another reduction",
        "activity: activity-differs",
        {**other, "activity": disclosed["activity"]},
        plain,
    )


def _of_claims() -> Iterator[Forged]:
    small, plain = ledger(), "plain"
    rides, trips, meals = small.rides.index, small.trips.index, small.meals.index
    bundle = ride()
    other = honest().reduction(rides, 1)
    yield (
        "a proof for another line",
        "claims: held-other-line",
        _edited(bundle, "claims.0", other["claims"][0]),
        plain,
    )
    yield (
        "a proof left out",
        "claims: claims-incomplete",
        _edited(bundle, "claims", bundle["claims"][:1]),
        plain,
    )
    yield "no proofs", "claims: claims-incomplete", {**bundle, "claims": []}, plain
    yield (
        "the proofs in another order",
        "claims: held-other-line",
        {**bundle, "claims": bundle["claims"][::-1]},
        plain,
    )
    forged = ride()
    forged["claims"][0]["end"] += 1
    yield "a span a second longer", "claims: held-root-differs", forged, plain
    between = samples()["trip between two"]
    for name in ("before", "after"):
        forged = copy.deepcopy(between)
        forged["claims"][0][name] = None
        yield f"the neighbour {name} left out", "claims: neighbour-left-out", forged, plain
    trip = reduction_of(trips, 3)
    (claim,) = trip.claims
    assert claim.start is not None and claim.end is not None
    holder = make_holder("reduction", bytes(32))
    for name, start, end in (
        ("from before", claim.start - 10, claim.start + 1),
        ("at its end", claim.end - 1, claim.end + 10),
        ("inside it", claim.start + 1, claim.end - 1),
    ):
        twice = world().copy()
        twice.put(Span(claim.line, start, end, holder))
        made = twice.sealed().reduction(trips, 3)
        yield f"a second claim {name}", "claims: neighbour-overlaps", made, plain
    hidden = copy.deepcopy(made)
    hidden["claims"][0]["before"] = None
    yield (
        "a second claim, and the neighbour left out",
        "claims: neighbour-left-out",
        hidden,
        plain,
    )
    meal = reduction_of(meals, 0)
    line = meal.claims[1].line
    beyond = world().copy()
    beyond.drop(Span(line, 0, 1, meal.holder))
    beyond.put(Span(line, 0, 1, holder), Span(line, 1, 2, meal.holder))
    yield (
        "a seat beyond the cap",
        "claims: seat-beyond-cap",
        beyond.sealed().reduction(meals, 0),
        plain,
    )
    wide = world().copy()
    wide.put(Span(line, 0, 2, meal.holder))
    yield "two seats", "claims: span-class", wide.sealed().reduction(meals, 0), plain
    old = _before_the_void()
    yield (
        "a reduction that was voided, under the later checkpoint",
        "claims: held-other-holder",
        {
            **old.reduction(rides, VOIDED),
            **honest().common("reduction"),
            **honest().submitted(rides),
            **{name: bundle[name] for name in ("scenario", "methodology")},
            "claims": honest().reduction(small.again.index, 0)["claims"],
        },
        plain,
    )
    shown = copy.deepcopy(samples()["span of seconds"])
    yield (
        "a span of another reduction",
        "holder: held-other-holder",
        {**shown, "held": samples()["span of a seat"]["held"]},
        plain,
    )
    forged = copy.deepcopy(shown)
    forged["leaf"]["hash"] = reduction_of(trips, 2).leaf.hex()
    yield "a leaf that is not at its position", "holder: inclusion-invalid", forged, plain
    key_held = shown["signer"]["key_held"]
    yield (
        "a span that no reduction holds",
        "holder: held-other-holder",
        {**shown, "held": key_held},
        plain,
    )


def _before_the_void() -> Sealed:
    """The small ledger as if the void had not been."""
    small = ledger()
    earlier = world().copy()
    voided = reduction_of(small.rides.index, VOIDED)
    again = reduction_of(small.again.index, 0)
    earlier.drop(*(s for s in earlier.spans.values() if s.holder == again.holder))
    earlier.put(*(Span(c.line, c.start or 0, c.end or 1, voided.holder) for c in voided.claims))
    return earlier.sealed()


def _of_free() -> Iterator[Forged]:
    small, plain = ledger(), "plain"
    bundle = copy.deepcopy(samples()["free between two"])
    _, start, end = stretch(small.trips, 3)
    following = stretch(small.trips, 4)[1]

    def wider(first: int, last: int) -> Json:
        made = copy.deepcopy(bundle)
        made["free"] |= {"start": first, "end": last}
        return made

    taken = "free: neighbour-overlaps"
    yield "a second into the claim before", taken, wider(end - 1, following), plain
    yield "a second into the claim after", taken, wider(end, following + 1), plain
    yield "over a claim", taken, wider(start, following), plain
    day = (TODAY + 2) * 86_400
    yield "beyond the day", "free: span-class", wider(end, day), plain
    for name in ("before", "after"):
        forged = copy.deepcopy(bundle)
        forged["free"]["present"][name] = None
        yield (
            f"a free stretch, its neighbour {name} left out",
            "free: neighbour-left-out",
            forged,
            plain,
        )
    forged = copy.deepcopy(bundle)
    del forged["free"]["present"]
    yield "a free stretch without evidence", "free: free-root-differs", forged, plain
    absent = copy.deepcopy(samples()["free of an absent line"])
    held = samples()["ride"]["claims"][0]
    absent["free"] |= {name: held[name] for name in ("line", "start", "end")}
    code = "free: free-root-differs"
    yield "a line that is there, by the absence of another", code, absent, plain


def _of_chains() -> Iterator[Forged]:
    for name, (change, failing) in chains.FORGED.items():
        yield f"links: {name}", failing, chains.changed(_chain(), change), "first auditors"
    for name, (change, failing) in chains.HIDDEN.items():
        made = chains.changed(_chain(), change, "governed")
        yield f"policies: {name}", failing, made, "first auditors"
