"""Receipts: what the log gives to whoever submitted a statement (RFC 9942, COSE Receipts).

A receipt shows that an entry stands in the log, under a root that the log's key has signed.  It is
a COSE_Sign1 (RFC 9052, section 4.2), CBOR tag 18 on an array of four:

    protected    bytes: the deterministic CBOR map
                     1: algorithm (COSE number)
                     4: kid, the log key's (`keys.suites`)
                    15: claims (RFC 9597), a map
                         1: iss, the log's origin
                         2: sub, "tree/SIZE", the tree whose root is signed
                   395: 1, the tree is RFC9162_SHA256 (RFC 9942, section 5)
    unprotected  the map {396: {-1: [proof]}}, the proof being the bytes of the CBOR array
                 [tree size, leaf index, [path hashes, leaf to root]] (RFC 9942, section 5.2)
    payload      nil: the root is detached, and follows from the entry and the proof
    signature    bytes, over the Sig_structure (RFC 9052, section 4.4): the CBOR array of
                 "Signature1", the protected bytes, no bytes, and the root

A root alone does not say how many leaves are below it, so the size is signed in ``sub`` as well.
All of it is deterministic CBOR.  The checker takes the proof and the signature out, writes the
receipt again as this log would have, and compares: for one log, key and entry of a tree there is
one encoding.  RFC 9942 gives a tree of one entry no path; here it is the empty array.
"""

from collections.abc import Sequence

import cbor2

from chain.merkle import SIZE_MAX, leaf_hash, root_from_inclusion
from keys.errors import Malformed, VerificationError
from keys.signer import Signer
from keys.strict import dump_cbor, parse_cbor
from keys.suites import PublicKey

RECEIPT_BYTES_MAX = 65_535

_COSE_SIGN1 = 18
_ALG, _KID, _CLAIMS, _VDS, _PROOFS = 1, 4, 15, 395, 396
_ISS, _SUB = 1, 2
_RFC9162_SHA256 = 1
_INCLUSION = -1


def _protected(public: PublicKey, origin: str, size: int) -> bytes:
    claims = {_ISS: origin, _SUB: f"tree/{size}"}
    return dump_cbor({_ALG: public.alg, _KID: public.kid, _CLAIMS: claims, _VDS: _RFC9162_SHA256})


def _signed(protected: bytes, root: bytes) -> bytes:
    return dump_cbor(["Signature1", protected, b"", root])


def _encode(
    protected: bytes, size: int, index: int, path: Sequence[bytes], signature: bytes
) -> bytes:
    proof = dump_cbor([size, index, list(path)])
    array = [protected, {_PROOFS: {_INCLUSION: [proof]}}, None, signature]
    return dump_cbor(cbor2.CBORTag(_COSE_SIGN1, array))


def sign_tree(signer: Signer, origin: str, size: int, root: bytes) -> bytes:
    """The log's signature over a tree; all receipts of that tree carry it."""
    return signer.sign(_signed(_protected(signer.public, origin, size), root))


def make_receipt(
    public: PublicKey, origin: str, size: int, index: int, path: Sequence[bytes], signature: bytes
) -> bytes:
    """The receipt for the entry at ``index`` of the tree of ``size``.

    public: the log's key.  origin: the log's name, as in its checkpoints.  path: the inclusion
    path, 32-byte hashes.  signature: of `sign_tree`.  The same arguments give the same bytes.
    """
    return _encode(_protected(public, origin, size), size, index, path, signature)


def check_receipt(
    data: bytes, entry: bytes, public: PublicKey, origin: str
) -> tuple[int, int, bytes]:
    """Check that the log of this origin and key has signed a tree with ``entry`` in it.

    Gives the tree's size, the entry's index, and the root.

    Raises `VerificationError`: "receipt-malformed" for anything but this log's own encoding,
    "inclusion-invalid" if the path does not fit its size and index, and "receipt-unsigned" if the
    signature is not over the root that follows from the entry.
    """
    size, index, path, signature = _parse(data, origin)
    protected = _protected(public, origin, size)
    if _encode(protected, size, index, path, signature) != data:
        raise VerificationError("receipt-malformed", origin=origin)
    root = root_from_inclusion(leaf_hash(entry), index, size, path)
    if not public.verify(signature, _signed(protected, root)):
        raise VerificationError("receipt-unsigned", origin=origin)
    return size, index, root


def _parse(data: bytes, origin: str) -> tuple[int, int, Sequence[bytes], bytes]:
    """The parts of a receipt that its log and key do not settle, each of the right type."""
    try:
        if len(data) <= RECEIPT_BYTES_MAX:
            _, unprotected, _, signature = parse_cbor(data).value
            (proof,) = unprotected[_PROOFS][_INCLUSION]
            size, index, path = parse_cbor(proof)
            if (
                type(size) is type(index) is int
                and 0 <= size <= SIZE_MAX
                and isinstance(path, list | tuple)
                and all(isinstance(part, bytes) for part in (*path, signature))
            ):
                return size, index, path, signature
    except (Malformed, AttributeError, LookupError, TypeError, ValueError):
        pass  # whatever it is, it has not the shape of a receipt
    raise VerificationError("receipt-malformed", origin=origin)
