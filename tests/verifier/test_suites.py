"""Bundles of platforms that sign with ES256, by both checkers: good ones, and forged ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import independent_checker as second
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from support.bundles import (
    PLAIN,
    PLAIN_TEXT,
    Json,
    World,
    check,
    cosignature,
    dump,
    failure,
    rotation,
    sign_reductions,
    with_signatures,
)
from support.city import FIRST_DAY, NOON, ORIGIN, City, founding_actions, key
from support.suites import P256_N, es256, high_s, ml_dsa

from chain.admission import admit
from chain.effects import Entry
from chain.genesis import enrol, make_genesis
from chain.rules import apply
from keys.errors import Malformed, NotAllowed, Refusal
from keys.notes import NoteKey, cosign, parse_note
from keys.participants import Role
from keys.signer import KeySigner, Signer
from keys.statements import Statement, parse_statement
from keys.suites import ES256
from verifier.policy import parse_policy

PAY = es256("pay-app")
TURNS: list[Signer] = [key("metro-app"), es256("metro-app"), key("metro-app/2"), es256("again")]
"""The keys of metro-app, one after the other."""
NOBODY: Any = None
"""What a genesis is judged against: no register."""
OTHERS = second.Policy(PLAIN_TEXT.encode())


class Randomised(KeySigner):
    """A P-256 signer whose every signature is another."""

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + min(s, P256_N - s).to_bytes(32)


def found(folder: Path) -> City:
    """A ledger whose platform pay-app has a P-256 key from the beginning."""
    actions = [
        enrol("pay-app", "pay-app", [Role.PLATFORM], PAY.public)
        if action.get("participant") == "pay-app"
        else action
        for action in founding_actions()
    ]
    return City.found(folder, actions=actions)


def submit(city: City, lines: list[bytes], signer: Signer, platform: str = "metro-app") -> int:
    """Submit rides in the name of a platform; the index of the statement."""
    reductions = city.reduce(lines, platform)
    statement = sign_reductions(reductions, city.state.genesis.id, signer, platform)
    city.sequencer.submit([admit(city.state, statement, lines)])
    city.sequencer.seal_all(city.now)
    return city.answer(statement).index


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, list[int], int]]:
    """The ledger, a submission under each key of metro-app, and one of pay-app."""
    city = found(tmp_path_factory.mktemp("suites") / "ledger")
    turns = []
    for number, signer in enumerate(TURNS):
        if number:
            city.govern(rotation("metro-app", TURNS[number - 1], signer))
        turns.append(submit(city, [city.ride(f"rider-{number}", NOON - 3600)], signer))
    pay = submit(city, [city.ride("payer", NOON - 3600)], PAY, "pay-app")
    yield World.of(city), turns, pay
    city.store.engine.dispose()


def verdict(bundle: Json) -> str:
    """The verdict of both checkers."""
    first = check(bundle).verdict
    assert second.check(dump(bundle), OTHERS) == first
    return first


def refused(bundle: Json) -> str:
    """Why both checkers refuse a bundle."""
    assert second.check(dump(bundle), OTHERS) == "invalid"
    return failure(bundle)


def replaced(world: World, index: int, signature: bytes, data: bytes | None = None) -> Json:
    """The bundle of a submission with another signature, in a log that its operator made anew."""
    forged = world.copy()
    old = forged.statements[index]
    forged.statements[index] = parse_statement(
        (data or old.data).replace(old.signature, signature, 1)
    )
    return forged.sealed().reduction(index, 0)


def test_a_platform_with_a_p256_key_proves_its_reductions(
    world: tuple[World, list[int], int],
) -> None:
    ledger, _, pay = world
    assert ledger.statements[pay].alg == -7
    sealed = ledger.sealed(ledger.last)
    assert verdict(sealed.reduction(pay, 0)) == "provisional"
    assert verdict(sealed.span(pay, 0)) == "provisional"


def test_a_platform_rotates_from_ed25519_to_es256_and_back(
    world: tuple[World, list[int], int],
) -> None:
    ledger, turns, _ = world
    assert [ledger.statements[index].alg for index in turns] == [-8, -7, -8, -7]
    sealed = ledger.sealed(ledger.last)
    for index in turns:
        assert verdict(sealed.reduction(index, 0)) == "provisional"


def test_a_bundle_with_another_key_of_the_same_platform_fails(
    world: tuple[World, list[int], int],
) -> None:
    ledger, turns, _ = world
    sealed = ledger.sealed(ledger.last)
    edwards, p256 = (sealed.reduction(index, 0) for index in turns[:2])
    for bundle, other in ((edwards, p256), (p256, edwards)):
        forged = {**bundle, "signer": other["signer"]}
        assert refused(forged) == "submission: statement-signature"
        forged = {**bundle, "signer": {**bundle["signer"], "key": other["signer"]["key"]}}
        assert refused(forged) == "submission: statement-signature"
        forged = {**bundle, "signer": {**other["signer"], "key": bundle["signer"]["key"]}}
        assert refused(forged) == "right: held-other-holder"


def test_a_submission_with_a_high_s_fails(world: tuple[World, list[int], int]) -> None:
    ledger, _, pay = world
    good = ledger.statements[pay].signature
    assert refused(replaced(ledger, pay, high_s(good))) == "submission: statement-signature"


def test_a_submission_with_a_randomised_signature_passes(
    world: tuple[World, list[int], int],
) -> None:
    ledger, _, pay = world
    signed = ledger.statements[pay].signed
    signature = Randomised(ES256, PAY.private).sign(signed)
    assert signature != ledger.statements[pay].signature
    assert verdict(replaced(ledger, pay, signature)) == "provisional"


def test_an_es256_signature_out_of_bounds_fails(world: tuple[World, list[int], int]) -> None:
    ledger, _, pay = world
    good = ledger.statements[pay].signature
    order = P256_N.to_bytes(32)
    for signature in (
        bytes(64),
        bytes(32) + good[32:],
        good[:32] + bytes(32),
        order + good[32:],
        good[:32] + order,
    ):
        assert refused(replaced(ledger, pay, signature)) == "submission: statement-signature"


def test_a_submission_whose_number_is_the_other_suites_fails(
    world: tuple[World, list[int], int],
) -> None:
    ledger, turns, pay = world
    for index, signer, old, new in ((pay, PAY, 0x26, 0x27), (turns[0], TURNS[0], 0x27, 0x26)):
        statement = ledger.statements[index]
        head, other = bytes([0xA4, 1, old]), bytes([0xA4, 1, new])
        assert statement.signed.count(head) == 1
        signature = signer.sign(statement.signed.replace(head, other))
        forged = replaced(ledger, index, signature, statement.data.replace(head, other, 1))
        assert refused(forged) == "submission: statement-signature"


def test_a_key_under_another_number_fails(world: tuple[World, list[int], int]) -> None:
    ledger, turns, pay = world
    sealed = ledger.sealed(ledger.last)
    for index, alg, code in (
        (pay, -8, "key-invalid"),
        (pay, -48, "suite-not-for-statements"),
        (pay, -9, "suite-unknown"),
        (turns[0], -7, "key-invalid"),
        (turns[0], -48, "suite-not-for-statements"),
        (turns[0], -19, "suite-unknown"),
    ):
        bundle = sealed.reduction(index, 0)
        key_of = {**bundle["signer"]["key"], "alg": alg}
        forged = {**bundle, "signer": {**bundle["signer"], "key": key_of}}
        assert refused(forged) == f"form: {code}"


def test_a_key_of_cosignatures_signs_no_submission(world: tuple[World, list[int], int]) -> None:
    ledger, _, _ = world
    forged = ledger.copy()
    signer = ml_dsa("pay-app")
    index = forged.submit(ledger.batches[world[2]], platform="pay-app", hold=False, signer=signer)
    bundle = forged.sealed().reduction(index, 0)
    bundle["signer"]["key"] = signer.public.as_json()
    assert refused(bundle) == "form: suite-not-for-statements"


def test_cosignatures_of_both_suites_reach_a_quorum_that_asks_for_both(
    world: tuple[World, list[int], int],
) -> None:
    ledger, _, pay = world
    bundle = ledger.sealed(ledger.last).reduction(pay, 0)
    vkeys = [NoteKey("w.example", of("w").public, cosigner=True).vkey for of in (key, ml_dsa)]
    text = (
        PLAIN_TEXT.replace("quorum none\n", "")
        + f"witness w {vkeys[0]}\nwitness w-pq {vkeys[1]}\ngroup both all w w-pq\nquorum both\n"
    )
    policy, other = parse_policy(text.encode()), second.Policy(text.encode())
    note = parse_note(bundle["checkpoint"].encode())
    edwards = cosignature(note.text, "w")
    post = cosign(note.text, "w.example", ml_dsa("w"), NOON)
    swapped = [
        type(post)(post.name, post.key_id, edwards.signature),
        type(post)(post.name, edwards.key_id, post.signature),
    ]
    for lines, expected in (
        ([], "unwitnessed"),
        ([edwards], "unwitnessed"),
        ([post], "unwitnessed"),
        ([post, post], "unwitnessed"),
        ([edwards, post], "provisional"),
        ([edwards, type(post)(post.name, post.key_id, bytes(2_428))], "invalid"),
        ([edwards, cosign(note.text, "w.example", ml_dsa("w"), 0)], "provisional"),
        (swapped[:1], "invalid"),
        (swapped[1:], "invalid"),
        ([edwards, type(post)(post.name, post.key_id, bytes(8) + post.signature[8:])], "invalid"),
    ):
        made = with_signatures(bundle, [*note.signatures, *lines])
        assert check(made, policy).verdict == expected
        assert second.check(dump(made), other) == expected
        assert check(made, PLAIN).verdict == "provisional"


# --- at the ledger's door ---


def pay_statement(city: City, lines: list[bytes], signer: Signer) -> Statement:
    reductions = city.reduce(lines, "pay-app")
    return sign_reductions(reductions, city.state.genesis.id, signer, "pay-app")


def test_another_signature_of_a_submission_is_the_same_statement(tmp_path: Path) -> None:
    city = found(tmp_path)
    lines = [city.ride("payer", NOON - 3600)]
    signer = Randomised(ES256, PAY.private)
    statements = [pay_statement(city, lines, signer) for _ in range(3)]
    assert len({statement.data for statement in statements}) == 3
    assert len({statement.id for statement in statements}) == 1
    for statement in statements:
        city.sequencer.submit([admit(city.state, statement, lines)])
        city.sequencer.seal_all(city.now)
    assert {city.answer(statement).index for statement in statements} == {2}
    city.store.engine.dispose()


def test_a_submission_with_a_high_s_is_refused(tmp_path: Path) -> None:
    city = found(tmp_path)
    lines = [city.ride("payer", NOON - 3600)]
    good = pay_statement(city, lines, PAY)
    forged = parse_statement(good.data.replace(good.signature, high_s(good.signature)))
    with pytest.raises(NotAllowed) as error:
        admit(city.state, forged, lines)
    assert error.value.code == "signature-invalid"
    city.store.engine.dispose()


def test_a_participant_with_a_key_of_cosignatures_is_refused(tmp_path: Path) -> None:
    city = found(tmp_path)
    for action in (
        enrol("tram-app", "Tram", [Role.PLATFORM], ml_dsa("tram-app").public),
        rotation("pay-app", PAY, ml_dsa("pay-app")),
    ):
        with pytest.raises(Refusal) as error:
            city.govern(action)
        assert error.value.code == "suite-not-for-statements"
    city.store.engine.dispose()


def test_a_ledger_whose_operator_has_a_p256_key_is_not_opened() -> None:
    operator = es256("operator")
    statement = make_genesis(
        operator,
        operator="operator",
        origin=ORIGIN,
        time=NOON,
        utc_offset=0,
        first_day=FIRST_DAY,
        actions=[enrol("operator", "The operator", [Role.OPERATOR], operator.public)],
    )
    with pytest.raises(Malformed) as error:
        apply(None, Entry(statement), NOBODY)
    assert error.value.code == "suite-not-for-notes"


def test_the_operator_s_key_rotates_to_no_p256_key(tmp_path: Path) -> None:
    city = found(tmp_path)
    with pytest.raises(Refusal) as error:
        city.govern(rotation("operator", key("operator"), es256("operator")))
    assert error.value.code == "suite-not-for-notes"
    city.store.engine.dispose()
