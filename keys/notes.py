"""Signed notes, checkpoints and their cosignatures, as C2SP has them.

A note (c2sp.org/signed-note) is UTF-8 text that ends in a newline, an empty line, and signature
lines:

    <text>
                                                        (an empty line)
    — <key name> <base64 of 4 bytes key id ‖ signature>

The key id is the beginning of SHA-256(key name ‖ newline ‖ type byte ‖ public key).  A key is
given as ``<key name>+<key id in hexadecimal>+<base64 of type byte ‖ public key>``.

A checkpoint (c2sp.org/tlog-checkpoint) is a note whose text is three lines: the origin, the
tree size in decimal, the root hash in base64.  Further lines are refused here.

The type byte says by which suite a signature is, and over what.  0x01 is Ed25519 over the text.
0x04 and 0x06 are timestamped cosignatures of checkpoints (c2sp.org/tlog-cosignature): 8 bytes of
unix seconds, big-endian, and a signature.  With 0x04 it is Ed25519 over

    cosignature/v1
    time <unix seconds in decimal>
    <text>

and with 0x06 ML-DSA-44 over what the checkpoint says, integers of 8 bytes in big-endian:

    "subtree/v1", a newline, a zero byte
    the key name, after its length in one byte
    the unix seconds
    the origin, after its length in one byte
    0, the tree size, the root hash

A note is at most 65,536 bytes of text and 100 signatures.  The parser writes again what it has
read and compares.  A signature by a key that nobody asked for is nobody's concern.
"""

import hashlib
import re
from dataclasses import dataclass

from keys import suites
from keys.errors import Malformed, VerificationError
from keys.signer import Signer
from keys.strict import INTEGER_MAX, dump_base64, parse_base64, parse_hex
from keys.suites import PublicKey

NOTE_TEXT_BYTES_MAX = 65_536
NOTE_SIGNATURES_MAX = 100
NOTE_BYTES_MAX = 1_048_576
COSIGNED_NAME_BYTES_MAX = 255
KEY_ID_BYTES = 4
ROOT_BYTES = 32

_SUBTREE = 0x06
_LINE_START = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("text-not-utf8") from None


def _check_name(name: str) -> None:
    if not name or "+" in name or _CONTROL.search(name) or any(map(str.isspace, name)):
        raise Malformed("note-key-name", name=name[:80])
    _encode(name)


@dataclass(frozen=True)
class NoteKey:
    """A key that notes are checked with.

    cosigner: whether its signatures are timestamped cosignatures or plain ones.  Raises `Malformed`
    unless the key is sound and its suite is for that.
    """

    name: str
    public: PublicKey
    cosigner: bool

    def __post_init__(self) -> None:
        _check_name(self.name)
        self.public.check()
        _ = self.type_byte

    @property
    def type_byte(self) -> int:
        """What its signatures are; see the module's text."""
        return suites.by_alg(self.public.alg).type_byte(self.cosigner)

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that signature lines carry."""
        return hashlib.sha256(_encode(self.name) + b"\n" + self._material).digest()[:KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as text, as `parse_vkey` reads it."""
        return f"{self.name}+{self.key_id.hex()}+{dump_base64(self._material)}"

    @property
    def _material(self) -> bytes:
        return bytes([self.type_byte]) + self.public.raw


def parse_vkey(text: str) -> NoteKey:
    """Read a verifier key; raises `Malformed`."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Malformed("vkey-malformed")
    name, key_id, encoded = parts
    material = parse_base64(encoded)
    if not material:
        raise Malformed("vkey-malformed")
    suite, cosigner = suites.by_note_type(material[0])
    key = NoteKey(name, PublicKey(suite.alg, material[1:]), cosigner)
    if parse_hex(key_id, KEY_ID_BYTES) != key.key_id:
        raise Malformed("vkey-malformed")
    return key


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: key name, key id (4 bytes), and the signature in the form of its key."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise Malformed("note-malformed", reason="signature")


@dataclass(frozen=True)
class Note:
    """A text, ending in a newline, and its 1 to 100 signatures, none of them checked yet."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or _CONTROL.search(self.text):
            raise Malformed("note-malformed", reason="text")
        if len(_encode(self.text)) > NOTE_TEXT_BYTES_MAX:
            raise Malformed("note-size", limit=NOTE_TEXT_BYTES_MAX)
        if not 1 <= len(self.signatures) <= NOTE_SIGNATURES_MAX:
            raise Malformed("note-signatures", limit=NOTE_SIGNATURES_MAX)


def format_note(note: Note) -> bytes:
    """The note as UTF-8, as `parse_note` reads it."""
    lines = map(format_signature, note.signatures)
    return (note.text + "\n" + "".join(lines)).encode("utf-8")


def format_signature(line: NoteSignature) -> str:
    """The signature line, with its newline."""
    return f"{_LINE_START}{line.name} {dump_base64(line.key_id + line.signature)}\n"


def parse_note(data: bytes) -> Note:
    """Read a note; raises `Malformed`.  Nothing is verified: see `signed_by`."""
    if len(data) > NOTE_BYTES_MAX:
        raise Malformed("note-size", limit=NOTE_BYTES_MAX)
    try:
        source = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("text-not-utf8") from None
    # No signature line is empty, so the last empty line is the one that ends the text.
    end = source.rfind("\n\n") + 1
    text, lines = source[:end], source[end + 1 :].split("\n")[:-1]
    if len(lines) > NOTE_SIGNATURES_MAX:
        raise Malformed("note-signatures", limit=NOTE_SIGNATURES_MAX)
    note = Note(text, tuple(map(_parse_line, lines)))
    if format_note(note) != data:
        raise Malformed("note-malformed", reason="encoding")
    return note


def _parse_line(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_LINE_START).partition(" ")
    raw = parse_base64(encoded)
    return NoteSignature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def sign_note(text: str, name: str, signer: Signer) -> NoteSignature:
    """The plain signature line of ``signer``, under the key name ``name``, for a note's text."""
    key = NoteKey(name, signer.public, cosigner=False)
    return NoteSignature(name, key.key_id, signer.sign(_encode(text)))


def cosign(text: str, name: str, signer: Signer, time: int) -> NoteSignature:
    """The cosignature line of ``signer`` for a checkpoint's text.  time: unix seconds.

    Raises `Malformed` if the suite is not for cosignatures, or its cosignature cannot say this.
    """
    if not 0 <= time <= INTEGER_MAX:
        raise Malformed("note-malformed", reason="time")
    key = NoteKey(name, signer.public, cosigner=True)
    signature = time.to_bytes(8, "big") + signer.sign(_cosigned(key, text, time))
    return NoteSignature(name, key.key_id, signature)


def signed_by(note: Note, key: NoteKey) -> int | None:
    """Whether, and when, ``key`` has signed ``note``.

    None if no line carries its name and key id; otherwise the latest timestamp in unix seconds, 0
    for a plain key.  Raises `VerificationError` "note-signature-invalid" if one of its lines does
    not verify.
    """
    key_id = key.key_id
    found = {
        line.signature
        for line in note.signatures
        if line.name == key.name and line.key_id == key_id
    }
    return max((_verify(note.text, signature, key) for signature in found), default=None)


def _verify(text: str, signature: bytes, key: NoteKey) -> int:
    time, message = 0, _encode(text)
    if key.cosigner:
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        try:
            message = _cosigned(key, text, time)
        except Malformed as error:
            raise VerificationError("note-signature-invalid", name=key.name) from error
    if time > INTEGER_MAX or not key.public.verify(signature, message):
        raise VerificationError("note-signature-invalid", name=key.name)
    return time


def _cosigned(key: NoteKey, text: str, time: int) -> bytes:
    """What a cosignature is over; raises `Malformed` if none of this key can be over ``text``."""
    if key.type_byte != _SUBTREE:
        return b"cosignature/v1\ntime %d\n" % time + _encode(text)
    checkpoint = parse_checkpoint(text)
    return b"".join(
        [
            b"subtree/v1\n\0",
            _counted(key.name),
            time.to_bytes(8, "big"),
            _counted(checkpoint.origin),
            bytes(8),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        ]
    )


def _counted(name: str) -> bytes:
    """A name after its length in one byte."""
    data = _encode(name)
    if len(data) > COSIGNED_NAME_BYTES_MAX:
        raise Malformed("cosigned-name-size", name=name[:80], limit=COSIGNED_NAME_BYTES_MAX)
    return bytes([len(data)]) + data


@dataclass(frozen=True)
class Checkpoint:
    """A log's tree head.  origin: the log's name.  size: leaves, below 2^63.  root: 32 bytes."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin or _CONTROL.search(self.origin):
            raise Malformed("checkpoint-malformed", reason="origin")
        if not 0 <= self.size <= INTEGER_MAX:
            raise Malformed("checkpoint-malformed", reason="size")
        if len(self.root) != ROOT_BYTES:
            raise Malformed("checkpoint-malformed", reason="root")

    @property
    def text(self) -> str:
        """The text of its note: three lines."""
        return f"{self.origin}\n{self.size}\n{dump_base64(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint's note; raises `Malformed`, also for extension lines."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise Malformed("checkpoint-malformed", reason="lines")
    origin, size, root, _ = lines
    if not _SIZE.fullmatch(size):
        raise Malformed("checkpoint-malformed", reason="size")
    return Checkpoint(origin, int(size), parse_base64(root, ROOT_BYTES))
