"""Keys and signatures of each suite; notes, checkpoints and cosignatures; receipts; policies."""

import base64
import functools
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from support.bundles import (
    AUDITORS,
    ENOUGH,
    LOG_VKEY,
    PLAIN_TEXT,
    QUORUM_TEXT,
    WITNESSES,
    ledger,
    vkey,
    world,
)
from support.city import ORIGIN, key
from support.forging import IDENTITY, high_s, small_r
from support.vectors import curve
from support.vectors.common import Case, Vectors, accepted, digits, refused, source

from chain import merkle
from chain.receipts import check_receipt, make_receipt, sign_tree
from keys.notes import (
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    cosign,
    format_note,
    parse_checkpoint,
    sign_note,
)
from keys.participants import key_holder
from keys.signer import KeySigner, from_seed
from keys.strict import dump_base64, dump_json
from keys.suites import ED25519, ES256, ML_DSA_44, PublicKey
from verifier.policy import POLICY_BYTES_MAX, parse_policy

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
COSIGNATURE = Path(__file__).with_name("ml-dsa-44.cosignature")
"""Signing with ML-DSA draws on chance, so one cosignature is kept: over the checkpoint below."""
ML_DSA_NAME, ML_DSA_SEED = "auditor-1.example", "tests/auditor-1"


def secret(seed: str) -> bytes:
    """The 32 bytes that a named seed stands for."""
    return sha256(b"tally/seed/v1\n" + seed.encode()).digest()


def signer(alg: int, seed: str) -> KeySigner:
    """The key of a suite that a named seed stands for."""
    if alg == ES256.alg:
        private = ec.derive_private_key(int.from_bytes(secret(seed)), ec.SECP256R1())
        return KeySigner(ES256, private)
    if alg == ML_DSA_44.alg:
        return KeySigner(ML_DSA_44, MLDSA44PrivateKey.from_seed_bytes(secret(seed)))
    return from_seed(seed.encode())


# --- keys.json ---


def key_vectors() -> Vectors:
    """keys.json."""
    return Vectors(
        "Public keys, sound and unsound, and signatures of each suite.",
        [4, 5],
        {
            "public": _publics(),
            "json": _keys_in_json(),
            "signatures": [*_ed25519_signatures(), *_es256_signatures(), *_ml_dsa_signatures()],
            "signing": _signing(),
        },
    )


def _publics() -> list[Case]:
    good = [
        ("ed25519 of metro-app", from_seed(b"tests/metro-app").public),
        ("ed25519 of the operator", from_seed(b"tests/operator").public),
        ("ed25519 of mixed order", PublicKey(ED25519.alg, _mixed_key()[0])),
        ("es256 of metro-app", signer(ES256.alg, "tests/metro-app").public),
        ("ml-dsa-44 of auditor-1", signer(ML_DSA_44.alg, ML_DSA_SEED).public),
    ]
    p = curve.P
    small = [curve.encode(curve.times(number, curve.of_order_8())) for number in range(8)]
    point = signer(ES256.alg, "tests/metro-app").public.raw
    edwards = {
        **{f"ed25519, of small order, {n} times one of 8": raw for n, raw in enumerate(small)},
        "ed25519, y = 1 with a sign": (1 | 1 << 255).to_bytes(32, "little"),
        "ed25519, y = -1 with a sign": (p - 1 | 1 << 255).to_bytes(32, "little"),
        "ed25519, y = p": p.to_bytes(32, "little"),
        "ed25519, y = p + 1": (p + 1).to_bytes(32, "little"),
        "ed25519, y = p + 3": (p + 3).to_bytes(32, "little"),
        "ed25519, y = 2^255 - 1": (2**255 - 1).to_bytes(32, "little"),
        "ed25519, not on the curve": (2).to_bytes(32, "little"),
        "ed25519, empty": b"",
        "ed25519, a byte too short": bytes(31),
        "ed25519, a byte too long": good[0][1].raw + b"\0",
    }
    p256 = {
        "es256, compressed": bytes([2 + point[-1] % 2]) + point[1:33],
        "es256, hybrid": bytes([6 + point[-1] % 2]) + point[1:],
        "es256, the point at infinity": b"\0",
        "es256, zeros": b"\4" + bytes(64),
        "es256, not on the curve": point[:-1] + bytes([point[-1] ^ 1]),
        "es256, x = p": b"\4" + P256_P.to_bytes(32) + point[33:],
        "es256, y beyond p": point[:33] + bytes([255] * 32),
        "es256, without its first byte": point[1:],
        "es256, a byte too long": point + b"\0",
        "es256, an ed25519 key": good[0][1].raw,
    }
    lattice = {"ml-dsa-44, a byte too short": good[4][1].raw[:-1]}
    return [
        *(
            accepted(
                f"key: {name}",
                alg=public.alg,
                public=public.raw,
                kid=public.kid,
                holder=key_holder(public),
            )
            for name, public in good
        ),
        *(
            refused(f"key: {name}", "key-invalid", alg=alg, public=raw)
            for alg, of in ((ED25519.alg, edwards), (ES256.alg, p256), (ML_DSA_44.alg, lattice))
            for name, raw in of.items()
        ),
        *(
            refused(f"key: of algorithm {alg}", "suite-unknown", alg=alg, public=good[0][1].raw)
            for alg in (0, 8, -9, -19, -35, -257)
        ),
    ]


def _keys_in_json() -> list[Case]:
    public = key("metro-app").public
    es256 = signer(ES256.alg, "tests/metro-app").public
    lattice = signer(ML_DSA_44.alg, ML_DSA_SEED).public
    said = public.as_json()
    encoded = str(said["public"])
    bad: dict[str, tuple[str, Any]] = {
        "a field more": ("field-unknown", {**said, "kid": public.kid.hex()}),
        "without its algorithm": ("field-missing", {"public": encoded}),
        "an algorithm that is a text": ("field-type", {**said, "alg": "EdDSA"}),
        "an algorithm that is true": ("field-type", {**said, "alg": True}),
        "of another suite": ("suite-unknown", {**said, "alg": -35}),
        "of a suite that signs no statements": ("suite-not-for-statements", lattice.as_json()),
        "hexadecimal": ("base64-not-canonical", {**said, "public": "zz" + public.raw.hex()}),
        "base64 without padding": ("base64-not-canonical", {**said, "public": encoded[:-1]}),
        "unsound": ("key-invalid", {**said, "public": dump_base64(IDENTITY)}),
        "a list": ("field-type", [said]),
    }
    return [
        *(
            accepted(
                f"key in JSON: {name}",
                text=dump_json(of.as_json()).decode(),
                alg=of.alg,
                public=of.raw,
            )
            for name, of in (("ed25519", public), ("es256", es256))
        ),
        *(
            refused(f"key in JSON: {name}", code, text=dump_json(value).decode())
            for name, (code, value) in bad.items()
        ),
    ]


@functools.cache
def _mixed_key() -> tuple[bytes, int]:
    """A key of mixed order, and the scalar of its part of order L."""
    scalar = curve.secret(key("mixed"))
    return curve.encode(curve.add(curve.times(scalar, curve.BASE), curve.of_order_8())), scalar


def _mixed_signature() -> tuple[bytes, bytes]:
    """A message and its signature under the key of mixed order: k has to be a multiple of 8."""
    public, scalar = _mixed_key()
    for number in range(10_000):
        message = b"message %d" % number
        signature = curve.sign_as(public, scalar, message)
        if curve.hashed(signature[:32], public, message) % 8 == 0:
            return message, signature
    raise AssertionError("none found")


RFC_8032 = (
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
)
"""Section 7.1, the first test: the public key and the signature of the empty message."""


def _ed25519_signatures() -> list[Case]:
    of, message = key("metro-app"), b"a message"
    public, good = of.public.raw, of.sign(message)
    mixed_message, mixed = _mixed_signature()
    scalar = curve.secret(of)
    beside = curve.sign_as(public, scalar, message, curve.of_order_8())
    shown = (curve.P + 3).to_bytes(32, "little")
    tried: list[tuple[str, bool, bytes, bytes, bytes]] = [
        ("good", True, public, message, good),
        ("of nothing, RFC 8032", True, bytes.fromhex(RFC_8032[0]), b"", bytes.fromhex(RFC_8032[1])),
        ("under a key of mixed order", True, _mixed_key()[0], mixed_message, mixed),
        ("with another nonce", True, public, message, curve.sign_as(public, scalar, message)),
        ("of another message", False, public, message + b" ", good),
        ("of another key", False, public, message, key("pay-app").sign(message)),
        ("S + L", False, public, message, high_s(good)),
        ("S = L", False, public, message, good[:32] + curve.L.to_bytes(32, "little")),
        ("R of order 1, the equation holds", False, public, message, small_r(of, message)),
        ("R with a part of small order, only eight times the equation holds", False, public,
         message, beside),
        ("R not below p", False, public, message, shown + good[32:]),
        ("R and S swapped", False, public, message, good[32:] + good[:32]),
        ("zeros", False, public, message, bytes(64)),
        ("R = 1, S = 0 under the key 1", False, IDENTITY, message, IDENTITY + bytes(32)),
        ("a byte too short", False, public, message, good[:-1]),
        ("a byte too long", False, public, message, good + b"\0"),
        ("nothing", False, public, message, b""),
    ]  # fmt: skip
    return [
        _signature(f"ed25519: {name}", is_good, ED25519.alg, *parts)
        for name, is_good, *parts in tried
    ]


def _es256_signatures() -> list[Case]:
    of, message = signer(ES256.alg, "tests/metro-app"), b"a message"
    public, good = of.public.raw, of.sign(message)
    r, s = int.from_bytes(good[:32]), int.from_bytes(good[32:])
    high = good[:32] + (P256_N - s).to_bytes(32)
    other = signer(ES256.alg, "tests/pay-app").sign(message)
    tried: list[tuple[str, bool, bytes, bytes, bytes]] = [
        ("good", True, public, message, good),
        ("of nothing", True, public, b"", of.sign(b"")),
        ("of another message", False, public, message + b" ", good),
        ("of another key", False, public, message, other),
        ("the higher s", False, public, message, high),
        ("r = 0", False, public, message, bytes(32) + good[32:]),
        ("s = 0", False, public, message, good[:32] + bytes(32)),
        ("r = n", False, public, message, P256_N.to_bytes(32) + good[32:]),
        ("s + n", False, public, message, good[:32] + (s + P256_N).to_bytes(33)[-32:]),
        ("r and s swapped", False, public, message, good[32:] + good[:32]),
        ("in DER", False, public, message, encode_dss_signature(r, s)),
        ("a byte too short", False, public, message, good[:-1]),
        ("a byte too long", False, public, message, good + b"\0"),
        ("nothing", False, public, message, b""),
        ("under a compressed key", False, bytes([2 + public[-1] % 2]) + public[1:33], message,
         good),
    ]  # fmt: skip
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    return [
        _signature(f"es256: {name}", is_good, ES256.alg, *parts) for name, is_good, *parts in tried
    ]


def _ml_dsa_signatures() -> list[Case]:
    public = signer(ML_DSA_44.alg, ML_DSA_SEED).public.raw
    good = kept_cosignature()[8:]
    message = _subtree(ML_DSA_NAME, CHECKPOINT)
    tried = [
        ("good", True, message, good),
        ("of another message", False, message + b" ", good),
        ("a bit changed", False, message, bytes([good[0] ^ 1]) + good[1:]),
    ]
    return [
        _signature(f"ml-dsa-44: {name}", is_good, ML_DSA_44.alg, public, *parts)
        for name, is_good, *parts in tried
    ]


def _signature(
    name: str, is_good: bool, alg: int, public: bytes, message: bytes, signature: bytes
) -> Case:
    fields = {"alg": alg, "public": public, "message": message, "signature": signature}
    return accepted(name, **fields) if is_good else refused(name, None, **fields)


def _signing() -> list[Case]:
    made = []
    for alg, name in ((ED25519.alg, "ed25519"), (ES256.alg, "es256")):
        for seed in ("tests/metro-app", "tests/pay-app"):
            of, message = signer(alg, seed), b"what is signed"
            made.append(
                accepted(
                    f"signing: {name} with {seed}",
                    alg=alg,
                    seed=seed,
                    message=message,
                    secret=secret(seed),
                    public=of.public.raw,
                    signature=of.sign(message),
                )
            )
    return made


# --- notes.json ---

CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, sha256(b"root").digest())
TIME = 1_772_424_090
# The examples of c2sp.org/signed-note and c2sp.org/tlog-cosignature.
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXs\
YjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""


def _subtree(name: str, checkpoint: Checkpoint, time: int = TIME) -> bytes:
    """What an ML-DSA cosignature is over."""
    origin = checkpoint.origin.encode()
    return b"".join(
        [
            b"subtree/v1\n\0",
            bytes([len(name)]) + name.encode(),
            time.to_bytes(8),
            bytes([len(origin)]) + origin,
            bytes(8),
            checkpoint.size.to_bytes(8),
            checkpoint.root,
        ]
    )


@functools.cache
def kept_cosignature() -> bytes:
    """The time and the ML-DSA signature that are kept in a file; made once, where it is lost."""
    of = signer(ML_DSA_44.alg, ML_DSA_SEED)
    if not COSIGNATURE.exists():
        line = cosign(CHECKPOINT.text, ML_DSA_NAME, of, TIME)
        COSIGNATURE.write_text(base64.encodebytes(line.signature).decode(), "ascii")
    return base64.decodebytes(COSIGNATURE.read_bytes())


def note_vectors() -> Vectors:
    """notes.json."""
    return Vectors(
        "Verifier keys, signed notes, checkpoints, cosignatures of both kinds.",
        [18],
        {
            "vkeys": _vkeys(),
            "notes": _notes(),
            "signed": _signed(),
            "checkpoints": _checkpoints(),
            "signing": _note_signing(),
        },
    )


def _vkey(type_byte: int, public: bytes, name: str = "x.example") -> str:
    material = bytes([type_byte]) + public
    key_id = sha256(name.encode() + b"\n" + material).hexdigest()[:8]
    return f"{name}+{key_id}+{dump_base64(material)}"


def _vkeys() -> list[Case]:
    public = key("operator").public
    lattice = signer(ML_DSA_44.alg, ML_DSA_SEED).public
    log = NoteKey(ORIGIN, public, cosigner=False)
    good = {
        "a log's": log,
        "a witness's": NoteKey("auditor-1.example", key("auditor-1").public, cosigner=True),
        "a witness's, ml-dsa-44": NoteKey(ML_DSA_NAME, lattice, cosigner=True),
        "with a name beyond ASCII": NoteKey("见证人", public, cosigner=True),
    }
    name, key_id, encoded = log.vkey.split("+", 2)
    bad = {
        "without a name": ("note-key-name", _vkey(1, public.raw, "")),
        "a name with a space": ("note-key-name", _vkey(1, public.raw, "a b")),
        "a name with a space beyond ASCII": ("note-key-name", _vkey(1, public.raw, "a\u3000b")),
        "another key id": ("vkey-malformed", f"{name}+{key_id[:-1]}{int(key_id[-1], 16) ^ 1:x}"
                           f"+{encoded}"),
        "the key id of another name": ("vkey-malformed", f"{name}x+{key_id}+{encoded}"),
        "a key id in capitals": ("hex-not-canonical", f"{name}+{'A' * 8}+{encoded}"),
        "two parts": ("vkey-malformed", f"{name}+{key_id}"),
        "no key": ("vkey-malformed", f"{name}+{key_id}+"),
        "base64 without padding": ("base64-not-canonical", log.vkey.rstrip("=") + "A"),
        "another type": ("suite-unknown", _vkey(2, public.raw)),
        "type 0xff": ("suite-unknown", _vkey(0xFF, public.raw)),
        "an unsound key": ("key-invalid", _vkey(1, IDENTITY)),
        "a key too short": ("key-invalid", _vkey(1, public.raw[:-1])),
        "an ml-dsa-44 key too short": ("key-invalid", _vkey(6, lattice.raw[:-1])),
    }  # fmt: skip
    return [
        *(
            accepted(
                f"vkey: {what}",
                vkey=of.vkey,
                key_name=of.name,
                key_id=of.key_id,
                alg=of.public.alg,
                public=of.public.raw,
                cosigner=of.cosigner,
            )
            for what, of in good.items()
        ),
        *(refused(f"vkey: {what}", code, vkey=text) for what, (code, text) in bad.items()),
    ]


def _line(name: str, text: str = CHECKPOINT.text) -> NoteSignature:
    return cosign(text, f"{name}.example", key(name), TIME)


def _log_line(text: str = CHECKPOINT.text) -> NoteSignature:
    return sign_note(text, ORIGIN, key("operator"))


def _ml_dsa_line() -> NoteSignature:
    public = signer(ML_DSA_44.alg, ML_DSA_SEED).public
    of = NoteKey(ML_DSA_NAME, public, cosigner=True)
    return NoteSignature(of.name, of.key_id, kept_cosignature())


def _note(*lines: NoteSignature, text: str = CHECKPOINT.text) -> Note:
    return Note(text, lines)


def _notes() -> list[Case]:
    one = _log_line()
    odd = "two\n\nparagraphs — with a dash\n"
    good = {
        "one signature": _note(one),
        "a cosignature": _note(one, _line("auditor-1")),
        "both kinds of cosignatures": _note(one, _line("auditor-1"), _ml_dsa_line()),
        "the same line twice": _note(one, one),
        "an empty line in the text": _note(_log_line(odd), text=odd),
        "a text of one line feed": _note(_log_line("\n"), text="\n"),
        "a hundred signatures": _note(*[NoteSignature("x", b"abcd", b"s")] * 100),
    }
    data = format_note(good["one signature"])
    text = data.decode()
    malformed, b64 = "note-malformed", "base64-not-canonical"
    bad: dict[str, tuple[str, bytes]] = {
        "no signature": ("note-signatures", CHECKPOINT.text.encode() + b"\n"),
        "no empty line": (malformed, text.replace("\n\n", "\n").encode()),
        "no line feed at the end": ("note-signatures", data[:-1]),
        "a line feed more": ("note-signatures", data + b"\n"),
        "carriage returns": ("note-key-name", text.replace("\n", "\r\n").encode()),
        "a tab": (malformed, text.replace("city\n", "city\t\n").encode()),
        "a zero byte": (malformed, text.replace("city\n", "city\0\n").encode()),
        "a hyphen for the dash": (b64, text.replace("\u2014", "-").encode()),
        "two spaces": (b64, text.replace("city ", "city  ").encode()),
        "base64 without padding": (b64, _pointless(b"abcds").replace(b"=", b"")),
        "a signature without its key": (malformed, _pointless(b"abcd")),
        "a key id cut short": (malformed, _pointless(b"abc")),
        "a name with a plus": ("note-key-name", text.replace("\u2014 l", "\u2014 +l").encode()),
        "101 signatures": ("note-signatures", format_note(good["one signature"])
                           + b"\xe2\x80\x94 x YWJjZHM=\n" * 100),
        "no UTF-8": ("text-not-utf8", data.replace(b"city\n", b"\xff\n")),
        "nothing": (malformed, b""),
    }  # fmt: skip
    made = [
        accepted(
            f"note: {what}",
            note=format_note(of).decode(),
            text=of.text,
            signatures=[
                {"key_name": s.name, "key_id": s.key_id, "signature": s.signature}
                for s in of.signatures
            ],
        )
        for what, of in good.items()
    ]
    return made + [
        refused(f"note: {what}", code, **source("note", of)) for what, (code, of) in bad.items()
    ]


def _pointless(raw: bytes) -> bytes:
    return f"{CHECKPOINT.text}\n\u2014 x {dump_base64(raw)}\n".encode()


def _signed() -> list[Case]:
    log, witness = _log_line(), _line("auditor-1")
    other = Checkpoint(ORIGIN, CHECKPOINT.size + 1, CHECKPOINT.root).text
    by_log, by_witness = LOG_VKEY, vkey("auditor-1")
    by_lattice = NoteKey(ML_DSA_NAME, signer(ML_DSA_44.alg, ML_DSA_SEED).public, cosigner=True).vkey
    lattice = _ml_dsa_line()

    def changed(line: NoteSignature, signature: bytes) -> NoteSignature:
        return NoteSignature(line.name, line.key_id, signature)

    stamp, raw = witness.signature[:8], witness.signature[8:]
    good: list[tuple[str, bytes, str, bool, int | None]] = [
        ("by the log", format_note(_note(log)), by_log, True, None),
        ("by the log twice", format_note(_note(log, log)), by_log, True, None),
        ("by a witness", format_note(_note(log, witness)), by_witness, True, TIME),
        ("by a witness twice, the later time counts", format_note(_note(witness, cosign(
            CHECKPOINT.text, "auditor-1.example", key("auditor-1"), TIME + 9))), by_witness, True,
         TIME + 9),
        ("by a witness at the time 0", format_note(_note(cosign(
            CHECKPOINT.text, "auditor-1.example", key("auditor-1"), 0))), by_witness, True, 0),
        ("by a witness with ml-dsa-44", format_note(_note(log, lattice)), by_lattice, True, TIME),
        ("by nobody who is asked for", format_note(_note(log)), by_witness, False, None),
        ("by the log, not by the witness of its name", format_note(_note(log)),
         NoteKey(ORIGIN, key("operator").public, cosigner=True).vkey, False, None),
        ("a wrong line of a key that is not asked for",
         format_note(_note(log, changed(witness, b"wrong"))), by_log, True, None),
        ("the example of c2sp.org/signed-note", EXAMPLE_NOTE.encode(), EXAMPLE_VKEY, True, None),
    ]  # fmt: skip
    bad = {
        "another text": (_note(_log_line(other)), by_log),
        "S + L": (_note(changed(log, high_s(log.signature))), by_log),
        "a good line and a wrong one": (_note(log, changed(log, bytes(64))), by_log),
        "another time": (_note(changed(witness, (TIME + 1).to_bytes(8) + raw)), by_witness),
        "a time beyond 63 bits": (_note(changed(witness, b"\xff" * 8 + raw)), by_witness),
        "a cosignature without its time": (_note(changed(witness, raw)), by_witness),
        "a plain signature as a cosignature": (
            _note(changed(witness, stamp + key("auditor-1").sign(CHECKPOINT.text.encode()))),
            by_witness,
        ),
        "another witness's": (_note(changed(witness, _line("auditor-2").signature)), by_witness),
        "ml-dsa-44 of another checkpoint": (_note(lattice, text=other), by_lattice),
        "ml-dsa-44 over no checkpoint": (_note(lattice, text="a text\n"), by_lattice),
        "ml-dsa-44 at another time": (
            _note(changed(lattice, bytes(8) + lattice.signature[8:])),
            by_lattice,
        ),
        "ed25519 as ml-dsa-44": (_note(changed(lattice, witness.signature)), by_lattice),
    }
    made = [
        accepted(f"signed {what}", note=note.decode(), vkey=of, signed=is_signed, time=digits(time))
        for what, note, of, is_signed, time in good
    ]
    return made + [
        refused(
            f"signed: {what}", "note-signature-invalid", note=format_note(note).decode(), vkey=of
        )
        for what, (note, of) in bad.items()
    ]


def _checkpoints() -> list[Case]:
    root = dump_base64(CHECKPOINT.root)
    good = {
        "of a city": CHECKPOINT.text,
        "of an empty log": f"{ORIGIN}\n0\n{dump_base64(merkle.EMPTY_ROOT)}\n",
        "of the greatest size": f"{ORIGIN}\n{2**63 - 1}\n{root}\n",
        "of an origin beyond ASCII": f"城市 账本\n5\n{root}\n",
    }
    malformed = "checkpoint-malformed"
    bad = {
        "an extension line": (malformed, f"{ORIGIN}\n5\n{root}\nmore\n"),
        "two lines": (malformed, f"{ORIGIN}\n5\n"),
        "no line feed at the end": (malformed, f"{ORIGIN}\n5\n{root}"),
        "no origin": (malformed, f"\n5\n{root}\n"),
        "a leading zero": (malformed, f"{ORIGIN}\n05\n{root}\n"),
        "a plus": (malformed, f"{ORIGIN}\n+5\n{root}\n"),
        "a minus": (malformed, f"{ORIGIN}\n-5\n{root}\n"),
        "a space": (malformed, f"{ORIGIN}\n5 \n{root}\n"),
        "full-width digits": (malformed, f"{ORIGIN}\n５\n{root}\n"),
        "a size beyond 63 bits": (malformed, f"{ORIGIN}\n{2**63}\n{root}\n"),
        "a root of 31 bytes": ("base64-not-canonical", f"{ORIGIN}\n5\n{dump_base64(bytes(31))}\n"),
        "a root without padding": ("base64-not-canonical", f"{ORIGIN}\n5\n{root[:-1]}\n"),
    }
    made = []
    for what, text in good.items():
        of = parse_checkpoint(text)
        made.append(
            accepted(
                f"checkpoint {what}",
                text=text,
                origin=of.origin,
                size=digits(of.size),
                root=of.root,
            )
        )
    return made + [
        refused(f"checkpoint: {what}", code, text=text) for what, (code, text) in bad.items()
    ]


def _note_signing() -> list[Case]:
    lines = [
        ("a log", "tests/operator", ORIGIN, None, _log_line()),
        ("a witness", "tests/auditor-1", "auditor-1.example", TIME, _line("auditor-1")),
    ]
    return [
        accepted(
            f"note signing: {what}",
            seed=seed,
            key_name=name,
            time=digits(time),
            text=CHECKPOINT.text,
            line=f"\u2014 {of.name} {dump_base64(of.key_id + of.signature)}",
        )
        for what, seed, name, time, of in lines
    ]


# --- receipts.json ---


def receipt_vectors() -> Vectors:
    """receipts.json."""
    statements = world().statements[1:]
    leaves = [merkle.leaf_hash(statement.data) for statement in statements]
    operator = key("operator")
    size, index = len(leaves), ledger().rides.index - 1
    entry = statements[index].data

    def receipt(
        index: int, size: int, origin: str = ORIGIN, by: KeySigner = operator, cut: int = 0
    ) -> bytes:
        shown = leaves[:size]
        signature = sign_tree(by, origin, size, merkle.root(shown))
        path = merkle.inclusion_path(shown, index)
        return make_receipt(by.public, origin, size, index, path[: len(path) - cut], signature)

    def given(data: bytes, of: bytes = entry, by: PublicKey = operator.public) -> dict[str, Any]:
        return {
            "receipt": data,
            "entry": of,
            "alg": by.alg,
            "public": by.raw,
            "origin": ORIGIN,
        }

    made = []
    for what, at, of_size in (
        ("of a submission", index, size),
        ("of an entry that is alone in its tree", 0, 1),
        ("of the last entry", size - 1, size),
        ("of an earlier tree", index, index + 2),
    ):
        data = receipt(at, of_size)
        found_size, found, root = check_receipt(data, statements[at].data, operator.public, ORIGIN)
        made.append(
            accepted(
                f"receipt {what}",
                **given(data, statements[at].data),
                size=found_size,
                index=found,
                root=root,
            )
        )
    good = receipt(index, size)
    unsigned, malformed = "receipt-unsigned", "receipt-malformed"
    stranger = key("stranger")
    bad = [
        ("of another entry", unsigned, given(good, statements[index + 1].data)),
        ("by another key", malformed, given(receipt(index, size, by=stranger))),
        ("by another key, which is asked for", malformed, given(good, by=stranger.public)),
        ("of another log", malformed, given(receipt(index, size, "other.example"))),
        ("with the path cut short", "inclusion-invalid", given(receipt(index, size, cut=1))),
        ("with a signature changed", unsigned, given(good[:-1] + bytes([good[-1] ^ 1]))),
        ("with something after it", malformed, given(good + b"\0")),
        ("with another tag", malformed, given(b"\xd1" + good[1:])),
        ("that is nothing", malformed, given(b"")),
    ]
    return Vectors(
        "COSE receipts: that an entry stands in the log, under a root that the log's key signed.",
        [22],
        {"receipts": made + [refused(f"receipt {w}", code, **of) for w, code, of in bad]},
    )


# --- policies.json ---


def policy_vectors() -> Vectors:
    """policies.json."""
    return Vectors(
        "Trust policies, and whose cosignatures are enough under them.",
        [19],
        {"policies": _policies(), "quorums": _quorums()},
    )


LOG = f"log {LOG_VKEY}\n"
W = [f"witness w{n} {vkey(f'w{n}')}\n" for n in range(4)]
NOBODY = "quorum none\n"


def _policies() -> list[Case]:
    lattice = NoteKey(ML_DSA_NAME, signer(ML_DSA_44.alg, ML_DSA_SEED).public, cosigner=True).vkey
    good = {
        "the least": NOBODY,
        "a log and no quorum": PLAIN_TEXT,
        "auditors and witnesses": QUORUM_TEXT,
        "addresses": f"log {LOG_VKEY} https://log.example\nwitness w {vkey('w')} w.example\n"
        "quorum w\n",
        "a witness as quorum": LOG + W[0] + "quorum w0\n",
        "a witness with ml-dsa-44": f"{LOG}witness w {lattice}\nquorum w\n",
        "a witness with both of its keys": f"{LOG}witness a {vkey('auditor-1')}\n"
        f"witness b {lattice}\ngroup both all a b\nquorum both\n",
        "a log after the quorum": NOBODY + LOG,
        "comments": "# one\n  \t# two\n#quorum x\n" + LOG + NOBODY,
        "tabs and spaces": f" \tlog\t \t{LOG_VKEY} \t\n\tquorum  none\t\n",
        "no line feed at the end": LOG + "quorum none",
        "a name beyond ASCII": f"witness 见证人 {vkey('w')}\nquorum 见证人\n",
        "a space beyond ASCII in a name": f"witness w\u00a0w {vkey('w')}\nquorum w\u00a0w\n",
        "a group of groups": LOG + W[0] + W[1] + "group g 1 w0\ngroup h all g w1\nquorum h\n",
        "groups named as keywords": LOG + W[0] + "group any any w0\ngroup all all any\n"
        "quorum all\n",
        "the log's key as a witness": LOG + f"witness w {vkey('operator')}\nquorum w\n",
    }
    bad = {
        "nothing": "",
        "no quorum": LOG + W[0],
        "two quorums": LOG + NOBODY + NOBODY,
        "a quorum that is not defined": LOG + "quorum w0\n",
        "a quorum that is defined below": LOG + "quorum w0\n" + W[0],
        "an unknown line": LOG + "auditor a b\n" + NOBODY,
        "a line in capitals": LOG.replace("log", "LOG") + NOBODY,
        "a comment after a line": LOG + "quorum none # nobody\n",
        "carriage returns": (LOG + NOBODY).replace("\n", "\r\n"),
        "a zero byte": LOG + "# \0\n" + NOBODY,
        "a delete": LOG + "# \x7f\n" + NOBODY,
        "a byte order mark": "\ufeff" + LOG + NOBODY,
        "a log twice": LOG + LOG + NOBODY,
        "a witness's key under two names": W[0] + W[0].replace("w0", "w9", 1) + NOBODY,
        "a name for two witnesses": W[0] + W[1].replace("w1", "w0", 1) + NOBODY,
        "a witness called none": W[0].replace("w0", "none", 1) + NOBODY,
        "a group without members": "group g any\n" + NOBODY,
        "a member that is not defined": W[0] + "group g any w0 w1\n" + NOBODY,
        "a member twice": W[0] + "group g any w0 w0\nquorum g\n",
        "a member of two groups": W[0] + "group g any w0\ngroup h any w0\nquorum g\n",
        "a group of itself": "group g any g\nquorum g\n",
        "more than there are": W[0] + "group g 2 w0\nquorum g\n",
        "none of them": W[0] + "group g 0 w0\nquorum g\n",
        "a number with a zero before it": W[0] + "group g 01 w0\nquorum g\n",
        "a log with a cosigner's key": f"log {vkey('operator')}\n" + NOBODY,
        "a witness with a log's key": f"witness w {LOG_VKEY}\nquorum w\n",
        "a log whose key is malformed": f"log {LOG_VKEY[:-1]}\n" + NOBODY,
    }
    made = []
    for what, text in good.items():
        read = parse_policy(text.encode())
        made.append(
            accepted(
                f"policy: {what}",
                policy=text,
                logs=[of.vkey for of in read.logs],
                witnesses=[[name, of.vkey] for name, of in read.witnesses.items()],
                quorum=read.quorum,
            )
        )
    code = "policy-line"
    made += [refused(f"policy: {what}", code, policy=text) for what, text in bad.items()]
    long = [(b"quorum none\n", 1), (b"#", POLICY_BYTES_MAX)]
    return [*made, refused("policy: too long", code, bytes=long)]


def _quorums() -> list[Case]:
    some = LOG + "".join(W)
    tried: list[tuple[str, str, tuple[str, ...], bool]] = [
        ("no quorum, nobody", PLAIN_TEXT, (), True),
        ("three auditors and two witnesses", QUORUM_TEXT, ENOUGH, True),
        ("everybody", QUORUM_TEXT, (*AUDITORS, *WITNESSES), True),
        ("two auditors and two witnesses", QUORUM_TEXT, (*AUDITORS[:2], *WITNESSES[:2]), False),
        ("auditors alone", QUORUM_TEXT, AUDITORS, False),
        ("witnesses alone", QUORUM_TEXT, WITNESSES, False),
        ("one of any", some + "group g any w0 w1\nquorum g\n", ("w1",), True),
        ("none of any", some + "group g any w0 w1\nquorum g\n", ("w2",), False),
        ("all but one", some + "group g all w0 w1\nquorum g\n", ("w0",), False),
        ("all", some + "group g all w0 w1\nquorum g\n", ("w0", "w1"), True),
        ("the witness itself", some + "quorum w2\n", ("w2",), True),
        ("another witness", some + "quorum w2\n", ("w0", "w1", "w3"), False),
        ("a group in a group", some + "group g 2 w0 w1 w2\ngroup h all g w3\nquorum h\n",
         ("w0", "w2", "w3"), True),
        ("a group in a group that is not reached",
         some + "group g 2 w0 w1 w2\ngroup h all g w3\nquorum h\n", ("w0", "w3"), False),
        ("a quorum inside another group", some + "group g 1 w0\ngroup h 1 g\nquorum g\n", ("w0",),
         True),
    ]  # fmt: skip
    return [
        accepted(f"quorum: {what}", policy=text, cosigned=cosigned, reached=is_reached)
        for what, text, cosigned, is_reached in tried
    ]
