"""What every witness does: the call ``add-checkpoint`` of c2sp.org/tlog-witness, without a network.

A log *offers* a checkpoint, with the proof that it goes on from the one that was cosigned last::

    old <size that was cosigned last>
    <hash in base64>                    (the consistency path, RFC 9162, section 2.1.4: 0 to 63)
                                        (an empty line)
    <the note of the checkpoint>

It is answered with 200 and the witness's cosignatures, a signature line each; or with

    400  the offer cannot be read, or its old size is above that of its checkpoint
    404  the origin is of no log that the witness knows
    403  no key of that log has signed the checkpoint, or not with the signature that stands there
    409  another size was cosigned last; the body is that size in decimal, as ``text/x.tlog.size``;
         or another root of this size
    422  the checkpoint does not go on from the one cosigned last, or not as the rules say
    503  nothing is decided, and the same may be offered again

All other bodies are a JSON object whose one member ``error`` says why (`keys.errors`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from chain import merkle
from keys.errors import Busy, Fault, Malformed, TallyError, Unreadable, VerificationError
from keys.notes import (
    NOTE_BYTES_MAX,
    Checkpoint,
    NoteSignature,
    format_signature,
    parse_checkpoint,
    parse_note,
)
from keys.strict import dump_base64, dump_json, parse_base64
from verifier.policy import Policy, Signed

OFFER_HASHES_MAX = 63
OFFER_BYTES_MAX = NOTE_BYTES_MAX + 4_096
RETRY_SECONDS = 5
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_STATUS = {
    "witness-origin-unknown": 404,
    "checkpoint-log-unknown": 403,
    "note-signature-invalid": 403,
    "witness-size-differs": 409,
    "checkpoint-forked": 409,
}


@dataclass(frozen=True)
class Offer:
    """A checkpoint that is offered.

    old: the size that the witness has cosigned last, as far as the log knows.  proof: the
    consistency path from there.  note: that of the checkpoint, with the log's signature.
    """

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    def dump(self) -> bytes:
        """The body of the request."""
        lines = [f"old {self.old}", *map(dump_base64, self.proof)]
        return "".join(f"{line}\n" for line in [*lines, ""]).encode() + self.note


def parse_offer(data: bytes) -> Offer:
    """Read the body of a request; raises `Malformed`."""
    if len(data) > OFFER_BYTES_MAX:
        raise Malformed("offer-malformed", reason=f"more than {OFFER_BYTES_MAX} bytes")
    head, end, note = data.partition(b"\n\n")
    try:
        old, *hashes = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("offer-malformed", reason="ASCII") from None
    match = _OLD.fullmatch(old)
    if not end or match is None:
        raise Malformed("offer-malformed", reason="old size")
    if len(hashes) > OFFER_HASHES_MAX:
        raise Malformed("offer-malformed", reason=f"more than {OFFER_HASHES_MAX} hashes")
    proof = tuple(parse_base64(line, merkle.HASH_SIZE) for line in hashes)
    return Offer(int(match[1]), proof, note)


def check_offer(offer: Offer, policy: Policy, latest: Checkpoint | None) -> Signed:
    """What every witness asks of an offer, in the order of the specification.

    policy: the log's keys; nothing else of it counts.  latest: what was cosigned last.  Raises
    `Malformed` if it cannot be read, `VerificationError` "witness-origin-unknown",
    "checkpoint-log-unknown", "note-signature-invalid", "witness-size-differs",
    "checkpoint-forked", "consistency-invalid".
    """
    note = parse_note(offer.note)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin not in {log.name for log in policy.logs}:
        raise VerificationError("witness-origin-unknown", origin=checkpoint.origin)
    signed = policy.check(note)
    if offer.old > checkpoint.size:
        raise Malformed("offer-malformed", reason="old size")
    size, root = (latest.size, latest.root) if latest else (0, merkle.EMPTY_ROOT)
    if offer.old != size:
        raise VerificationError("witness-size-differs", old=offer.old, size=size)
    if latest is not None and checkpoint.size == size and checkpoint.root != root:
        raise VerificationError("checkpoint-forked")
    merkle.verify_consistency(size, root, checkpoint.size, checkpoint.root, offer.proof)
    return signed


class Answer(NamedTuple):
    """An answer over HTTP."""

    status: int
    kind: str
    """The Content-Type."""
    body: bytes
    headers: Mapping[str, str] = {}


def cosigned(*signatures: NoteSignature) -> Answer:
    """The answer to an offer that was accepted."""
    body = "".join(map(format_signature, signatures)).encode()
    return Answer(200, "text/plain; charset=utf-8", body)


def refused(error: TallyError) -> Answer:
    """The answer to an offer that was not."""
    status = _STATUS.get(error.code)
    if error.code == "witness-size-differs":
        return Answer(409, "text/x.tlog.size", f"{error.details['size']}\n".encode())
    if status is None and isinstance(error, Malformed):
        status = 400
    body = dump_json({"error": error.as_json()})
    if status is None and isinstance(error, Busy | Unreadable | Fault):
        return Answer(503, "application/json", body, {"Retry-After": str(RETRY_SECONDS)})
    return Answer(status or 422, "application/json", body)
