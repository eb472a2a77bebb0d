"""Forgeries, each crafted by an operator or a platform who does all that they can, and refused.

What the forger signs, it signs anew; what it stores, it stores anew: the log, the register and the
checkpoint are all consistent but for the one lie.  What a policy without a quorum cannot stop is a
register that no auditor has replayed; these are the lies that fail even then.
"""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha512
from typing import Any

import pytest
from support.bundles import (
    AUDITORS,
    ENOUGH,
    LOG_VKEY,
    PLAIN,
    QUORUM,
    VOIDED,
    Json,
    Sealed,
    World,
    activity,
    check,
    cosignature,
    cosigned,
    dump,
    failure,
    hexes,
    honest,
    ledger,
    logged,
    samples,
    stretch,
    with_signatures,
    world,
)
from support.city import NOON, TODAY, genesis, key, scenario_document

from api.proving import prove_reduction
from chain import merkle
from chain.blocks import make_checkpoint
from chain.calendar import DAY_SECONDS
from chain.classes import Classes
from chain.genesis import default_classes, library
from chain.merkle import Frontier
from chain.proofs import Free, Neighbour, Present
from chain.reductions import Claim, Reduction
from chain.rules import rules_holder
from chain.spans import FOREVER, Span, make_holder
from keys.errors import Malformed, Usage
from keys.notes import Checkpoint, Note, NoteKey, NoteSignature, format_note, parse_note, sign_note
from keys.participants import Role, key_holder, role_holder
from keys.signer import KeySigner
from keys.statements import Statement, parse_statement, sign_statement
from keys.strict import dump_base64, dump_cbor, dump_json, parse_base64
from verifier.policy import parse_policy

SMALL = ledger()
RIDES, TRIPS, MEALS = SMALL.rides.index, SMALL.trips.index, SMALL.meals.index


def ride() -> Json:
    return copy.deepcopy(samples()["ride"])


def reduction_of(index: int, position: int) -> Reduction:
    return world().batches[index][position]


def altered(reduction: Reduction, **changes: Any) -> Reduction:
    """A reduction that says something else."""
    names = ("platform", "scenario", "version", "day", "grams", "claims", "digest")
    return Reduction.make(**{**{name: getattr(reduction, name) for name in names}, **changes})


def recorded(*reductions: Reduction, **more: Any) -> Json:
    """The first of some reductions in a submission of their own, which hold all they claim."""
    forged = world().copy()
    index = forged.submit(reductions, **more)
    return forged.sealed().reduction(index, 0)


def test_what_is_not_forged_passes_so_that_each_lie_fails_for_itself() -> None:
    bundle = recorded(reduction_of(RIDES, 0), reduction_of(RIDES, 1))
    assert check(bundle).verdict == "provisional"
    assert check(cosigned(bundle, *ENOUGH), QUORUM).verdict == "provisional"
    for index, position in ((TRIPS, 0), (TRIPS, 1), (MEALS, 0)):
        assert check(recorded(reduction_of(index, position))).verdict == "provisional"


# --- the log's tree ---


def signed_size(bundle: Json, size: int) -> Json:
    """The bundle under a checkpoint of the same root and another size."""
    root = honest().root
    text = Checkpoint(world().origin, size, root).text
    note = Note(text, (sign_note(text, world().origin, key("operator")),))
    return {**bundle, "checkpoint": format_note(note).decode()}


def test_an_interior_node_is_no_entry_of_the_log() -> None:
    # The log's own tree, one level up: right for its nodes, were a node an entry.
    size = honest().size
    for level in range(1, 5):
        bundle = signed_size(ride(), (size - 1 >> level) + 1)
        for name in ("genesis", "seal", "submission"):
            bundle[name] |= {
                "index": bundle[name]["index"] >> level,
                "path": bundle[name]["path"][level:],
            }
        assert failure(bundle) == "genesis: inclusion-invalid"


def test_two_children_are_no_entry_of_the_log() -> None:
    leaves = [merkle.leaf_hash(statement.data) for statement in honest().statements]
    bundle = ride()
    bundle["submission"] |= {
        "data": dump_base64(leaves[2] + leaves[3]),
        "index": 1,
        "path": bundle["submission"]["path"][1:],
    }
    assert failure(bundle).startswith("form:")


def test_a_duplicated_last_entry_is_no_entry() -> None:
    size = honest().size
    statements = [*honest().statements, honest().statements[-1]]
    for resigned in (ride(), signed_size(ride(), size + 1)):
        resigned["seal"] = logged(statements, size)
        assert failure(resigned).split(": ")[0] in ("genesis", "seal")
    # The log as it would be, if the operator did log its seal twice: a seal is good once.
    twice = Sealed(world(), statements).reduction(RIDES, 0)
    assert check(twice).verdict == "provisional"
    assert failure({**twice, "seal": logged(statements, size - 1)}) == "seal: seal-not-last"


def test_a_wrong_index_in_the_log_fails() -> None:
    for index in (*range(honest().size + 2), 2**62, -1):
        if index != RIDES:
            bundle = ride()
            bundle["submission"]["index"] = index
            assert failure(bundle) in ("submission: inclusion-invalid", "rules: not-in-force")
    for name in ("genesis", "seal"):
        for index in (1, 5, honest().size, -1, 2**63 - 1):
            bundle = ride()
            bundle[name]["index"] = index
            assert failure(bundle).startswith(f"{name}: ")


def test_a_wrong_size_of_the_log_fails() -> None:
    size = honest().size
    for other in (0, 1, RIDES, size - 2, size + 1, 2 * size, 2**63 - 1):
        bundle = signed_size(ride(), other)
        assert failure(bundle).split(": ")[0] in ("genesis", "seal")
        bundle["seal"]["index"] = other - 1
        assert failure(bundle).split(": ")[0] in ("genesis", "seal")


def test_a_root_commits_to_no_size_and_the_auditors_do() -> None:
    # Paths of two sizes can have one shape.  The operator may sign the other size: what stands in
    # the tree is the same, and nobody who has the log cosigns a size that it does not have.
    bundle = signed_size(ride(), honest().size - 1)
    bundle["seal"]["index"] -= 1
    assert check(bundle).facts["leaf"] == check(ride()).facts["leaf"]
    assert check(bundle, QUORUM).verdict == "unwitnessed"
    stolen = parse_note(cosigned(ride(), *ENOUGH)["checkpoint"].encode()).signatures[1:]
    own = parse_note(bundle["checkpoint"].encode()).signatures
    forged = with_signatures(bundle, [*own, *stolen])
    assert failure(forged, QUORUM) == "checkpoint: note-signature-invalid"


@pytest.mark.parametrize("name", ["genesis", "seal", "submission"])
def test_trailing_elements_of_a_path_in_the_log_fail(name: str) -> None:
    for extra in (honest().root.hex(), "00" * 32, ride()[name]["path"][-1]):
        bundle = ride()
        bundle[name]["path"].append(extra)
        assert failure(bundle) == f"{name}: inclusion-invalid"
        bundle = ride()
        bundle[name]["path"].insert(0, extra)
        assert failure(bundle) == f"{name}: inclusion-invalid"
    bundle = ride()
    bundle[name]["path"].pop()
    assert failure(bundle) == f"{name}: inclusion-invalid"


@pytest.mark.parametrize("name", ["genesis", "seal", "submission"])
def test_a_path_under_another_root_of_the_log_fails(name: str) -> None:
    longer = world().copy()
    longer.submit([reduction_of(RIDES, 0)])
    other = longer.sealed().reduction(RIDES, 0)
    assert failure({**ride(), name: other[name]}).startswith(f"{name}: ")


# --- the submission's tree ---


def test_an_interior_node_is_no_reduction() -> None:
    leaves = [reduction.leaf for reduction in world().batches[RIDES]]
    bundle = ride()
    bundle["reduction"] = {
        "position": 0,
        "data": dump_base64(leaves[0] + leaves[1]),
        "path": bundle["reduction"]["path"][1:],
    }
    assert failure(bundle).startswith("reduction: ")


def test_an_interior_node_is_no_leaf_that_holds_a_span() -> None:
    built = merkle.levels([reduction.leaf for reduction in world().batches[RIDES]])
    for level in range(1, len(built)):
        for place, node in enumerate(built[level]):
            if node in built[0]:  # a last one without a partner moves up as it is
                continue
            for position in range(len(built[0])):
                bundle = honest().span(RIDES, 0)
                bundle["leaf"] |= {"position": position, "hash": node.hex()}
                bundle["leaf"]["path"] = hexes(merkle.inclusion_path(built[level], place))
                assert failure(bundle) == "holder: inclusion-invalid"


def test_an_interior_node_holds_nothing_even_if_the_platform_signs_a_lesser_count() -> None:
    reductions = world().batches[RIDES][:4]
    nodes = merkle.levels([reduction.leaf for reduction in reductions])[1]
    forged = world().copy()
    index = forged.submit(reductions, hold=False, count=2)
    bundle = {**honest().span(RIDES, 0), **forged.sealed().span(RIDES, 0)}
    bundle |= forged.sealed().submitted(index)
    bundle["leaf"] = {"position": 0, "hash": nodes[0].hex(), "path": hexes(nodes[1:])}
    assert failure(bundle) == "holder: held-other-holder"


def test_a_duplicated_last_reduction_is_none() -> None:
    reductions = world().batches[RIDES]
    leaves = [reduction.leaf for reduction in reductions]
    padded = [*leaves, leaves[-1]]
    bundle = honest().reduction(RIDES, len(leaves) - 1)
    bundle["reduction"] |= {
        "position": len(leaves),
        "path": hexes(merkle.inclusion_path(padded, len(leaves))),
    }
    assert failure(bundle) == "reduction: inclusion-invalid"
    # Nor if the platform signs the greater count over the same root.
    forged = world().copy()
    index = forged.submit(reductions, count=len(leaves) + 1)
    grown = forged.sealed().reduction(index, len(leaves) - 1)
    grown["reduction"] = bundle["reduction"]
    assert failure(grown) == "reduction: inclusion-invalid"


def test_a_wrong_position_in_a_submission_fails() -> None:
    for position in (*range(1, 9), 2**40, 2**63 - 1, -1):
        bundle = ride()
        bundle["reduction"]["position"] = position
        assert failure(bundle) == "reduction: inclusion-invalid"


@pytest.mark.parametrize("count", [0, -1, 1, 6, 8, 65_536, 65_537, 2**63 - 1])
def test_a_wrong_count_of_a_submission_fails(count: int) -> None:
    forged = world().copy()
    index = forged.submit(world().batches[RIDES], count=count)
    bundle = forged.sealed().reduction(index, 6)
    assert failure(bundle).split(": ")[0] in ("submission", "reduction")


def test_trailing_elements_of_a_path_in_a_submission_fail() -> None:
    for bundle, name in ((ride(), "reduction"), (honest().span(RIDES, 0), "leaf")):
        for extra in ("00" * 32, bundle[name]["path"][-1]):
            for at in (0, len(bundle[name]["path"])):
                forged = copy.deepcopy(bundle)
                forged[name]["path"].insert(at, extra)
                assert failure(forged).endswith(": inclusion-invalid")


def test_a_reduction_of_another_submission_fails() -> None:
    bundle = ride()
    for index, position in ((TRIPS, 0), (MEALS, 0), (SMALL.again.index, 0)):
        other = honest().reduction(index, position)
        assert failure({**bundle, "reduction": other["reduction"]}).startswith("reduction: ")
        assert failure({**bundle, **honest().submitted(index)}).startswith("reduction: ")


def test_a_span_whose_leaf_is_not_in_the_submission_fails() -> None:
    bundle = honest().span(RIDES, 0)
    other = honest().span(SMALL.again.index, 0)
    assert failure({**bundle, **honest().submitted(SMALL.again.index)}).startswith("holder: ")
    assert failure({**bundle, "leaf": other["leaf"]}) == "holder: inclusion-invalid"
    leaf = bundle["leaf"] | {"hash": other["leaf"]["hash"]}
    forged = {**bundle, "leaf": leaf, "held": other["held"]}
    assert failure(forged) == "holder: inclusion-invalid"


def test_a_span_of_another_reduction_fails() -> None:
    bundle = honest().span(RIDES, 0)
    bundle["held"] = honest().span(RIDES, 1)["held"]
    assert failure(bundle) == "holder: held-other-holder"


def test_a_span_that_no_reduction_holds_fails() -> None:
    bundle = honest().span(RIDES, 0)
    for held in (bundle["rules"], bundle["books"], bundle["signer"]["key_held"]):
        assert failure({**bundle, "held": held}) == "holder: held-other-holder"


# --- the checkpoint ---

ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = b"\x01" + bytes(31)
MINUS_ONE = (2**255 - 20).to_bytes(32, "little")  # y = -1, of order 2


def high_s(signature: bytes) -> bytes:
    """The same signature with S + L, which a lax verifier takes as well."""
    number = int.from_bytes(signature[32:], "little") + ORDER
    return signature[:32] + number.to_bytes(32, "little")


def small_r(signer: KeySigner, message: bytes) -> bytes:
    """A signature with R of order 1, which the equation holds for: the key's owner can make it."""
    digest = sha512(signer.private.private_bytes_raw()).digest()
    scalar = int.from_bytes(digest[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254
    hashed = int.from_bytes(sha512(IDENTITY + signer.public.raw + message).digest(), "little")
    return IDENTITY + (hashed * scalar % ORDER).to_bytes(32, "little")


def resigned(statement: Statement, signature: bytes) -> Statement:
    """The statement with another signature."""
    return parse_statement(statement.data[:-64] + signature)


def test_the_variants_of_signatures_are_what_a_lax_verifier_takes() -> None:
    message = b"any"
    signer = key("operator")
    lax = signer.private.public_key()
    lax.verify(small_r(signer, message), message)  # raises if it does not hold
    assert not signer.public.verify(small_r(signer, message), message)
    assert not signer.public.verify(high_s(signer.sign(message)), message)
    assert signer.public.verify(signer.sign(message), message)


def test_variants_of_the_checkpoints_signature_fail() -> None:
    bundle = ride()
    (line,) = parse_note(bundle["checkpoint"].encode()).signatures
    text = parse_note(bundle["checkpoint"].encode()).text
    for signature in (
        high_s(line.signature),
        small_r(key("operator"), text.encode()),
        IDENTITY + bytes(32),
        MINUS_ONE + line.signature[32:],
        line.signature[:-1],
        line.signature + b"\0",
        key("someone").sign(text.encode()),
        key("operator").sign(text.encode() + b"\n"),
    ):
        forged = with_signatures(bundle, [replace(line, signature=signature)])
        assert failure(forged) == "checkpoint: note-signature-invalid"
        # A good one beside it does not help.
        forged = with_signatures(bundle, [line, replace(line, signature=signature)])
        assert failure(forged) == "checkpoint: note-signature-invalid"


def test_variants_of_a_cosignature_fail() -> None:
    bundle = ride()
    note = parse_note(bundle["checkpoint"].encode())
    line = cosignature(note.text, AUDITORS[0])
    stamp, signature = line.signature[:8], line.signature[8:]
    message = b"cosignature/v1\ntime %d\n" % NOON + note.text.encode()
    for forged in (
        stamp + high_s(signature),
        stamp + small_r(key(AUDITORS[0]), message),
        (NOON + 1).to_bytes(8, "big") + signature,
        signature,
        stamp + key(AUDITORS[1]).sign(message),
        stamp + key(AUDITORS[0]).sign(note.text.encode()),
        (2**64 - 1).to_bytes(8, "big") + signature,
        b"",
        b"\0",
    ):
        if not forged:
            continue
        lines = [*note.signatures, replace(line, signature=forged)]
        assert failure(with_signatures(bundle, lines), QUORUM) == (
            "checkpoint: note-signature-invalid"
        )


def test_a_cosignature_of_another_checkpoint_fails() -> None:
    longer = world().copy()
    longer.submit([reduction_of(RIDES, 0)])
    other = parse_note(
        cosigned(longer.sealed().reduction(RIDES, 0), *ENOUGH)["checkpoint"].encode()
    )
    note = parse_note(ride()["checkpoint"].encode())
    forged = with_signatures(ride(), [*note.signatures, *other.signatures[1:]])
    assert failure(forged, QUORUM) == "checkpoint: note-signature-invalid"


def test_one_cosignature_under_two_names_counts_once() -> None:
    note = parse_note(ride()["checkpoint"].encode())
    line = cosignature(note.text, AUDITORS[0])
    # Under a name that the policy does not know it is nobody's; under another's, it is wrong.
    renamed = replace(line, name="auditor-9.example")
    forged = with_signatures(ride(), [*note.signatures, line, renamed, line])
    assert check(forged, QUORUM).facts["cosigned_by"] == [AUDITORS[0]]
    assert check(forged, QUORUM).verdict == "unwitnessed"
    for name in AUDITORS[1:3]:
        known = cosignature(note.text, name)
        stolen = replace(line, name=known.name, key_id=known.key_id)
        forged = with_signatures(ride(), [*note.signatures, line, stolen])
        assert failure(forged, QUORUM) == "checkpoint: note-signature-invalid"


def test_one_key_is_not_counted_twice_in_a_quorum() -> None:
    bundle = cosigned(ride(), "auditor-1")
    vkey = QUORUM.witnesses["auditor-1"].vkey
    again = NoteKey("other.example", key("auditor-1").public, cosigner=True).vkey
    for text in (
        f"witness a {vkey}\nwitness b {again}\ngroup g 2 a b\nquorum g\n",
        f"witness a {vkey}\nwitness b {vkey}\ngroup g 2 a b\nquorum g\n",
        f"witness a {vkey}\ngroup g any a\ngroup h any a\ngroup i 2 g h\nquorum i\n",
        f"witness a {vkey}\ngroup g 2 a a\nquorum g\n",
        f"witness a {vkey}\ngroup g any a\ngroup h 2 g a\nquorum h\n",
    ):
        with pytest.raises(Malformed):
            parse_policy(f"log {LOG_VKEY}\n{text}".encode())
    two = f"witness a {vkey}\nwitness b {QUORUM.witnesses['auditor-2'].vkey}\n"
    policy = parse_policy(f"log {LOG_VKEY}\n{two}group g 2 a b\nquorum g\n".encode())
    assert check(bundle, policy).verdict == "unwitnessed"


def test_a_plain_signature_of_an_auditor_is_no_cosignature() -> None:
    note = parse_note(ride()["checkpoint"].encode())
    lines = [sign_note(note.text, f"{name}.example", key(name)) for name in ENOUGH]
    forged = with_signatures(ride(), [*note.signatures, *lines])
    assert check(forged, QUORUM).verdict == "unwitnessed"


def test_cosignatures_without_the_logs_signature_fail() -> None:
    lines = parse_note(cosigned(ride(), *ENOUGH)["checkpoint"].encode()).signatures
    forged = with_signatures(ride(), lines[1:])
    assert failure(forged, QUORUM) == "checkpoint: checkpoint-log-unknown"


def test_a_checkpoint_of_another_origin_fails() -> None:
    other = world().copy()
    other.origin = "other.example/city"
    bundle = other.sealed().reduction(RIDES, 0)
    assert failure(bundle) == "checkpoint: checkpoint-log-unknown"
    # Nor if the policy knows that log as well: it is not the one that the genesis founded.
    log = NoteKey(other.origin, key("operator").public, cosigner=False).vkey
    policy = parse_policy(f"log {log}\nquorum none\n".encode())
    assert failure(bundle, policy) == "genesis: bundle-genesis"


def test_a_checkpoint_signed_under_another_name_fails() -> None:
    frontier = Frontier().append([merkle.leaf_hash(s.data) for s in honest().statements])
    text = Checkpoint(world().origin, frontier.size, frontier.root()).text
    line = sign_note(text, "other.example", key("operator"))
    forged = with_signatures(ride(), [line])
    assert failure(forged) == "checkpoint: checkpoint-log-unknown"
    renamed = replace(line, name=world().origin)
    assert failure(with_signatures(ride(), [renamed])) == "checkpoint: checkpoint-log-unknown"


def test_a_checkpoint_with_extension_lines_fails() -> None:
    text = parse_note(ride()["checkpoint"].encode()).text + "more\n"
    note = Note(text, (sign_note(text, world().origin, key("operator")),))
    forged = {**ride(), "checkpoint": format_note(note).decode()}
    assert failure(forged) == "checkpoint: checkpoint-malformed"


# --- genesis and seal ---


def test_another_genesis_of_the_same_log_fails() -> None:
    forged = world().copy()
    forged.statements[0] = genesis(time=NOON + 1)
    # Whatever was logged for the first ledger is not this one's, and its seal neither.
    bundle = forged.sealed(world().last).reduction(RIDES, 0)
    assert failure(bundle) == "seal: seal-signature"
    bundle = forged.sealed().reduction(RIDES, 0)
    assert failure(bundle) == "submission: statement-other-ledger"


def test_a_genesis_that_is_not_first_fails() -> None:
    forged = world().copy()
    at = forged.append(genesis(time=NOON + 1))
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), "genesis": logged(sealed.statements, at)}
    assert failure(bundle) == "genesis: bundle-genesis"
    bundle["genesis"]["index"] = 0
    assert failure(bundle) == "genesis: inclusion-invalid"


def test_another_statement_in_the_place_of_the_genesis_fails() -> None:
    forged = world().copy()
    forged.statements[0] = forged.statements[1]
    assert failure(forged.sealed().reduction(RIDES, 0)) == "genesis: bundle-genesis"


@pytest.mark.parametrize(
    "change",
    [
        {"utc_offset": "28800"},
        {"utc_offset": True},
        {"utc_offset": None},
        {"utc_offset": [28800]},
        {"utc_offset": {}},
        {"utc_offset": 2**63 - 1},
        {"utc_offset": -(2**63)},
        {"utc_offset": 50_401},
        {"origin": None},
        {"origin": ["ledger.example/city"]},
        {"origin": {"a": 1}},
        {"origin": "ledger.example/city\n"},
        {"format": 2},
        {"format": [1]},
    ],
)
def test_a_genesis_of_odd_values_fails(change: Json) -> None:
    body = {**world().statements[0].body, **change}
    forged = world().copy()
    forged.statements[0] = sign_statement(
        key("operator"),
        kind="genesis",
        issuer="operator",
        subject="odd",
        audience=None,
        expires=NOON,
        payload=body,
    )
    assert failure(forged.sealed().reduction(RIDES, 0)) == "genesis: bundle-genesis"


def test_a_seal_that_is_not_the_last_entry_fails() -> None:
    forged = world().copy()
    at = forged.append(forged.seal())
    forged.submit([reduction_of(RIDES, 0)], hold=False)
    sealed = Sealed(forged, forged.statements)
    bundle = {**sealed.common("reduction"), **sealed.reduction(RIDES, 0)}
    assert failure(bundle).startswith("seal: ")  # the last entry is no seal
    bundle["seal"] = logged(sealed.statements, at)
    assert failure(bundle) == "seal: seal-not-last"
    bundle["seal"]["index"] = sealed.size - 1
    assert failure(bundle) == "seal: inclusion-invalid"
    # Nor the seal before the last one, with its own register.
    first = world().copy()
    at = first.append(first.seal())
    bundle = first.sealed().reduction(RIDES, 0)
    bundle["seal"] = logged(first.sealed().statements, at)
    assert failure(bundle) == "seal: seal-not-last"


def test_a_seal_of_another_ledger_fails() -> None:
    other = genesis(time=NOON + 1)
    seal = world().seal(audience=other.id)
    assert failure(world().sealed(seal).reduction(RIDES, 0)) == "seal: seal-signature"


def test_a_seal_signed_by_another_key_fails() -> None:
    for signer, issuer in (("governor", "operator"), ("governor", "governor"), ("x", "operator")):
        seal = world().seal(key(signer), issuer=issuer)
        assert failure(world().sealed(seal).reduction(RIDES, 0)) == "seal: seal-signature"
    # The operator's key in the name of someone else.
    seal = world().seal(issuer="governor")
    assert failure(world().sealed(seal).reduction(RIDES, 0)) == "seal: seal-signature"


def test_variants_of_the_seals_signature_fail() -> None:
    seal = world().seal()
    for signature in (
        high_s(seal.signature),
        small_r(key("operator"), seal.signed),
        IDENTITY + bytes(32),
        bytes(64),
    ):
        forged = world().sealed(resigned(seal, signature))
        assert failure(forged.reduction(RIDES, 0)) == "seal: seal-signature"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "1"},
        {"time": "now"},
        {"time": -1},
        {"time": 2**63 - 1},
        {"time": None},
        {"height": "1"},
        {"height": True},
        {"register": None},
        {"register": 5},
        {"register": "00"},
        {"register": "G" * 64},
        {"more": 1},
    ],
)
def test_a_seal_of_odd_values_fails(change: Json) -> None:
    seal = world().seal(**change)
    assert failure(world().sealed(seal).reduction(RIDES, 0)).startswith("seal: ")


@pytest.mark.parametrize("time", [0, 10**11, 10**15, 2**63 - 2])
def test_a_seal_of_an_odd_time_is_told_as_it_is(time: int) -> None:
    report = check(world().sealed(world().seal(time=time)).reduction(RIDES, 0))
    assert report.verdict == "provisional"
    assert report.as_json()


def test_another_statement_in_the_place_of_the_seal_fails() -> None:
    body = {**world().last.body, "register": world().register().root().hex()}
    approval = sign_statement(
        key("operator"),
        kind="approval",
        issuer="operator",
        subject="odd",
        audience=world().genesis_id,
        expires=NOON,
        payload=body,
    )
    assert failure(world().sealed(approval).reduction(RIDES, 0)) == "seal: format-unknown"


def test_a_register_that_the_seal_does_not_name_fails() -> None:
    other = world().copy()
    other.drop(*(s for s in other.spans.values() if s.holder == reduction_of(RIDES, 5).holder))
    bundle = other.sealed(world().seal()).reduction(RIDES, 0)
    assert failure(bundle) == "rules: held-root-differs"


# --- rules and classes ---


def test_an_altered_registry_of_classes_fails() -> None:
    bundle = ride()
    registry = json.loads(bundle["classes"]["document"])
    for of in registry["classes"]:
        of["longest"] = FOREVER
    bundle["classes"]["document"] = json.dumps(registry)
    assert failure(bundle) == "rules: held-other-holder"
    # The same text with one space more is not the same document.
    bundle["classes"]["document"] = ride()["classes"]["document"] + " "
    assert failure(bundle) == "rules: held-other-holder"


def test_a_registry_of_classes_that_is_no_longer_in_force_fails() -> None:
    forged = world().copy()
    line = forged.line("classes")
    old = forged.classes.document
    new = default_classes({"ticket": ["city-bus"]})
    forged.publish(line, old, "classes", 0, 4)
    forged.publish(line, new, "classes", 4, FOREVER)
    sealed = forged.sealed()
    bundle = sealed.reduction(RIDES, 0)
    assert check(bundle).verdict == "provisional"
    bundle["classes"] = sealed.document(line, 0)
    assert failure(bundle) == "rules: not-in-force"
    # Nor one that is not yet.
    forged.drop(Span(line, 4, FOREVER, bytes(32)))
    forged.publish(line, old, "classes", 0, 10_000)
    forged.publish(line, new, "classes", 10_000, FOREVER)
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), "classes": sealed.document(line, 10_000)}
    assert failure(bundle) == "rules: not-in-force"


def test_other_rules_than_those_of_this_checker_fail() -> None:
    forged = world().copy()
    line = forged.line("rules")
    forged.put(Span(line, 0, FOREVER, rules_holder(2)))
    assert failure(forged.sealed().reduction(RIDES, 0)) == "rules: held-other-holder"
    forged.put(Span(line, 0, RIDES, rules_holder(1)), Span(line, RIDES, FOREVER, rules_holder(2)))
    sealed = forged.sealed()
    bundle = sealed.reduction(RIDES, 0)
    assert failure(bundle) == "rules: held-other-holder"
    assert failure({**bundle, "rules": sealed.held(line, 0)}) == "rules: not-in-force"


def test_books_that_are_not_the_books_fail() -> None:
    bundle = ride()
    for other in (bundle["rules"], bundle["claims"][0], bundle["scenario"]["held"]):
        assert failure({**bundle, "books": other}) == "books: held-other-line"
    forged = world().copy()
    forged.put(Span(forged.line("books"), 0, TODAY + 1, make_holder("books", b"x")))
    assert failure(forged.sealed().reduction(RIDES, 0)) == "books: held-other-holder"
    # Days that are closed beyond days that are not.
    forged = world().copy()
    books = Span(forged.line("books"), TODAY, TODAY + 1, make_holder("books", b""))
    forged.put(books)
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), "books": sealed.held(books.line, TODAY)}
    assert failure(bundle) == "books: held-other-line"


# --- who signed ---


def test_a_submission_signed_by_a_key_that_is_no_longer_valid_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)], signer=key("metro-app"))
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    assert failure(bundle) == "submission: statement-signature"
    bundle["signer"] = sealed.submitted(RIDES)["signer"]
    assert failure(bundle) == "right: not-in-force"
    bundle["signer"]["key_held"] = sealed.submitted(index)["signer"]["key_held"]
    assert failure(bundle) == "right: held-other-holder"


def test_a_submission_signed_by_a_key_that_is_not_yet_valid_fails() -> None:
    forged = world().copy()
    late = forged.submit(world().batches[RIDES], signer=key("metro-app/2"))
    forged.statements[RIDES] = forged.statements.pop(late)
    sealed = forged.sealed()
    bundle = sealed.reduction(RIDES, 0)
    assert failure(bundle) == "submission: statement-signature"
    bundle["signer"] = sealed.submitted(SMALL.rotated.index)["signer"]
    assert failure(bundle) == "right: not-in-force"


def test_a_key_whose_end_is_at_the_submission_is_no_longer_valid() -> None:
    for end, verdict in ((RIDES, "invalid"), (RIDES + 1, "provisional")):
        forged = world().copy()
        line = forged.line("key", "metro-app")
        public = key("metro-app").public
        forged.put(Span(line, 0, end, key_holder(public)))
        sealed = forged.sealed()
        bundle = {**ride(), **sealed.common("reduction")}
        bundle |= {
            name: sealed.reduction(RIDES, 0)[name] if verdict != "invalid" else bundle[name]
            for name in ("submission", "signer", "scenario", "methodology", "claims")
        }
        bundle["submission"] = logged(sealed.statements, RIDES)
        bundle["signer"] = {
            "key": public.as_json(),
            "key_held": sealed.held(line, 0),
            "role_held": sealed.held(forged.line("role", "metro-app", "platform"), RIDES),
        }
        assert check(bundle).verdict == verdict
        if verdict == "invalid":
            assert failure(bundle) == "right: not-in-force"


def test_a_key_that_the_register_does_not_hold_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)], signer=key("stranger"))
    bundle = forged.sealed().reduction(index, 0)
    bundle["signer"]["key"] = key("stranger").public.as_json()
    assert failure(bundle) == "right: held-other-holder"


def test_the_key_of_another_participant_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)], signer=key("pay-app"))
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    bundle["signer"] = sealed.submitted(SMALL.again.index)["signer"]
    assert failure(bundle) == "right: held-other-line"


def test_a_reduction_of_another_platform_fails() -> None:
    # Another platform's reduction, submitted as one's own.
    bundle = recorded(reduction_of(RIDES, 0), platform="pay-app", signer=key("pay-app"))
    assert failure(bundle) == "reduction: submission-mixed"
    bundle = recorded(reduction_of(RIDES, 0), scenario="city-bike")
    assert failure(bundle) == "reduction: submission-mixed"


def test_a_submission_without_the_role_fails() -> None:
    forged = world().copy()
    reduction = altered(reduction_of(RIDES, 0), platform="verifier")
    index = forged.submit([reduction], platform="verifier", signer=key("verifier"))
    platforms = [*map(str, ("metro-app", "pay-app", "verifier"))]
    scenario = scenario_document("city-bus", "bus-ride-by-code", platforms)
    line = forged.line("scenario", "city-bus")
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, scenario, "scenario", start, TODAY + 400)

    def signed_as(role_line: bytes, point: int) -> Json:
        sealed = forged.sealed()
        return {
            **sealed.reduction(RIDES, 0),
            "submission": logged(sealed.statements, index),
            "signer": {
                "key": key("verifier").public.as_json(),
                "key_held": sealed.held(forged.line("key", "verifier"), index),
                "role_held": sealed.held(role_line, point),
            },
            "reduction": {"position": 0, "data": dump_base64(reduction.data), "path": []},
            "claims": [sealed.held(c.line, c.start or 0) for c in reduction.claims],
        }

    for line in (
        forged.line("role", "verifier", Role.VERIFIER.value),
        forged.line("role", "metro-app", Role.PLATFORM.value),
        forged.line("key", "verifier"),
    ):
        assert failure(signed_as(line, index)) == "right: held-other-line"
    line = forged.line("role", "verifier", Role.PLATFORM.value)
    forged.put(Span(line, 0, FOREVER, role_holder("verifier", Role.VERIFIER)))
    assert failure(signed_as(line, index)) == "right: held-other-holder"
    # A role that has ended, and one that has not begun.
    holder = role_holder("verifier", Role.PLATFORM)
    forged.put(Span(line, 0, index, holder), Span(line, index + 1, FOREVER, holder))
    assert failure(signed_as(line, 0)) == "right: not-in-force"
    assert failure(signed_as(line, index + 1)) == "right: not-in-force"
    # With the role, the very same bundle is good.
    forged.put(Span(line, 0, index + 1, holder))
    assert check(signed_as(line, index)).verdict == "provisional"


def test_variants_of_the_submissions_signature_fail() -> None:
    statement = world().statements[RIDES]
    for signature in (
        high_s(statement.signature),
        small_r(key("metro-app"), statement.signed),
        IDENTITY + bytes(32),
        bytes(64),
        key("pay-app").sign(statement.signed),
    ):
        forged = world().copy()
        forged.statements[RIDES] = resigned(statement, signature)
        assert failure(forged.sealed().reduction(RIDES, 0)) == "submission: statement-signature"


@pytest.mark.parametrize(
    "public",
    [
        IDENTITY,
        MINUS_ONE,
        bytes(32),
        (2**255 - 18).to_bytes(32, "little"),  # y = 1, written as p + 1
        IDENTITY[:31] + b"\x80",  # x = 0 with its sign bit
        b"\x02" + bytes(31),  # not on the curve
        bytes(31),
        bytes(33),
        b"",
    ],
)
def test_a_key_that_is_unsound_fails(public: bytes) -> None:
    bundle = ride()
    bundle["signer"]["key"]["public"] = dump_base64(public)
    assert failure(bundle) == "form: key-invalid"


@pytest.mark.parametrize("alg", [0, -7, -9, 8, -19, 2**62])
def test_a_key_of_another_algorithm_fails(alg: int) -> None:
    bundle = ride()
    bundle["signer"]["key"]["alg"] = alg
    assert failure(bundle) == "form: suite-unknown"


def test_a_submission_of_another_ledger_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)])
    other = sign_statement(
        key("metro-app/2"),
        kind="submission",
        issuer="metro-app",
        subject="city-bus",
        audience=genesis(time=NOON + 1).id,
        expires=NOON,
        payload=forged.statements[index].body,
    )
    forged.statements[index] = other
    bundle = forged.sealed().reduction(index, 0)
    assert failure(bundle) == "submission: statement-other-ledger"


def test_another_kind_of_statement_is_no_submission() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)])
    forged.statements[index] = sign_statement(
        key("metro-app/2"),
        kind="void",
        issuer="metro-app",
        subject="city-bus",
        audience=forged.genesis_id,
        expires=NOON,
        payload=forged.statements[index].body,
    )
    bundle = forged.sealed().reduction(index, 0)
    assert failure(bundle) == "submission: bundle-incomplete"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "1"},
        {"scenario": 5},
        {"scenario": ["city-bus"]},
        {"root": 5},
        {"root": "AB" * 32},
        {"root": "ab"},
        {"count": "1"},
        {"count": True},
        {"count": None},
        {"grams": "80"},
        {"grams": 79},
        {"grams": -1},
        {"grams": None},
        {"more": 1},
    ],
)
def test_a_submission_of_odd_values_fails(change: Json) -> None:
    bundle = recorded(reduction_of(RIDES, 0), **change)
    assert failure(bundle).split(": ")[0] in ("submission", "reduction")


# --- the reduction ---


def test_a_reduction_with_altered_grams_fails() -> None:
    reduction = altered(reduction_of(RIDES, 0), grams=81)
    bundle = ride()
    bundle["reduction"]["data"] = dump_base64(reduction.data)
    assert failure(bundle) == "reduction: inclusion-invalid"
    # Signed and recorded as well.
    assert failure(recorded(reduction)) == "methodology: reduction-grams"
    assert failure(recorded(altered(reduction, grams=79))) == "methodology: reduction-grams"
    assert failure(recorded(altered(reduction, grams=2**53 - 1))) == "methodology: reduction-grams"


def test_a_submission_that_states_fewer_grams_than_it_holds_fails() -> None:
    assert failure(recorded(reduction_of(RIDES, 0), grams=79)) == "reduction: submission-grams"


def test_a_reduction_of_another_version_or_day_fails() -> None:
    reduction = reduction_of(RIDES, 0)
    assert failure(recorded(altered(reduction, version=2))) == "methodology: reduction-version"
    for day in (TODAY - 1, TODAY + 1):
        bundle = recorded(altered(reduction, day=day))
        assert failure(bundle) == "methodology: reduction-claim"


@pytest.mark.parametrize("day", [0, 65_535])
def test_a_reduction_of_a_day_on_which_nothing_was_in_force_fails(day: int) -> None:
    forged = world().copy()
    index = forged.submit([altered(reduction_of(RIDES, 0), day=day)])
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), **sealed.submitted(index)}
    reduction = forged.batches[index][0]
    bundle["reduction"] = {"position": 0, "data": dump_base64(reduction.data), "path": []}
    assert failure(bundle) == "scenario: not-in-force"


def test_claims_that_lack_a_class_of_the_methodology_fail() -> None:
    for index, position, classes in (
        (RIDES, 0, ("traveller", "ticket")),
        (MEALS, 0, ("order", "cap")),
    ):
        reduction = reduction_of(index, position)
        for left_out, name in enumerate(classes):
            kept = tuple(c for at, c in enumerate(reduction.claims) if at != left_out)
            bundle = recorded(altered(reduction, claims=kept))
            assert failure(bundle) == "methodology: reduction-class-missing", name
        swapped = altered(reduction, claims=reduction.claims[::-1])
        assert failure(recorded(swapped)) == "methodology: reduction-class-missing"


def test_a_reduction_without_claims_is_none() -> None:
    reduction = reduction_of(RIDES, 0)
    data = altered(reduction, claims=()).data
    bundle = ride()
    bundle["reduction"]["data"] = dump_base64(data)
    assert failure(bundle) == "reduction: reduction-malformed"


def test_claims_beyond_those_of_the_methodology_fail() -> None:
    reduction = reduction_of(RIDES, 0)
    for extra in (reduction_of(RIDES, 1).claims, reduction_of(TRIPS, 2).claims):
        bundle = recorded(altered(reduction, claims=reduction.claims + extra))
        assert failure(bundle) == "methodology: reduction-claim-extra"


def test_claims_shorter_or_longer_than_the_methodology_says_fail() -> None:
    reduction = reduction_of(RIDES, 0)
    first, ticket = reduction.claims
    assert first.start is not None and first.end is not None
    for start, end in (
        (first.start, first.end - 1),
        (first.start + 1, first.end),
        (first.start, first.end + 1),
        (first.start, first.start + 1),
    ):
        claims = (Claim(first.line, start, end), ticket)
        bundle = recorded(altered(reduction, claims=claims))
        assert failure(bundle) == "methodology: reduction-claim"


def test_a_claim_on_a_whole_line_that_takes_a_part_of_it_fails() -> None:
    reduction = reduction_of(RIDES, 0)
    first, ticket = reduction.claims
    for start, end in ((0, 1), (1, FOREVER), (0, FOREVER - 1)):
        claims = (first, Claim(ticket.line, start, end))
        bundle = recorded(altered(reduction, claims=claims))
        assert failure(bundle) == "methodology: span-class"


def test_a_day_left_out_of_a_long_trip_fails() -> None:
    reduction = reduction_of(TRIPS, 0)
    assert len(reduction.claims) == 19
    for left_out in range(19):
        kept = tuple(c for at, c in enumerate(reduction.claims) if at != left_out)
        bundle = recorded(altered(reduction, claims=kept))
        assert check(bundle).verdict == ("provisional" if left_out in (18,) else "invalid")
        # What ends a day earlier is a shorter trip, and says so; its activity would tell.
    with_activity = recorded(altered(reduction, claims=reduction.claims[:-1]))
    with_activity["activity"] = activity(SMALL.trips, 0).decode()
    assert failure(with_activity) == "activity: activity-differs"


def test_a_span_that_is_not_cut_at_midnight_fails() -> None:
    reduction = reduction_of(TRIPS, 1)
    vehicle, second, *rest = reduction.claims
    joined = (Claim(vehicle.line, vehicle.start, second.end), *rest)
    bundle = recorded(altered(reduction, claims=joined))
    assert failure(bundle) == "methodology: span-class"
    # Cut elsewhere as well.
    assert vehicle.start is not None
    middle = vehicle.start + 1
    pieces = (
        Claim(vehicle.line, vehicle.start, middle),
        Claim(vehicle.line, middle, vehicle.end),
        second,
        *rest,
    )
    bundle = recorded(altered(reduction, claims=pieces))
    assert failure(bundle).startswith("methodology: ")


def test_a_line_claimed_twice_by_one_reduction_fails() -> None:
    # The second part of the trip on the vehicle's line, claimed as the traveller's.
    document = json.loads(library()["bike-share-trip"])
    document["claims"] = [{"class": "vehicle", "parts": ["{vehicle}"]}] * 2
    forged = world().copy()
    line = forged.line("methodology", "bike-share-trip")
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, dump_json(document), "methodology", start, FOREVER)
    reduction = reduction_of(TRIPS, 2)
    twice = altered(reduction, claims=reduction.claims * 2)
    index = forged.submit([twice])
    bundle = forged.sealed().reduction(index, 0)
    assert failure(bundle) == "methodology: reduction-claim-twice"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        dump_cbor([1]),
        dump_cbor([2, "metro-app", "city-bus", 1, TODAY, 80, [[TODAY, bytes(22)]], bytes(32)]),
        dump_cbor([1, "metro-app", "city-bus", 1, 2**70, 80, [[TODAY, bytes(22)]], bytes(32)]),
        dump_cbor([1, "metro-app", "city-bus", 1, TODAY, 1.5, [[TODAY, bytes(22)]], bytes(32)]),
        dump_cbor([True, "metro-app", "city-bus", 1, TODAY, 80, [[TODAY, bytes(22)]], bytes(32)]),
        b"\x81\xd8\x23\x64[[a]",  # a regular expression, over whose form Python would warn
        b"\x9f\xff",
        b"\x5b\x7f" + b"\xff" * 7,  # bytes without end
        b"\x9b\x7f" + b"\xff" * 7,
        b"\x81" * 60_000,
        b"\xc1" * 60_000,
        bytes(70_000),
    ],
)
def test_a_reduction_that_is_none_fails(data: bytes, recwarn: pytest.WarningsRecorder) -> None:
    bundle = ride()
    bundle["reduction"]["data"] = dump_base64(data)
    assert failure(bundle).startswith("reduction: ")
    assert not recwarn.list


# --- scenario and methodology ---


def test_a_scenario_that_does_not_admit_the_platform_fails() -> None:
    forged = world().copy()
    line = forged.line("scenario", "city-bus")
    document = scenario_document("city-bus", "bus-ride-by-code", ["pay-app"])
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, document, "scenario", start, TODAY + 400)
    assert failure(forged.sealed().reduction(RIDES, 0)) == "scenario: platform-not-admitted"
    # The document altered on the way does not stand in the register.
    bundle = ride()
    bundle["scenario"]["document"] = bundle["scenario"]["document"].replace("pay-app", "gym-app")
    assert failure(bundle) == "scenario: held-other-holder"


def test_a_scenario_that_is_not_in_force_that_day_fails() -> None:
    line = world().line("scenario", "city-bus")
    document = samples()["ride"]["scenario"]["document"].encode()
    start = next(span.start for span in world().spans.values() if span.line == line)
    for first, last in ((start, TODAY), (TODAY + 1, TODAY + 400)):
        forged = world().copy()
        forged.drop(*(span for span in forged.spans.values() if span.line == line))
        forged.publish(line, document, "scenario", first, last)
        sealed = forged.sealed()
        shown = forged.copy()
        shown.publish(line, document, "scenario", TODAY, TODAY + 1)
        bundle = {**shown.sealed().reduction(RIDES, 0), **sealed.common("reduction")}
        bundle |= sealed.submitted(RIDES)
        bundle["scenario"] = sealed.document(line, first)
        assert failure(bundle) == "scenario: not-in-force"


def test_another_scenario_fails() -> None:
    bundle = ride()
    for other in ("meal", "trip between two"):
        forged = {**bundle, "scenario": samples()[other]["scenario"]}
        assert failure(forged) == "scenario: platform-not-admitted"


def test_another_methodologys_document_fails() -> None:
    bundle = {**ride(), "methodology": samples()["meal"]["methodology"]}
    assert failure(bundle) == "methodology: methodology-differs"
    bundle = ride()
    bundle["methodology"]["document"] = samples()["meal"]["methodology"]["document"]
    assert failure(bundle) == "methodology: methodology-differs"
    bundle = ride()
    bundle["methodology"]["held"] = samples()["meal"]["methodology"]["held"]
    assert failure(bundle) == "methodology: held-other-line"


def test_a_methodology_with_an_altered_factor_fails() -> None:
    document = ride()["methodology"]["document"]
    forged = recorded(altered(reduction_of(RIDES, 0), grams=800))
    forged["methodology"]["document"] = document.replace('"80"', '"800"')
    assert failure(forged) == "methodology: held-other-holder"
    bundle = ride()
    bundle["methodology"]["document"] = document + "\n"
    assert failure(bundle) == "methodology: held-other-holder"


def test_a_methodology_that_is_not_in_force_that_day_fails() -> None:
    line = world().line("methodology", "bus-ride-by-code")
    start = next(span.start for span in world().spans.values() if span.line == line)
    old = ride()["methodology"]["document"]
    new = old.replace('"80"', '"800"').replace('"version": 1', '"version": 2')
    forged = world().copy()
    forged.publish(line, old.encode(), "methodology", start, TODAY + 1)
    forged.publish(line, new.encode(), "methodology", TODAY + 1, FOREVER)
    # Tomorrow's factor for today's ride.
    index = forged.submit([altered(reduction_of(RIDES, 0), grams=800, version=2)])
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    assert failure(bundle) == "methodology: reduction-version"
    bundle["methodology"] = sealed.document(line, TODAY + 1)
    assert failure(bundle) == "methodology: not-in-force"
    # And yesterday's.
    forged.publish(line, old.encode(), "methodology", start, TODAY)
    forged.drop(Span(line, TODAY + 1, FOREVER, bytes(32)))
    forged.publish(line, new.encode(), "methodology", TODAY, FOREVER)
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), "methodology": sealed.document(line, start)}
    assert failure(bundle) == "methodology: not-in-force"


# --- claims ---


def test_a_claims_proof_for_another_line_fails() -> None:
    bundle = ride()
    bundle["claims"][0] = honest().reduction(RIDES, 1)["claims"][0]
    assert failure(bundle) == "claims: held-other-line"
    bundle = ride()
    bundle["claims"][0]["line"] = honest().reduction(RIDES, 1)["claims"][0]["line"]
    assert failure(bundle) == "claims: held-other-line"


def test_a_claims_proof_for_another_holder_fails() -> None:
    # A refused reduction shows who holds the span instead.
    refused = reduction_of(SMALL.second.index, 0)
    sealed = honest()
    bundle = sealed.reduction(SMALL.second.index, 1)
    leaves = [reduction.leaf for reduction in world().batches[SMALL.second.index]]
    bundle["reduction"] = {
        "position": 0,
        "data": dump_base64(refused.data),
        "path": hexes(merkle.inclusion_path(leaves, 0)),
    }
    line = refused.claims[0].line
    taken = next(s for s in world().spans.values() if s.line == line)
    bundle["claims"] = [sealed.held(line, taken.start), bundle["claims"][1]]
    assert failure(bundle) == "claims: held-other-holder"
    bundle["claims"][0]["holder"] = refused.holder.hex()
    assert failure(bundle) == "claims: held-root-differs"
    bundle["claims"][0] |= {"start": refused.claims[0].start, "end": refused.claims[0].end}
    assert failure(bundle).startswith("claims: ")


def test_a_claims_proof_for_another_span_fails() -> None:
    reduction = reduction_of(RIDES, 0)
    first, _ = reduction.claims
    assert first.start is not None and first.end is not None
    for start, end in (
        (first.start, first.end - 1),
        (first.start, first.end + 1),
        (first.start + 1, first.end),
        (first.start - 1, first.end),
        (first.start - 60, first.start),
    ):
        forged = world().copy()
        del forged.spans[first.line + first.start.to_bytes(8)]
        forged.put(Span(first.line, start, end, reduction.holder))
        sealed = forged.sealed()
        forged.put(Span(first.line, first.start, first.end, reduction.holder))
        bundle = forged.sealed().reduction(RIDES, 0)
        bundle |= {**sealed.common("reduction"), **sealed.submitted(RIDES)}
        scenario, methodology = (
            sealed.document(world().line(name, of), TODAY)
            for name, of in (("scenario", "city-bus"), ("methodology", "bus-ride-by-code"))
        )
        ticket = sealed.held(reduction.claims[1].line, 0)
        bundle |= {"scenario": scenario, "methodology": methodology}
        bundle["claims"] = [sealed.held(first.line, start), ticket]
        assert failure(bundle) == "claims: held-other-span"
        bundle["claims"][0] |= {"start": first.start, "end": first.end}
        assert failure(bundle).startswith("claims: ")


def test_a_claims_proof_that_is_missing_fails() -> None:
    for name in ("ride", "trip of 19 days", "meal"):
        for at in range(len(samples()[name]["claims"])):
            bundle = copy.deepcopy(samples()[name])
            del bundle["claims"][at]
            assert failure(bundle) == "claims: claims-incomplete"
    assert failure({**ride(), "claims": []}) == "claims: claims-incomplete"


def test_a_claims_proof_too_many_fails() -> None:
    bundle = ride()
    for extra in (bundle["claims"][0], bundle["books"]):
        forged = {**bundle, "claims": [*bundle["claims"], extra]}
        assert failure(forged) == "claims: claims-incomplete"


def test_claims_proofs_in_another_order_fail() -> None:
    for name in ("ride", "trip of 19 days", "meal"):
        claims = samples()[name]["claims"]
        bundle = {**samples()[name], "claims": claims[::-1]}
        assert failure(bundle) == "claims: held-other-line"
        bundle = {**samples()[name], "claims": [claims[0]] * len(claims)}
        assert failure(bundle) == "claims: held-other-line"


def test_a_seat_beyond_the_cap_fails() -> None:
    reduction = reduction_of(MEALS, 0)
    line = reduction.claims[1].line
    forged = world().copy()
    first = Span(line, 0, 1, reduction.holder)
    forged.drop(first)
    for seat in (1, 2, 9_999):
        beyond = forged.copy()
        beyond.put(Span(line, 0, 1, make_holder("reduction", bytes(32))))
        beyond.put(Span(line, seat, seat + 1, reduction.holder))
        bundle = beyond.sealed().reduction(MEALS, 0)
        assert failure(bundle) == "claims: seat-beyond-cap"
    # Two seats wide is no seat, be it within the cap.
    wide = forged.copy()
    wide.put(Span(line, 0, 2, reduction.holder))
    assert failure(wide.sealed().reduction(MEALS, 0)) == "claims: span-class"


def test_a_claim_that_overlaps_another_fails_however_it_is_shown() -> None:
    # The operator counts a trip twice: both spans stand in its register.
    reduction = reduction_of(TRIPS, 3)
    (claim,) = reduction.claims
    assert claim.start is not None and claim.end is not None
    other = make_holder("reduction", bytes(32))
    for start, end in (
        (claim.start - 10, claim.start + 1),
        (claim.start - 10, claim.end + 10),
        (claim.end - 1, claim.end + 10),
        (claim.start + 1, claim.end - 1),
    ):
        forged = world().copy()
        forged.put(Span(claim.line, start, end, other))
        bundle = forged.sealed().reduction(TRIPS, 3)
        assert failure(bundle) == "claims: neighbour-overlaps"
        for name in ("before", "after"):
            hidden = copy.deepcopy(bundle)
            hidden["claims"][0][name] = None
            assert failure(hidden).startswith("claims: neighbour-")
        # The neighbour but one, in the place of the one that overlaps.
        honest_claim = samples()["trip between two"]["claims"][0]
        shown = copy.deepcopy(bundle)
        register = forged.register()
        far_start, far_end = stretch(SMALL.trips, 2)[1:]
        far = register.held(claim.line, far_start)
        shown["claims"][0]["before"] = {
            "start": far_start,
            "end": far_end,
            "holder": far.span.holder.hex(),
            "path": [[step.bits, step.sibling.hex()] for step in far.path],
        }
        after = register.held(claim.line, honest_claim["after"]["start"])
        shown["claims"][0]["after"] = {
            **honest_claim["after"],
            "path": [[step.bits, step.sibling.hex()] for step in after.path],
        }
        assert failure(shown) == "claims: neighbour-not-adjacent"


def test_swapped_neighbours_fail() -> None:
    bundle = copy.deepcopy(samples()["trip between two"])
    held = bundle["claims"][0]
    before, after = held["before"], held["after"]
    spans = {span.start: span for span in world().spans.values() if span.line.hex() == held["line"]}
    behind, ahead = spans[before["start"]], spans[after["start"]]
    register = honest().register
    held["before"] = {
        "start": ahead.start,
        "end": ahead.end,
        "holder": ahead.holder.hex(),
        "path": after["path"],
    }
    assert failure(bundle) == "claims: neighbour-overlaps"
    value = register.held(ahead.line, ahead.start).before
    assert value is not None
    held["after"] = {"start": behind.start, "value": after["value"], "path": before["path"]}
    held["before"] = before
    assert failure(bundle) == "claims: neighbour-overlaps"
    # With their places swapped and nothing else.
    held["before"] = {**before, "path": after["path"]}
    held["after"] = {**after, "path": before["path"]}
    assert failure(bundle) == "claims: neighbour-root-differs"


def test_neighbours_that_are_left_out_fail() -> None:
    for name in ("before", "after"):
        bundle = copy.deepcopy(samples()["trip between two"])
        bundle["claims"][0][name] = None
        assert failure(bundle) == "claims: neighbour-left-out"


def test_trailing_steps_of_a_span_fail() -> None:
    for bits in (-1, 0, 255, 256, 2**40):
        bundle = ride()
        bundle["claims"][0]["path"].append([bits, "11" * 32])
        assert failure(bundle).startswith("claims: ")
        bundle = ride()
        bundle["claims"][0]["path"].insert(0, [bits, "11" * 32])
        assert failure(bundle).startswith("claims: ")


def test_a_spans_path_under_another_root_fails() -> None:
    other = world().copy()
    other.drop(*(s for s in other.spans.values() if s.holder == reduction_of(RIDES, 5).holder))
    sealed = other.sealed()
    bundle = ride()
    bundle["claims"] = sealed.reduction(RIDES, 0)["claims"]
    assert failure(bundle) == "claims: held-root-differs"


# --- what is gone, and what is free ---


def before_the_void() -> Sealed:
    """The small ledger as if the void had not been."""
    earlier = world().copy()
    voided = reduction_of(RIDES, VOIDED)
    again = reduction_of(SMALL.again.index, 0)
    earlier.drop(*(s for s in earlier.spans.values() if s.holder == again.holder))
    earlier.put(*(Span(c.line, c.start or 0, c.end or 1, voided.holder) for c in voided.claims))
    return earlier.sealed()


def test_a_voided_reduction_is_good_as_of_then_and_never_again() -> None:
    old = before_the_void().reduction(RIDES, VOIDED)
    new = honest()
    assert check(old).verdict == "provisional"
    with pytest.raises(Usage, match="reduction-unknown"):
        prove_reduction(SMALL.city.store, reduction_of(RIDES, VOIDED).leaf)
    # The old bundle under the new checkpoint, bit by bit.
    bundle = {**old, "checkpoint": new.checkpoint}
    assert failure(bundle) == "genesis: inclusion-invalid"
    bundle |= new.common("reduction")
    assert failure(bundle) == "submission: inclusion-invalid"
    bundle |= new.submitted(RIDES)
    assert failure(bundle) == "scenario: held-root-differs"
    current = new.reduction(RIDES, 0)
    bundle |= {name: current[name] for name in ("scenario", "methodology")}
    assert failure(bundle) == "claims: held-root-differs"
    again = new.reduction(SMALL.again.index, 0)["claims"]
    assert failure({**bundle, "claims": again}) == "claims: held-other-holder"
    again[0]["holder"] = old["claims"][0]["holder"]
    assert failure({**bundle, "claims": again}) == "claims: held-root-differs"


def test_a_part_of_a_voided_reduction_that_nobody_holds_fails() -> None:
    # The traveller's time is taken again; the ticket is free.
    bundle = {**before_the_void().reduction(RIDES, VOIDED), **honest().common("reduction")}
    assert failure(bundle).startswith("submission: ")
    span = {**before_the_void().span(RIDES, VOIDED, 1), **honest().common("span")}
    span |= honest().submitted(RIDES)
    assert failure(span) == "holder: held-root-differs"


def taken_as_free(sealed: Sealed, span: Span, start: int, end: int) -> Sequence[Free]:
    """Everything that might show a stretch that ``span`` reaches into as free."""
    register = sealed.register
    line = span.line
    held = register.held(line, span.start)
    shown: list[Free] = []
    neighbours: list[Neighbour | None] = [None, held.before]
    for other in sorted(s for s in sealed.world.spans.values() if s.line == line):
        proof = register.held(line, other.start)
        neighbours.append(Neighbour(other.start, other.end, other.holder, proof.path))
        for before in neighbours:
            shown.append(Free(line, start, end, Present(before, proof.after)))
            shown.append(Free(line, start, end, Present(before, held.after)))
            shown.append(Free(line, start, end, Present(before, None)))
    nobody = world().classes.line("traveller", ["0" * 32], TODAY)
    absent = register.free(nobody, NOON, NOON + 60).evidence
    return [*shown, Free(line, start, end, absent), Free(line, start, end, None)]


def test_a_taken_stretch_is_never_shown_as_free() -> None:
    tried = 0
    for span in list(world().spans.values()):
        of = world().classes.by_number[span.class_number]
        if of.claimed_by != "reduction":
            continue
        stretches = {(span.start, span.end)}
        if of.axis == "seconds":
            stretches |= {
                (span.start, span.start + 1),
                (span.end - 1, span.end),
                (span.end - 1, span.end + 1),
            }
        for start, end in stretches:
            for free in taken_as_free(honest(), span, start, end):
                bundle = {**honest().common("free"), "free": free.as_json()}
                assert failure(bundle).startswith("free: ")
                tried += 1
    assert tried > 1_000


def test_a_free_stretch_that_reaches_too_far_fails() -> None:
    bundle = copy.deepcopy(samples()["free between two"])
    _, start, end = stretch(SMALL.trips, 3)
    following = stretch(SMALL.trips, 4)[1]
    bundle["free"] |= {"start": end, "end": following}
    assert check(bundle).verdict == "provisional"
    for first, last in ((end - 1, following), (end, following + 1), (start, following)):
        bundle["free"] |= {"start": first, "end": last}
        assert failure(bundle) == "free: neighbour-overlaps"
    midnight = (TODAY + 1) * DAY_SECONDS
    bundle["free"] |= {"start": end, "end": midnight + DAY_SECONDS}
    assert failure(bundle) == "free: span-class"


def test_an_absent_line_is_shown_for_itself_alone() -> None:
    bundle = copy.deepcopy(samples()["free of an absent line"])
    for name in ("ride", "trip between two"):
        held = samples()[name]["claims"][0]
        bundle["free"] |= {"line": held["line"], "start": held["start"], "end": held["end"]}
        assert failure(bundle).startswith("free: ")


# --- the activity ---


def test_an_activity_altered_by_one_byte_fails() -> None:
    bundle = copy.deepcopy(samples()["ride, disclosed"])
    line = bundle["activity"]
    for at in range(len(line)):
        bundle["activity"] = line[:at] + chr(ord(line[at]) ^ 1) + line[at + 1 :]
        assert failure(bundle).startswith("activity: ")
    for forged in (line + " ", line + "\n", " " + line, line.replace(":", ": ", 1)):
        assert failure({**bundle, "activity": forged}).startswith("activity: ")


def test_the_activity_of_another_reduction_fails() -> None:
    bundle = ride() | {"activity": activity(SMALL.rides, 1).decode()}
    assert failure(bundle) == "activity: activity-differs"


def test_an_activity_that_gives_another_reduction_fails() -> None:
    # The platform commits to an activity, and reports more than it gives.
    digest = reduction_of(RIDES, 1).digest
    bundle = recorded(altered(reduction_of(RIDES, 0), digest=digest))
    assert check(bundle).verdict == "provisional"
    bundle["activity"] = activity(SMALL.rides, 1).decode()
    assert failure(bundle) == "activity: activity-differs"


def test_activities_of_odd_times_fail() -> None:
    given = json.loads(activity(SMALL.rides, 0))
    for start in (0, 2**40, 2**62, 2**63 - 1):
        line = dump_json({**given, "start": start, "end": start})
        from chain.activities import parse_activity

        bundle = recorded(altered(reduction_of(RIDES, 0), digest=parse_activity(line).digest))
        bundle["activity"] = line.decode()
        assert failure(bundle).startswith("activity: ")


# --- the file ---


def edited(path: str, value: object) -> Json:
    """The ride's bundle with another value somewhere."""
    bundle = ride()
    at: Any = bundle
    *way, last = path.split(".")
    for name in way:
        at = at[int(name) if name.isdigit() else name]
    at[int(last) if last.isdigit() else last] = value
    return bundle


def test_duplicate_keys_fail() -> None:
    data = dump(ride()).decode()
    for before, twice in (
        ('"kind": "reduction"', '"kind": "reduction", "kind": "reduction"'),
        ('"kind": "reduction"', '"kind": "free", "kind": "reduction"'),
        ('"index": 0', '"index": 1, "index": 0'),
        ('"position": 0', '"position": 0, "\\u0070osition": 0'),
    ):
        assert before in data
        assert failure(data.replace(before, twice, 1).encode()) == "form: json-duplicate-key"


def test_duplicate_keys_inside_what_is_signed_fail() -> None:
    payload = dump_json(world().last.body)
    twice = payload.replace(b'"height"', b'"height":1,"height"')
    for seal in (twice,):
        with pytest.raises(Malformed, match="json-duplicate-key"):
            sign_statement(
                key("operator"),
                kind="seal",
                issuer="operator",
                subject="s",
                audience=world().genesis_id,
                expires=NOON,
                payload=seal,
            )
    # By hand, since no tool of ours would.
    good = world().last
    length = len(good.payload)
    assert good.data.count(good.payload) == 1
    forged = good.data.replace(
        dump_cbor(good.payload),
        dump_cbor(good.payload.replace(b'"height"', b'"height":1,"height"')),
    )
    assert len(forged) > len(good.data) and length
    bundle = ride()
    bundle["seal"]["data"] = dump_base64(forged)
    assert failure(bundle) == "form: json-duplicate-key"


@pytest.mark.parametrize("number", ["1.0", "0e0", "1E400", "-0.0", "NaN", "Infinity", "-Infinity"])
def test_floats_fail(number: str) -> None:
    data = dump(ride()).decode()
    for name in ("index", "position", "start", "alg"):
        at = data.index(f'"{name}": ') + len(name) + 4
        end = at + len(data[at:].split(",")[0].rstrip("}"))
        assert failure((data[:at] + number + data[end:]).encode()) == "form: json-float"


@pytest.mark.parametrize(
    "number", [str(2**63), str(-(2**63) - 1), "1" * 30, "9" * 1_000_000, "-" + "9" * 5_000]
)
def test_huge_integers_fail(number: str) -> None:
    data = dump(ride()).decode()
    assert failure(data.replace('"index": 0', f'"index": {number}', 1).encode()) == (
        "form: json-integer-range"
    )


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [9, 1_000, 300_000])
def test_deep_nesting_fails(opening: str, depth: int) -> None:
    deep = opening * depth
    assert failure(deep.encode()).split(": ")[1] in ("json-depth", "json-invalid")
    data = dump(ride()).decode()
    for place in ('"activity": null', '"books": {'):
        forged = data.replace(place, f"{place.split(':')[0]}: {deep}", 1)
        assert failure(forged.encode()).startswith("form: json-")


def test_a_file_that_is_too_long_fails() -> None:
    data = dump(ride())
    assert failure(data + b" " * 2**24) == "form: json-size"


def variants_of_base64(text: str) -> list[str]:
    """Other ways to write the same bytes, or nearly."""
    variants = [
        text.rstrip("="),
        text + "=",
        text + "====",
        text + "\n",
        " " + text,
        text[:4] + "\n" + text[4:],
        text.replace("+", "-").replace("/", "_") + ("" if {"+", "/"} & set(text) else "-"),
        text[:8] + "!" + text[8:],
        "\uff21" + text[1:],
        "",
    ]
    return [variant for variant in variants if variant != text]


def test_base64_that_is_not_canonical_fails() -> None:
    for name in ("genesis", "seal", "submission"):
        text = ride()[name]["data"]
        for forged in variants_of_base64(text):
            assert failure(edited(f"{name}.data", forged)).startswith("form: ")
    for path in ("reduction.data", "signer.key.public"):
        of, *rest = path.split(".")
        text = ride()[of][rest[0]] if len(rest) == 1 else ride()[of][rest[0]][rest[1]]
        for forged in variants_of_base64(text):
            assert failure(edited(path, forged)).split(": ")[0] in ("form", "reduction")


def test_base64_with_bits_that_nobody_reads_fails() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = ride()["signer"]["key"]["public"]
    assert text.endswith("=") and not text.endswith("==")
    last = alphabet.index(text[-2])
    assert last % 4 == 0
    for unread in (1, 2, 3):
        forged = text[:-2] + alphabet[last + unread] + "="
        assert failure(edited("signer.key.public", forged)) == "form: base64-not-canonical"


def test_base64_of_a_note_that_is_not_canonical_fails() -> None:
    checkpoint = ride()["checkpoint"]
    for forged in (
        checkpoint.replace("=\n", "\n", 1),
        checkpoint.rstrip("\n"),
        checkpoint + "\n",
        checkpoint.replace("\u2014", "-"),
        checkpoint.replace("\n", "\r\n"),
        checkpoint.replace("\n\n", "\n\n\n"),
        checkpoint.replace(f"\n{honest().size}\n", f"\n0{honest().size}\n"),
        checkpoint.replace(f"\n{honest().size}\n", f"\n+{honest().size}\n"),
        "",
        "\n",
        "\n\n",
        checkpoint * 200,
    ):
        assert failure({**ride(), "checkpoint": forged}).split(": ")[0] in ("form", "checkpoint")


def test_text_that_is_not_in_normal_form_c_fails() -> None:
    decomposed = "e\u0301"
    for path in ("checkpoint", "activity", "scenario.document", "methodology.document", "kind"):
        assert failure(edited(path, decomposed)).endswith(": text-not-nfc")
        escaped = json.dumps(edited(path, decomposed)).encode()
        assert failure(escaped).endswith(": text-not-nfc")
    assert failure({**ride(), decomposed: 1}).endswith(": text-not-nfc")
    # In a document, where escapes hide it from the file's own check.
    document = ride()["scenario"]["document"].replace('"region"', '"region\\u0065\\u0301"')
    assert failure(edited("scenario.document", document)) == "scenario: text-not-nfc"


def test_text_that_is_no_unicode_fails() -> None:
    data = json.dumps(edited("activity", "\ud800")).encode()
    assert failure(data) == "form: text-not-utf8"
    for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", dump(ride()).decode().encode("utf-16")):
        assert failure(bad).startswith("form: ")
    assert failure(b"\xef\xbb\xbf" + dump(ride())) == "form: json-invalid"


@pytest.mark.parametrize(
    "path",
    [
        "genesis.path.0",
        "seal.path.0",
        "submission.path.0",
        "reduction.path.0",
        "rules.line",
        "rules.holder",
        "rules.path.0.1",
        "claims.0.holder",
        "claims.1.line",
    ],
)
def test_hexadecimal_in_another_form_fails(path: str) -> None:
    at: Any = ride()
    for name in path.split("."):
        at = at[int(name) if name.isdigit() else name]
    assert at.upper() != at
    for forged in (at.upper(), at[:-1], at + "0", " " + at[1:], "0x" + at[2:], "", at[:-1] + "g"):
        assert failure(edited(path, forged)) == "form: hex-not-canonical"
    for forged in (None, 5, [at], {"a": at}, True):
        assert failure(edited(path, forged)).startswith("form: ")


def objects(value: Any, path: str = "") -> list[str]:
    """The paths of all objects in a document."""
    found = [path] if isinstance(value, dict) else []
    items: Any = value.items() if isinstance(value, dict) else ()
    for name, item in enumerate(value) if isinstance(value, list) else items:
        found += objects(item, f"{path}.{name}" if path else str(name))
    return found


@pytest.mark.parametrize("name", ["ride", "span of seconds", "free between two"])
def test_unknown_fields_fail_wherever_they_stand(name: str) -> None:
    for path in objects(samples()[name]):
        bundle = copy.deepcopy(samples()[name])
        at: Any = bundle
        for part in path.split(".") if path else ():
            at = at[int(part) if part.isdigit() else part]
        for extra in ("more", "", "Kind", "kind ", "\u212aind"):
            at[extra] = None
            assert failure(bundle).startswith("form: "), (path, extra)
            del at[extra]


@pytest.mark.parametrize("name", ["ride", "span of seconds", "free between two"])
def test_missing_fields_fail_wherever_they_stood(name: str) -> None:
    for path in objects(samples()[name]):
        at: Any = samples()[name]
        for part in path.split(".") if path else ():
            at = at[int(part) if part.isdigit() else part]
        for field in at:
            bundle = copy.deepcopy(samples()[name])
            holder: Any = bundle
            for part in path.split(".") if path else ():
                holder = holder[int(part) if part.isdigit() else part]
            del holder[field]
            said = failure(bundle)
            assert said.startswith("form: ") or said == "free: free-root-differs", (path, field)


@pytest.mark.parametrize(
    "other",
    ["tally-bundle/2", "tally-bundle/1 ", "TALLY-BUNDLE/1", "", None, 1, ["tally-bundle/1"]],
)
def test_another_format_version_fails(other: object) -> None:
    assert failure({**ride(), "format": other}) == "form: format-unknown"


@pytest.mark.parametrize("other", ["Reduction", "", None, 1, ["reduction"], "x" * 99])
def test_another_kind_fails(other: object) -> None:
    assert failure({**ride(), "kind": other}) == "form: format-unknown"


def test_a_kind_with_the_fields_of_another_fails() -> None:
    for name, bundle in samples().items():
        for kind in ("reduction", "span", "free"):
            if kind != bundle["kind"]:
                assert failure({**bundle, "kind": kind}).startswith("form: field-"), name


@pytest.mark.parametrize(
    "data", [b"", b" ", b"null", b"[]", b"{}", b"1", b'"tally-bundle/1"', b"{", b"\0", b"{}{}"]
)
def test_what_is_no_bundle_fails(data: bytes) -> None:
    assert failure(data).startswith("form: ")


def test_something_after_the_document_fails() -> None:
    for more in (b"x", b"{}", b"\0", b"//", dump(ride())):
        assert failure(dump(ride()) + more) == "form: json-invalid"


# --- documents and bodies from which nothing but a verification error may come ---

METHODOLOGY = json.loads(library()["bus-ride-by-code"])
TRAVELLER, TICKET = METHODOLOGY["claims"]
HOSTILE_METHODOLOGIES: list[Json] = [
    {"tiers": [[]]},
    {"tiers": [{}]},
    {"tiers": "platform-record"},
    {"grams": {"quantity": []}},
    {"grams": {"lookup": {}}},
    {"grams": {"duration": ["seconds"]}},
    {"grams": {"sum": []}},
    {"grams": {"product": [[]]}},
    {"grams": {"difference": ["1"]}},
    {"grams": {"sum": ["1"] * 70}},
    {"grams": {"product": ["999999999999999999"] * 60}},
    {"grams": "9" * 400},
    {"grams": "-1"},
    {"grams": {}},
    {"tables": {"t": {"by": [[]], "rows": [["a", "1"]]}}, "grams": {"lookup": "t"}},
    {"tables": {"t": {"by": [], "rows": []}}},
    {"tables": {"t": []}},
    {"tables": {"t": {"by": ["year"], "rows": [[[], "1"]]}}},
    {"slots": {"field": "slot", "rows": [["99:99", "24:00", "x"]]}},
    {"slots": {"field": "slot", "rows": [[1, 2, 3]]}},
    {"slots": {"field": [], "rows": {}}},
    {"duration": {"min": 5, "max": 1}},
    {"duration": {"min": 0, "max": 2**63 - 1}},
    {"duration": []},
    {"quantities": {"x": 5}},
    {"quantities": {"x": {"min": -1, "max": 0}}},
    {"claims": []},
    {"claims": [5]},
    {"claims": [{}]},
    {"claims": [{"class": [], "parts": []}]},
    {"claims": [{"class": "nowhere", "parts": []}]},
    {"claims": [{"class": "key", "parts": ["x"]}]},
    {"claims": [{**TRAVELLER, "parts": [5]}, TICKET]},
    {"claims": [{**TRAVELLER, "parts": ["{" * 1000]}, TICKET]},
    {"claims": [{**TRAVELLER, "guard": 2**62}, TICKET]},
    {"claims": [{**TRAVELLER, "span": {"seconds": 2**62}}, TICKET]},
    {"claims": [{**TRAVELLER, "optional": []}, TICKET]},
    {"claims": [{"class": "cap", "parts": ["x", "century", "{subject}"], "seats": 1}]},
    {"claims": [{"class": "cap", "parts": ["x", [], "{subject}"], "seats": 1}]},
    {"version": 0},
    {"version": [1]},
    {"title": []},
    {"title": {"en": 1, "zh": 2}},
    {"source": {"standard": 1, "table": 2, "date": 3}},
    {"points": -1},
    {"format": {}},
    {"id": []},
]


def published(line: bytes, document: bytes, kind: str, **more: Any) -> Sealed:
    """The small ledger with another document in force on a line, always."""
    forged = world().copy()
    for name, value in more.items():
        setattr(forged, name, value)
    forged.drop(*(span for span in forged.spans.values() if span.line == line))
    forged.publish(line, document, kind, 0, FOREVER)
    return forged.sealed()


@pytest.mark.parametrize("change", HOSTILE_METHODOLOGIES, ids=str)
def test_a_hostile_methodology_fails_and_nothing_worse(change: Json) -> None:
    line = world().line("methodology", "bus-ride-by-code")
    sealed = published(line, dump_json(METHODOLOGY | change), "methodology")
    bundle = sealed.reduction(RIDES, 0, activity(SMALL.rides, 0))
    report = check(bundle)
    assert report.verdict == "invalid" or change in (
        {"duration": {"min": 0, "max": 2**63 - 1}},
        {"tables": {"t": {"by": [], "rows": []}}},
    )
    assert report.as_json()


HOSTILE_SCENARIOS: list[Json] = [
    {"platforms": [[]]},
    {"platforms": [{}]},
    {"platforms": [5, "metro-app"]},
    {"platforms": {}},
    {"title": []},
    {"methodology": []},
    {"crediting": {"from": 5, "to": []}},
    {"crediting": {"from": "2026-01-01", "to": "9999-99-99"}},
    {"crediting": {"from": "2030-01-01", "to": "2020-01-01"}},
    {"format": True},
    {"id": "x" * 100},
    {"id": "city-bus\n"},
]


@pytest.mark.parametrize("change", HOSTILE_SCENARIOS, ids=str)
def test_a_hostile_scenario_fails_and_nothing_worse(change: Json) -> None:
    line = world().line("scenario", "city-bus")
    given = json.loads(ride()["scenario"]["document"])
    forged = world().copy()
    document = dump_json(given | change)
    bundle = ride()
    forged.drop(*(span for span in forged.spans.values() if span.line == line))
    forged.publish(line, document, "scenario", 0, FOREVER)
    sealed = forged.sealed()
    bundle |= {**sealed.common("reduction"), **sealed.submitted(RIDES)}
    bundle["scenario"] = sealed.document(line, TODAY)
    assert failure(bundle).startswith("scenario: ")


def of_class(name: str, /, **change: Any) -> Callable[[Json], None]:
    def edit(registry: Json) -> None:
        next(of for of in registry["classes"] if of["name"] == name).update(change)

    return edit


def registry_with(**change: Any) -> Callable[[Json], None]:
    return lambda registry: registry.update(change)


HOSTILE_CLASSES: list[Callable[[Json], None]] = [
    registry_with(classes=[]),
    registry_with(classes=[5]),
    registry_with(classes={}),
    registry_with(issuers={"ticket": 5}),
    registry_with(issuers={"ticket": [[]]}),
    registry_with(issuers={"nowhere": []}),
    registry_with(issuers=[]),
    registry_with(format="1"),
    of_class("traveller", number=0),
    of_class("traveller", number=256),
    of_class("traveller", number=2),
    of_class("traveller", name=[]),
    of_class("traveller", name="vehicle"),
    of_class("traveller", axis=[]),
    of_class("traveller", axis="seats"),
    of_class("traveller", axis="days"),
    of_class("traveller", dated=False),
    of_class("traveller", dated=1),
    of_class("traveller", longest=0),
    of_class("traveller", longest=2**63 - 1),
    of_class("traveller", claimed_by=[]),
    of_class("traveller", parts=[5]),
    of_class("traveller", parts=[{"name": "x", "grammar": "none", "normaliser": "x"}]),
    of_class("traveller", parts=[]),
    of_class("cap", parts=[{"name": "x", "grammar": "slug", "normaliser": "x"}]),
    of_class("cap", parts=[]),
    of_class("books", name="ledgers"),
    of_class("books", parts=[{"name": "x", "grammar": "slug", "normaliser": "x"}]),
    of_class("key", name="lock"),
    of_class("classes", dated=True, axis="seconds"),
    of_class("rules", name="rule"),
    of_class("ticket", axis="seconds", dated=True),
]


@pytest.mark.parametrize("number", range(len(HOSTILE_CLASSES)))
@pytest.mark.parametrize("name", ["ride, disclosed", "meal", "span of a seat", "free seat"])
def test_a_hostile_registry_of_classes_does_nothing_worse_than_fail(name: str, number: int) -> None:
    registry = json.loads(world().classes.document)
    HOSTILE_CLASSES[number](registry)
    document = dump_json(registry)
    line = world().line("classes")
    sealed = published(line, document, "classes")
    bundle = copy.deepcopy(samples()[name])
    index = {"ride, disclosed": RIDES}.get(name, MEALS)
    if bundle["kind"] == "reduction":
        bundle = sealed.reduction(index, 1, bundle["activity"].encode())
    elif bundle["kind"] == "span":
        bundle = sealed.span(index, 0, 1)
    else:
        bundle |= sealed.common("free")
        free = bundle["free"]
        made = sealed.free(bytes.fromhex(free["line"]), free["start"], free["end"])
        bundle["free"] = made["free"]
    report = check(bundle)
    assert report.verdict in ("invalid", "provisional")
    assert report.as_json()


def test_an_activity_cannot_make_the_checker_cut_for_ever() -> None:
    # Classes and a methodology that allow spans of any length, and an activity that asks for one.
    registry = json.loads(world().classes.document)
    for of in registry["classes"]:
        of["longest"] = FOREVER
    forged = world().copy()
    document = dump_json(registry)
    forged.publish(forged.line("classes"), document, "classes", 0, FOREVER)
    methodology = METHODOLOGY | {
        "duration": {"min": 1, "max": FOREVER},
        "claims": [
            TICKET,
            {"class": "traveller", "parts": ["{subject}"], "optional": "subject"},
        ],
    }
    line = forged.line("methodology", "bus-ride-by-code")
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, dump_json(methodology), "methodology", start, FOREVER)
    given = json.loads(activity(SMALL.rides, 0)) | {"end": FOREVER}
    from chain.activities import parse_activity

    asked = dump_json(given)
    reduction = altered(
        reduction_of(RIDES, 0),
        claims=reduction_of(RIDES, 0).claims[1:],
        digest=parse_activity(asked).digest,
    )
    index = forged.submit([reduction])
    bundle = forged.sealed().reduction(index, 0)
    assert check(bundle).verdict == "provisional"
    bundle["activity"] = asked.decode()
    assert failure(bundle) == "activity: span-beyond-calendar"


def test_a_cap_at_the_end_of_the_calendar_fails_and_nothing_worse() -> None:
    last = 65_535
    forged = world().copy()
    for name, of in (("scenario", "city-plate"), ("methodology", "clean-plate")):
        line = forged.line(name, of)
        old = next(span for span in forged.spans.values() if span.line == line)
        document = forged.documents[old.holder]
        if name == "methodology":
            given = json.loads(document)
            given["claims"][1]["parts"][1] = "year"
            document = dump_json(given)
        forged.drop(old)
        forged.publish(line, document, name, 0, FOREVER)
    from chain.activities import parse_activity

    given = json.loads(activity(SMALL.meals, 0))
    given["start"] = given["end"] = last * DAY_SECONDS + 3600
    asked = dump_json(given)
    order, seat = reduction_of(MEALS, 0).claims
    claims = (order, Claim((last).to_bytes(2) + seat.line[2:]))
    digest = parse_activity(asked).digest
    reduction = altered(reduction_of(MEALS, 0), day=last, claims=claims, digest=digest)
    index = forged.submit([reduction])
    bundle = forged.sealed().reduction(index, 0) | {"activity": asked.decode()}
    assert check(bundle).verdict == "invalid"


def test_no_policy_is_fooled_by_a_log_of_its_own() -> None:
    # A stranger founds the same ledger under the same name, with a key of their own.
    stranger = key("stranger")
    forged = world().copy()
    forged.log = stranger
    bundle = forged.sealed().reduction(RIDES, 0)
    assert failure(bundle) == "checkpoint: checkpoint-log-unknown"
    line = parse_note(bundle["checkpoint"].encode()).signatures[0]
    known = parse_note(ride()["checkpoint"].encode()).signatures[0]
    stolen = NoteSignature(line.name, known.key_id, line.signature)
    assert failure(with_signatures(bundle, [stolen])) == "checkpoint: note-signature-invalid"


def test_nothing_is_taken_from_a_statement_but_through_its_bytes() -> None:
    # A statement written in another way is another entry, and no statement of ours.
    data = parse_base64(ride()["submission"]["data"])
    assert data[:2] == b"\xd2\x84"
    for forged in (b"\xd8\x12" + data[1:], data[:1] + b"\x9f" + data[2:] + b"\xff", data + b"\0"):
        assert failure(edited("submission.data", dump_base64(forged))).startswith("form: ")


def test_classes_are_read_with_the_ledgers_own_calendar() -> None:
    # A genesis that moves midnight by an hour, so that a trip over midnight needs one claim.
    assert Classes(world().classes.document, replace(world().classes.calendar, offset=0))
    forged = world().copy()
    forged.statements[0] = genesis(offset=7 * 3600)
    forged.statements = [
        statement
        if statement.audience is None
        else sign_statement(
            key(statement.issuer),
            kind=statement.kind,
            issuer=statement.issuer,
            subject=statement.subject,
            audience=forged.statements[0].id,
            expires=statement.expires,
            payload=statement.body,
        )
        for statement in forged.statements
    ]
    bundle = forged.sealed().reduction(TRIPS, 1)
    assert failure(bundle).startswith("methodology: ")


def test_policies_are_the_callers_alone() -> None:
    # Nothing in a bundle widens the trust: it passes under the policy that names its log, or not.
    other = parse_policy(
        f"log {NoteKey('x.example', key('x').public, cosigner=False).vkey}\nquorum none\n".encode()
    )
    for bundle in samples().values():
        assert failure(bundle, other) == "checkpoint: checkpoint-log-unknown"
        assert check(bundle, PLAIN).verdict == "provisional"
    assert make_checkpoint and World  # what the operator has
