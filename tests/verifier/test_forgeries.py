"""Forged logs, each crafted by an operator or a platform who does all that they can, and refused.

What the forger signs, it signs anew; what it stores, it stores anew: the log, the register and the
checkpoint are all consistent but for the one lie.  What a policy without a quorum cannot stop is a
register that no auditor has replayed; these are the lies that fail even then.  Here: the trees of
the log and of submissions, the checkpoint and who signed it, the genesis and the seal.
"""

import copy
from dataclasses import replace

import pytest
from support.bundles import (
    AUDITORS,
    ENOUGH,
    LOG_VKEY,
    PLAIN,
    QUORUM,
    Json,
    Sealed,
    check,
    cosignature,
    cosigned,
    failure,
    hexes,
    honest,
    logged,
    samples,
    with_signatures,
    world,
)
from support.city import NOON, genesis, key
from support.forging import (
    IDENTITY,
    MEALS,
    MINUS_ONE,
    RIDES,
    SMALL,
    TRIPS,
    high_s,
    recorded,
    reduction_of,
    resigned,
    ride,
    small_r,
)

from chain import merkle
from chain.merkle import Frontier
from keys.errors import Malformed
from keys.notes import Checkpoint, Note, NoteKey, NoteSignature, format_note, parse_note, sign_note
from keys.statements import sign_statement
from keys.strict import dump_base64
from verifier.policy import parse_policy


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
    for bundle in (ride(), signed_size(ride(), size + 1)):
        bundle["seal"] = logged(statements, size)
        assert failure(bundle).split(": ")[0] in ("genesis", "seal")
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
        b"\0",
    ):
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


# --- a ledger of one's own ---


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


def test_classes_are_read_with_the_ledgers_own_calendar() -> None:
    # A genesis that moves midnight by an hour, so that a trip over midnight needs one claim.
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
