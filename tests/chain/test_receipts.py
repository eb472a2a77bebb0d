"""Receipts: what they show, and that there is one encoding and nothing to bend."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import merkle
from chain.receipts import check_receipt, make_receipt, sign_tree
from keys import signer
from keys.errors import VerificationError
from keys.strict import dump_cbor

ORIGIN = "ledger.example/city"
LOG = signer.from_seed(b"log")
ENTRIES = [b"entry %d" % number for number in range(13)]
LEAVES = merkle.leaf_hashes(ENTRIES)
ROOT = merkle.root(LEAVES)


def signed(index: int, path: list[bytes], root: bytes, log: signer.Signer = LOG) -> bytes:
    signature = sign_tree(log, ORIGIN, 13, root)
    return make_receipt(log.public, ORIGIN, 13, index, path, signature)


def receipt_for(index: int, size: int = 13) -> bytes:
    leaves = LEAVES[:size]
    signature = sign_tree(LOG, ORIGIN, size, merkle.root(leaves))
    path = merkle.inclusion_path(leaves, index)
    return make_receipt(LOG.public, ORIGIN, size, index, path, signature)


GOOD = receipt_for(4)


def refused(data: bytes, code: str, entry: bytes = ENTRIES[4], **other: Any) -> None:
    with pytest.raises(VerificationError) as caught:
        check_receipt(data, entry, other.get("public", LOG.public), other.get("origin", ORIGIN))
    assert caught.value.code == code


def altered(**changes: Any) -> bytes:
    """The good receipt with parts of it replaced, but for the signature all as it should be."""
    protected, unprotected, payload, signature = cbor2.loads(GOOD).value
    size, index, path = cbor2.loads(unprotected[396][-1][0])
    proof = changes.get("proof", [size, index, path])
    parts = {
        "protected": protected,
        "unprotected": {396: {-1: [dump_cbor(proof)]}},
        "payload": payload,
        "signature": signature,
        **changes,
    }
    array = [parts[name] for name in ("protected", "unprotected", "payload", "signature")]
    return dump_cbor(cbor2.CBORTag(18, array))


def proof(**changes: Any) -> list[Any]:
    parts = {"size": 13, "index": 4, "path": merkle.inclusion_path(LEAVES, 4), **changes}
    return list(parts.values())


@pytest.mark.parametrize("size", range(1, 14))
def test_a_receipt_shows_size_index_and_root(size: int) -> None:
    root = merkle.root(LEAVES[:size])
    for index in range(size):
        data = receipt_for(index, size)
        assert check_receipt(data, ENTRIES[index], LOG.public, ORIGIN) == (size, index, root)
        assert receipt_for(index, size) == data


def test_a_receipt_has_the_structure_of_rfc_9942() -> None:
    message = cbor2.loads(GOOD)
    protected, unprotected, payload, signature = message.value
    assert message.tag == 18
    assert cbor2.loads(protected) == {
        1: -8,
        4: LOG.public.kid,
        15: {1: ORIGIN, 2: "tree/13"},
        395: 1,
    }
    assert unprotected.keys() == {396}
    assert unprotected[396].keys() == {-1}
    assert cbor2.loads(unprotected[396][-1][0]) == proof()
    assert payload is None
    assert LOG.public.verify(signature, cbor2.dumps(["Signature1", protected, b"", ROOT]))
    assert altered() == GOOD


def test_one_signature_serves_all_entries_of_a_tree() -> None:
    assert len({receipt_for(index)[-64:] for index in range(13)}) == 1


@pytest.mark.parametrize("index", [0, 3, 5, 12])
def test_a_receipt_for_another_entry_fails(index: int) -> None:
    refused(GOOD, "receipt-unsigned", ENTRIES[index])


def test_an_interior_node_is_no_entry() -> None:
    path = merkle.inclusion_path(LEAVES, 4)
    data = signed(4, path[1:], ROOT)
    refused(data, "inclusion-invalid", LEAVES[4] + LEAVES[5])


def test_another_key_or_origin_fails() -> None:
    refused(GOOD, "receipt-malformed", public=signer.from_seed(b"other").public)
    refused(GOOD, "receipt-malformed", origin="ledger.example/other")
    forged = signed(4, merkle.inclusion_path(LEAVES, 4), ROOT, signer.from_seed(b"other"))
    refused(forged, "receipt-malformed")


def test_a_root_that_the_log_did_not_sign_fails() -> None:
    leaves = [*LEAVES[:4], merkle.leaf_hash(b"forged"), *LEAVES[5:]]
    refused(
        altered(proof=proof(path=merkle.inclusion_path(leaves, 4))), "receipt-unsigned", b"forged"
    )
    refused(
        altered(proof=proof(index=5, path=merkle.inclusion_path(leaves, 5))), "receipt-unsigned"
    )
    refused(receipt_for(4)[:-64] + receipt_for(4, 12)[-64:], "receipt-unsigned")


def test_a_wrong_size_fails_even_where_the_path_fits_it() -> None:
    # The first of four leaves has the path that it would have among three.
    path = merkle.inclusion_path(LEAVES[:4], 0)
    root = merkle.root(LEAVES[:4])
    assert merkle.root_from_inclusion(LEAVES[0], 0, 3, path) == root
    protected, _, payload, signature = cbor2.loads(receipt_for(0, 4)).value
    unprotected = {396: {-1: [dump_cbor([3, 0, path])]}}
    array = [protected, unprotected, payload, signature]
    refused(dump_cbor(cbor2.CBORTag(18, array)), "receipt-malformed", ENTRIES[0])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"index": 5}, "receipt-unsigned"),
        ({"index": 12}, "inclusion-invalid"),
        ({"index": 13}, "inclusion-invalid"),
        ({"index": -1}, "inclusion-invalid"),
        ({"index": 2**70}, "inclusion-invalid"),
        ({"index": 4.0}, "receipt-malformed"),
        ({"index": True}, "receipt-malformed"),
        ({"size": 12}, "receipt-malformed"),
        ({"size": -1}, "receipt-malformed"),
        ({"size": 2**64}, "receipt-malformed"),
        ({"size": 2**20_000}, "receipt-malformed"),
        ({"size": "13"}, "receipt-malformed"),
        ({"path": []}, "inclusion-invalid"),
        ({"path": [*proof()[2], bytes(32)]}, "inclusion-invalid"),
        ({"path": [*proof()[2][:-1], bytes(31)]}, "inclusion-invalid"),
        ({"path": [*proof()[2][:-1], bytes(32)]}, "receipt-unsigned"),
        ({"path": [*proof()[2][:-1], "text"]}, "receipt-malformed"),
        ({"path": b"".join(proof()[2])}, "receipt-malformed"),
        ({"path": None}, "receipt-malformed"),
        ({"more": 0}, "receipt-malformed"),
    ],
)
def test_an_altered_proof_fails(changes: dict[str, Any], code: str) -> None:
    refused(altered(proof=proof(**changes)), code)


ONE = dump_cbor(proof())


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": ROOT},
        {"payload": b""},
        {"signature": None},
        {"signature": "text"},
        {"unprotected": {}},
        {"unprotected": []},
        {"unprotected": {396: {}}},
        {"unprotected": {396: {-1: []}}},
        {"unprotected": {396: {-1: ONE}}},
        {"unprotected": {396: {-1: [ONE, ONE]}}},
        {"unprotected": {396: {-1: [proof()]}}},
        {"unprotected": {396: {-2: [ONE]}}},
        {"unprotected": {396: {-1: [ONE], -2: []}}},
        {"unprotected": {396: {-1: [ONE]}, 4: b"kid"}},
        {"protected": b""},
        {"protected": dump_cbor({1: -8, 395: 1})},
        {"protected": dump_cbor({1: -7, 4: LOG.public.kid, 15: {1: ORIGIN, 2: "tree/13"}, 395: 1})},
        {"protected": dump_cbor({1: -8, 4: LOG.public.kid, 15: {1: ORIGIN, 2: "tree/13"}, 395: 2})},
        {"protected": dump_cbor({1: -8, 4: LOG.public.kid, 15: {1: ORIGIN, 2: "tree/12"}, 395: 1})},
    ],
)
def test_any_other_structure_fails(changes: dict[str, Any]) -> None:
    refused(altered(**changes), "receipt-malformed")


def test_a_wrong_signature_fails() -> None:
    refused(altered(signature=bytes(64)), "receipt-unsigned")
    refused(altered(signature=b""), "receipt-unsigned")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[1:], id="no tag"),
        pytest.param(b"\xd1" + GOOD[1:], id="another tag"),
        pytest.param(GOOD + b"\0", id="trailing byte"),
        pytest.param(GOOD[:-1], id="cut short"),
        pytest.param(b"\xd8\x12" + GOOD[1:], id="tag in a longer form"),
        pytest.param(b"\xd2\x9f" + GOOD[2:] + b"\xff", id="array of indefinite length"),
        pytest.param(b"\x81" * 60_000, id="deep nesting"),
        pytest.param(GOOD + bytes(100_000), id="too long"),
        pytest.param(dump_cbor(cbor2.CBORTag(18, 7)), id="a tag on a number"),
        pytest.param(dump_cbor(cbor2.CBORTag(18, [7, 7, 7, 7])), id="an array of numbers"),
    ],
)
def test_other_bytes_are_no_receipt(data: bytes) -> None:
    refused(data, "receipt-malformed")


@given(at=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_no_bit_of_a_receipt_can_change(at: int, bit: int) -> None:
    data = GOOD[:at] + bytes([GOOD[at] ^ 1 << bit]) + GOOD[at + 1 :]
    with pytest.raises(VerificationError):
        check_receipt(data, ENTRIES[4], LOG.public, ORIGIN)


@given(data=st.binary(max_size=200))
def test_nothing_but_a_verification_error_comes_out(data: bytes) -> None:
    for candidate in (data, GOOD[:80] + data, data + GOOD[80:]):
        if candidate != GOOD:
            with pytest.raises(VerificationError):
                check_receipt(candidate, ENTRIES[4], LOG.public, ORIGIN)
