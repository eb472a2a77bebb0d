"""The oblivious function: the vectors of its RFCs, a second implementation, forgeries."""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import oprf as second

from keys.errors import Malformed, TallyError, Unreadable, Usage, VerificationError
from keys.oprf import (
    ELEMENTS_MAX,
    INPUT_BYTES_MAX,
    Blinded,
    Evaluate,
    ObliviousPseudonyms,
    PrivateKey,
)
from keys.pseudonyms import Epoch, KeyedHash, Pseudonymiser, message
from keys.ristretto import is_element
from keys.signer import generate, load, save
from keys.suites import SUITES

# RFC 9497, appendix A.1.2: ristretto255-SHA512, mode VOPRF.
SEED = bytes.fromhex("a3" * 32)
KEY_INFO = bytes.fromhex("74657374206b6579")
PRIVATE = "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909"
PUBLIC = bytes.fromhex("c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e")
INPUTS = ("00", "5a" * 17)
OUTPUTS = (
    "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7d"
    "a4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c",
    "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60"
    "356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6",
)
_BLIND = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706"
_RANDOM = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e"
VECTORS: list[dict[str, Any]] = [
    {
        "inputs": INPUTS[:1],
        "blinds": (_BLIND,),
        "blinded": ("863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",),
        "evaluated": ("aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",),
        "proof": "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd06"
        "6d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d",
        "random": _RANDOM,
        "outputs": OUTPUTS[:1],
    },
    {
        "inputs": INPUTS[1:],
        "blinds": (_BLIND,),
        "blinded": ("cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c",),
        "evaluated": ("60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468",),
        "proof": "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a"
        "67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02",
        "random": _RANDOM,
        "outputs": OUTPUTS[1:],
    },
    {
        "inputs": INPUTS,
        "blinds": (_BLIND, _RANDOM),
        "blinded": (
            "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
            "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654",
        ),
        "evaluated": (
            "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
            "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a",
        ),
        "proof": "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a"
        "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08",
        "random": "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
        "outputs": OUTPUTS,
    },
]

# RFC 9496, appendix A.2.
NO_ELEMENTS = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
    "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
    "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
    "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
    "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
    "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
    "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
    "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
    "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
    "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
    "d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
    "8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
    "32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
    "227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
    "5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
    "445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
IDENTITY = bytes(32)

KEY = PrivateKey(SEED, KEY_INFO)
EPOCH = Epoch(20_454, PrivateKey(b"1" * 32).public)
SERVER = PrivateKey(b"1" * 32)
OTHER = PrivateKey(b"2" * 32)
NAMES = [suite.name for suite in SUITES.values()]


def number(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


def code(call: Any, *given: Any) -> tuple[type[TallyError], str]:
    with pytest.raises(TallyError) as raised:
        call(*given)
    return type(raised.value), raised.value.code


# --- the RFCs ---


@pytest.mark.parametrize("vector", VECTORS)
def test_the_vectors_of_the_rfc(vector: dict[str, Any]) -> None:
    inputs = [bytes.fromhex(one) for one in vector["inputs"]]
    blinded = [bytes.fromhex(one) for one in vector["blinded"]]
    assert KEY.public == PUBLIC
    evaluated, proof = KEY.evaluate(blinded)
    assert [one.hex() for one in evaluated] == list(vector["evaluated"])
    # The proof has a scalar of its own in every run; so has the blind.
    assert second.proves(PUBLIC, blinded, evaluated, proof)
    made = Blinded(inputs)
    outputs = made.finalize(*KEY.evaluate(made.elements), PUBLIC)
    assert [one.hex() for one in outputs] == list(vector["outputs"])


@pytest.mark.parametrize("vector", VECTORS)
def test_the_second_implementation_gives_every_byte_of_the_vectors(vector: dict[str, Any]) -> None:
    key = second.derive(SEED, KEY_INFO)
    assert key == number(PRIVATE)
    assert second.public(key) == PUBLIC
    inputs = [bytes.fromhex(one) for one in vector["inputs"]]
    blinds = [number(one) for one in vector["blinds"]]
    blinded = [second.blind(*pair) for pair in zip(inputs, blinds, strict=True)]
    evaluated = second.evaluate(key, blinded)
    proof = second.prove(key, blinded, evaluated, number(vector["random"]))
    outputs = [second.output(*row) for row in zip(inputs, blinds, evaluated, strict=True)]
    assert [one.hex() for one in blinded] == list(vector["blinded"])
    assert [one.hex() for one in evaluated] == list(vector["evaluated"])
    assert proof.hex() == vector["proof"]
    assert [one.hex() for one in outputs] == list(vector["outputs"])
    assert second.proves(PUBLIC, blinded, evaluated, proof)


def test_what_the_second_implementation_proves_is_accepted() -> None:
    made = Blinded([bytes.fromhex(one) for one in INPUTS])
    key = second.derive(SEED, KEY_INFO)
    evaluated = second.evaluate(key, made.elements)
    proof = second.prove(key, made.elements, evaluated, 7)
    outputs = made.finalize(evaluated, proof, PUBLIC)
    assert [one.hex() for one in outputs] == list(OUTPUTS)


@pytest.mark.parametrize("encoded", NO_ELEMENTS)
def test_what_the_rfc_says_is_no_element(encoded: str) -> None:
    assert not is_element(bytes.fromhex(encoded))
    with pytest.raises(ValueError):
        second.decode(bytes.fromhex(encoded))
    assert code(KEY.evaluate, [bytes.fromhex(encoded)]) == (Malformed, "oprf-element")


@given(st.integers(1, second.L - 1), st.binary(min_size=32, max_size=32))
def test_elements_are_told_from_other_bytes(multiple: int, data: bytes) -> None:
    encoded = second.encode(second.times(multiple, second.BASE))
    assert is_element(encoded)
    assert not is_element(encoded + b"\0")
    assert not is_element(encoded[:-1])
    try:
        second.decode(data)
    except ValueError:
        assert not is_element(data)
    else:
        assert is_element(data) == (data != IDENTITY)


def test_the_identity_is_no_key_and_is_not_evaluated() -> None:
    assert not is_element(IDENTITY)
    assert code(KEY.evaluate, [IDENTITY]) == (Malformed, "oprf-element")


# --- both sides ---


def test_every_blind_is_new_and_the_outputs_are_the_same() -> None:
    one, other = Blinded([b"a", b"b", b"a"]), Blinded([b"a", b"b", b"a"])
    assert len({*one.elements, *other.elements}) == 6
    first = one.finalize(*SERVER.evaluate(one.elements), SERVER.public)
    assert first == other.finalize(*SERVER.evaluate(other.elements), SERVER.public)
    assert first[0] == first[2] != first[1]
    assert all(len(output) == 64 for output in first)


def test_a_batch_has_1_to_1024_elements() -> None:
    made = Blinded([b"%d" % place for place in range(ELEMENTS_MAX)])
    assert len(made.finalize(*SERVER.evaluate(made.elements), SERVER.public)) == ELEMENTS_MAX
    for elements in ([], [*made.elements, made.elements[0]]):
        assert code(SERVER.evaluate, elements) == (Malformed, "oprf-batch")


def test_elements_of_another_length_are_refused() -> None:
    [element] = Blinded([b"a"]).elements
    for other in (b"", element[:-1], element + b"\0"):
        assert code(SERVER.evaluate, [element, other]) == (Malformed, "oprf-element")


def test_inputs_have_their_bounds() -> None:
    for one in (b"", bytes(INPUT_BYTES_MAX + 1)):
        assert code(Blinded, [b"a", one]) == (Malformed, "oprf-input")
    Blinded([b"a", bytes(INPUT_BYTES_MAX)])


def _flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data) ^ 1 << bit).to_bytes(len(data))


@given(st.data())
def test_an_evaluation_that_is_not_proved_gives_nothing(data: st.DataObject) -> None:
    made = Blinded([b"a", b"b", b"c"])
    evaluated, proof = SERVER.evaluate(made.elements)
    other, of_other = OTHER.evaluate(made.elements)
    flip = data.draw(st.integers(0, 511))
    element = [_flipped(evaluated[0], flip % 256), *evaluated[1:]]
    for given_elements, given_proof, public in (
        (element, proof, SERVER.public),
        (evaluated, _flipped(proof, flip), SERVER.public),
        (evaluated, proof, OTHER.public),
        (other, of_other, SERVER.public),
        ([other[0], *evaluated[1:]], proof, SERVER.public),
        ([evaluated[1], evaluated[0], evaluated[2]], proof, SERVER.public),
        (evaluated[:2], proof, SERVER.public),
        ([*evaluated, evaluated[0]], proof, SERVER.public),
        ([IDENTITY, *evaluated[1:]], proof, SERVER.public),
        ([], proof, SERVER.public),
        (evaluated, b"", SERVER.public),
        (evaluated, proof[:32], SERVER.public),
        # The bytes are the same, their bounds are not.
        ([proof[-1:] + evaluated[0][:-1], *evaluated[1:]], proof[:-1], SERVER.public),
        (evaluated, proof, IDENTITY),
        (evaluated, proof, b""),
        (evaluated, proof, SERVER.public + b"\0"),
        ([*evaluated[:2], evaluated[2] + b"\0"], proof, SERVER.public),
    ):
        found = code(made.finalize, given_elements, given_proof, public)
        assert found == (VerificationError, "oprf-unproved")


def test_a_proof_of_other_elements_gives_nothing() -> None:
    made, other = Blinded([b"a"]), Blinded([b"a"])
    found = code(made.finalize, *SERVER.evaluate(other.elements), SERVER.public)
    assert found == (VerificationError, "oprf-unproved")


# --- keys at rest ---


def test_a_key_is_kept_encrypted(tmp_path: Path) -> None:
    made, path = PrivateKey.generate(), tmp_path / "key.pem"
    made.save(path, b"a passphrase")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert PrivateKey.load(path, b"a passphrase") == made
    assert made.public != PrivateKey.generate().public
    assert code(PrivateKey.load, path, b"another") == (Unreadable, "key-passphrase-wrong")
    assert code(made.save, path, b"a passphrase") == (Usage, "key-file-exists")
    assert code(made.save, tmp_path / "other.pem", b"") == (Usage, "key-passphrase-empty")


def test_neither_kind_of_key_passes_for_the_other(tmp_path: Path) -> None:
    SERVER.save(tmp_path / "pseudonyms.pem", b"a passphrase")
    found = code(load, tmp_path / "pseudonyms.pem", b"a passphrase")
    assert found == (Unreadable, "key-file-unreadable")
    for name in NAMES:
        path = tmp_path / f"{name}.pem"
        save(generate(name), path, b"a passphrase")
        found = code(PrivateKey.load, path, b"a passphrase")
        assert found == (Unreadable, "key-file-unreadable")


def test_a_private_key_is_not_shown() -> None:
    assert repr(SERVER.seed) not in repr(SERVER)


# --- pseudonyms ---


class Service:
    """Whoever holds the keys; counts what it is asked."""

    def __init__(self, *keys: PrivateKey) -> None:
        self.keys = {key.public: key for key in keys}
        self.asked: list[tuple[int, int]] = []

    def evaluate(self, epoch: Epoch, blinded: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
        self.asked.append((epoch.start, len(blinded)))
        return self.keys[epoch.public].evaluate(blinded)


def always(class_name: str, day: int) -> Epoch:
    return EPOCH


def oblivious(service: Evaluate, **more: Any) -> ObliviousPseudonyms:
    return ObliviousPseudonyms(always, service, **more)


def test_a_pseudonym_is_the_beginning_of_what_the_function_gives() -> None:
    made: Pseudonymiser = oblivious(Service(SERVER).evaluate)
    key = second.derive(SERVER.seed, b"tally/pseudonyms/v1")
    for of, identifier in (("traveller", "13800000000"), ("vehicle", "京A12345")):
        data = message(of, identifier)
        [evaluated] = second.evaluate(key, [second.blind(data, 9)])
        expected = second.output(data, 9, evaluated)[:16].hex()
        assert made.pseudonyms(of, EPOCH.start, [identifier]) == [expected]


def test_pseudonyms_are_the_same_on_every_platform_and_separate_by_class_and_key() -> None:
    made = [oblivious(Service(SERVER).evaluate), oblivious(Service(SERVER).evaluate)]
    assert len({one.pseudonyms("traveller", 0, ["a"])[0] for one in made}) == 1
    assert made[0].pseudonyms("vehicle", 0, ["a"]) != made[0].pseudonyms("traveller", 0, ["a"])
    later = Epoch(EPOCH.start + 365, OTHER.public)
    other = ObliviousPseudonyms(lambda _of, _day: later, Service(OTHER).evaluate)
    assert other.pseudonyms("traveller", 0, ["a"]) != made[0].pseudonyms("traveller", 0, ["a"])


def test_each_identifier_is_asked_once_and_in_batches() -> None:
    service = Service(SERVER)
    wanted = [f"{place % (ELEMENTS_MAX + 5)}" for place in range(3 * ELEMENTS_MAX)]
    made = oblivious(service.evaluate).pseudonyms("traveller", 0, wanted)
    assert service.asked == [(EPOCH.start, ELEMENTS_MAX), (EPOCH.start, 5)]
    assert len(made) == len(wanted)
    assert len(set(made)) == ELEMENTS_MAX + 5
    assert made[: len(wanted) - ELEMENTS_MAX - 5] == made[ELEMENTS_MAX + 5 :]
    assert oblivious(service.evaluate).pseudonyms("traveller", 0, []) == []


def test_nothing_is_kept_unless_asked_for() -> None:
    service = Service(SERVER)
    forgetful = oblivious(service.evaluate)
    first = forgetful.pseudonyms("traveller", 0, ["a"])
    assert forgetful.pseudonyms("traveller", 0, ["a"]) == first
    assert len(service.asked) == 2
    known: dict[tuple[Epoch, bytes], str] = {}
    keeping = oblivious(service.evaluate, known=known)
    assert keeping.pseudonyms("traveller", 0, ["a"]) == first
    assert keeping.pseudonyms("traveller", 0, ["a", "b"])[:1] == first
    assert service.asked[2:] == [(EPOCH.start, 1), (EPOCH.start, 1)]
    assert set(known) == {(EPOCH, message("traveller", one)) for one in ("a", "b")}
    assert "traveller" not in repr(keeping)


def test_a_service_that_uses_another_key_is_found_out() -> None:
    def cheating(epoch: Epoch, blinded: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
        return OTHER.evaluate(blinded)

    known: dict[tuple[Epoch, bytes], str] = {}
    made = oblivious(cheating, known=known)
    found = code(made.pseudonyms, "traveller", 0, ["a"])
    assert found == (VerificationError, "oprf-unproved")
    assert not known


def test_where_no_key_stands_in_the_ledger() -> None:
    before = KeyedHash(bytes(16))
    service = Service(SERVER)

    def epoch(class_name: str, day: int) -> Epoch | None:
        return EPOCH if day >= EPOCH.start and class_name == "traveller" else None

    strict = ObliviousPseudonyms(epoch, service.evaluate)
    lenient = ObliviousPseudonyms(epoch, service.evaluate, before)
    for of, day in (("traveller", EPOCH.start - 1), ("ticket", EPOCH.start)):
        assert code(strict.pseudonyms, of, day, ["a"]) == (Usage, "epoch-missing")
        assert lenient.pseudonyms(of, day, ["a"]) == before.pseudonyms(of, day, ["a"])
    assert service.asked == []
    made = [one.pseudonyms("traveller", EPOCH.start, ["a"]) for one in (strict, lenient)]
    assert made[0] == made[1] != before.pseudonyms("traveller", EPOCH.start, ["a"])


def test_identifiers_that_are_refused() -> None:
    made = oblivious(Service(SERVER).evaluate)
    for identifier, expected in (
        ("e\u0301", "text-not-nfc"),
        ("\ud800", "text-not-utf8"),
        ("a" * INPUT_BYTES_MAX, "oprf-input"),
    ):
        found = code(made.pseudonyms, "traveller", 0, ["fine", identifier])
        assert found == (Malformed, expected)
