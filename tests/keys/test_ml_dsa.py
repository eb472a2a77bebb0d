"""ML-DSA-44, and the cosignatures of checkpoints that it makes (c2sp.org/tlog-cosignature)."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from support.suites import es256, ml_dsa

from keys import suites
from keys.errors import Malformed, VerificationError
from keys.notes import (
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    cosign,
    format_note,
    parse_note,
    parse_vkey,
    sign_note,
    signed_by,
)
from keys.signer import KeySigner, from_seed
from keys.strict import dump_base64
from keys.suites import ED25519, ML_DSA_44, PublicKey

NAME = "witness.example/w1"
TIME = 1_679_315_147
CHECKPOINT = Checkpoint("tally.example/city", 20_852_163, sha256(b"root").digest())
TEXT = CHECKPOINT.text
SIGNER = ml_dsa("witness")
KEY = NoteKey(NAME, SIGNER.public, cosigner=True)
EDWARDS = from_seed(b"witness")
EDWARDS_KEY = NoteKey(NAME, EDWARDS.public, cosigner=True)

# A log's cosignature as the witness implementation filippo.io/torchwood tests itself with
# (cmd/litewitness/testdata/mldsa.txt): the note, the seed of the log's key, and its key id.
PUBLISHED = Path(__file__).with_name("mldsa-checkpoint.txt").read_bytes()
PUBLISHED_SEED = "2886adc2b0eabfce67c0472939127998bf886cf256bfee8ba76a253fce1146e0"
PUBLISHED_KEY_ID = "b5df45c5"


def message(
    name: str = NAME,
    time: int = TIME,
    origin: str = CHECKPOINT.origin,
    end: int = CHECKPOINT.size,
    root: bytes = CHECKPOINT.root,
    *,
    start: int = 0,
    label: bytes = b"subtree/v1\n\0",
) -> bytes:
    """A cosigned_message, as the specification writes it."""
    counted = [bytes([len(text.encode())]) + text.encode() for text in (name, origin)]
    numbers = [number.to_bytes(8) for number in (time, start, end)]
    return b"".join([label, counted[0], numbers[0], counted[1], *numbers[1:], root])


def note(*signatures: NoteSignature, text: str = TEXT) -> Note:
    return Note(text, signatures)


def line(signed: bytes, time: int = TIME, key: NoteKey = KEY) -> NoteSignature:
    """A line of ``key`` with ML-DSA's signature of ``signed``."""
    return NoteSignature(key.name, key.key_id, time.to_bytes(8) + SIGNER.sign(signed))


def refused(made: Note, key: NoteKey = KEY) -> None:
    """The note has a line of the key that is not valid."""
    with pytest.raises(VerificationError) as error:
        signed_by(parse_note(format_note(made)), key)
    assert error.value.code == "note-signature-invalid"


# --- the suite ---


def test_a_published_cosignature_counts() -> None:
    private = MLDSA44PrivateKey.from_seed_bytes(bytes.fromhex(PUBLISHED_SEED))
    public = KeySigner(ML_DSA_44, private).public
    key = NoteKey("example.com/mldsa-log", public, cosigner=True)
    assert key.key_id.hex() == PUBLISHED_KEY_ID
    published = parse_note(PUBLISHED)
    assert format_note(published) == PUBLISHED
    assert signed_by(published, key) == 0
    refused(replace(published, text=published.text.replace("\n1\n", "\n2\n")), key)


def test_sizes_are_those_of_fips_204() -> None:
    assert len(SIGNER.public.raw) == 1_312
    assert len(SIGNER.sign(b"message")) == 2_420
    assert SIGNER.sign(b"message") != SIGNER.sign(b"message")
    assert SIGNER.public.verify(SIGNER.sign(b"message"), b"message")
    assert not SIGNER.public.verify(SIGNER.sign(b"message"), b"messagf")
    assert not ml_dsa("other").public.verify(SIGNER.sign(b"message"), b"message")


def test_a_signature_with_a_context_is_refused() -> None:
    for context in (b"x", b"\0", b"subtree/v1"):
        signature = SIGNER.private.sign(b"message", context)
        SIGNER.private.public_key().verify(signature, b"message", context)
        assert not SIGNER.public.verify(signature, b"message")


@pytest.mark.parametrize("length", [0, 64, 2_419, 2_421, 3_309])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    signature = SIGNER.sign(b"message").ljust(length, b"\0")[:length]
    assert not SIGNER.public.verify(signature, b"message")


@pytest.mark.parametrize("length", [0, 32, 65, 1_311, 1_313, 1_952])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    raw = SIGNER.public.raw.ljust(length, b"\0")[:length]
    with pytest.raises(Malformed) as error:
        NoteKey(NAME, PublicKey(-48, raw), cosigner=True)
    assert error.value.code == "key-invalid"
    assert not ML_DSA_44.verify(raw, SIGNER.sign(b"message"), b"message")


@given(st.integers(0, 2_420 * 8 - 1))
def test_a_flipped_bit_is_refused(bit: int) -> None:
    signature = int.from_bytes(SIGNER.sign(b"message")) ^ 1 << bit
    assert not SIGNER.public.verify(signature.to_bytes(2_420), b"message")


def test_a_key_of_another_parameter_set_is_none_of_its_keys() -> None:
    with pytest.raises(Malformed):
        suites.by_private(MLDSA65PrivateKey.generate())
    assert suites.by_private(SIGNER.private) is ML_DSA_44


# --- what it is for ---


def test_no_participant_has_such_a_key() -> None:
    with pytest.raises(Malformed) as error:
        PublicKey.from_json(SIGNER.public.as_json())
    assert error.value.code == "suite-not-for-statements"


def test_no_log_has_such_a_key() -> None:
    for plain in (
        lambda: NoteKey(NAME, SIGNER.public, cosigner=False),
        lambda: sign_note(TEXT, NAME, SIGNER),
    ):
        with pytest.raises(Malformed) as error:
            plain()
        assert error.value.code == "suite-not-for-notes"


def test_a_vkey_reads_back() -> None:
    assert parse_vkey(KEY.vkey) == KEY
    material = b"\x06" + SIGNER.public.raw
    key_id = sha256(NAME.encode() + b"\n" + material).digest()[:4]
    assert KEY.key_id == key_id
    assert KEY.vkey == f"{NAME}+{key_id.hex()}+{dump_base64(material)}"


@pytest.mark.parametrize(
    ("kind", "public"),
    [
        (0x01, SIGNER.public),
        (0x04, SIGNER.public),
        (0x06, EDWARDS.public),
        (0x06, es256("witness").public),
        (0x01, es256("witness").public),
        (0x04, es256("witness").public),
        (0x02, es256("witness").public),
        (0x05, SIGNER.public),
        (0x07, SIGNER.public),
    ],
)
def test_a_vkey_whose_type_is_another_suites_is_refused(kind: int, public: PublicKey) -> None:
    material = bytes([kind]) + public.raw
    key_id = sha256(NAME.encode() + b"\n" + material).digest()[:4].hex()
    with pytest.raises(Malformed):
        parse_vkey(f"{NAME}+{key_id}+{dump_base64(material)}")


# --- cosignatures ---


def test_a_cosignature_is_over_the_message_of_the_specification() -> None:
    made = cosign(TEXT, NAME, SIGNER, TIME)
    assert (made.name, made.key_id) == (NAME, KEY.key_id)
    assert made.signature[:8] == TIME.to_bytes(8)
    assert len(made.signature) == 8 + 2_420
    assert SIGNER.public.verify(made.signature[8:], message())
    assert signed_by(note(line(message())), KEY) == TIME


def test_both_kinds_of_cosignatures_stand_on_one_checkpoint() -> None:
    log = from_seed(b"log")
    both = note(
        sign_note(TEXT, CHECKPOINT.origin, log),
        cosign(TEXT, NAME, EDWARDS, TIME),
        cosign(TEXT, NAME, SIGNER, TIME + 1),
    )
    read = parse_note(format_note(both))
    assert read == both
    assert signed_by(read, NoteKey(CHECKPOINT.origin, log.public, cosigner=False)) == 0
    assert signed_by(read, EDWARDS_KEY) == TIME
    assert signed_by(read, KEY) == TIME + 1


def test_of_several_cosignatures_the_latest_counts_and_a_time_of_zero_counts_too() -> None:
    lines = [cosign(TEXT, NAME, SIGNER, time) for time in (5, 9, 7)]
    assert signed_by(note(*lines), KEY) == 9
    assert signed_by(note(cosign(TEXT, NAME, SIGNER, 0)), KEY) == 0


def test_a_cosignature_with_another_timestamp_is_refused() -> None:
    for time in (0, TIME - 1, TIME + 1):
        refused(note(line(message(), time)))


def test_a_cosignature_with_a_timestamp_beyond_the_limit_is_refused() -> None:
    refused(note(line(message(time=2**63), 2**63)))
    assert signed_by(note(line(message(time=2**63 - 1), 2**63 - 1)), KEY) == 2**63 - 1
    for time in (-1, 2**63):
        with pytest.raises(Malformed):
            cosign(TEXT, NAME, SIGNER, time)


def test_a_cosignature_of_another_origin_is_refused() -> None:
    refused(note(line(message(origin="tally.example/town"))))
    other = replace(CHECKPOINT, origin="tally.example/town").text
    refused(note(cosign(other, NAME, SIGNER, TIME)))
    refused(note(cosign(TEXT, NAME, SIGNER, TIME), text=other))


def test_a_cosignature_of_another_size_is_refused() -> None:
    refused(note(line(message(end=CHECKPOINT.size + 1))))
    refused(note(cosign(replace(CHECKPOINT, size=1).text, NAME, SIGNER, TIME)))


def test_a_cosignature_of_another_root_is_refused() -> None:
    refused(note(line(message(root=bytes(32)))))
    refused(note(cosign(replace(CHECKPOINT, root=bytes(32)).text, NAME, SIGNER, TIME)))


def test_a_cosignature_in_another_name_is_refused() -> None:
    refused(note(line(message(name="witness.example/w2"))))
    # The same key under another name has another key id, and its lines are nobody's here.
    stranger = cosign(TEXT, "witness.example/w2", SIGNER, TIME)
    assert signed_by(note(stranger), KEY) is None
    refused(note(replace(stranger, name=NAME, key_id=KEY.key_id)))


def test_a_cosignature_of_a_subtree_is_none_of_the_checkpoint() -> None:
    refused(note(line(message(start=1))))
    refused(note(line(message(time=0, start=1), 0)))


def test_a_message_in_another_form_is_refused() -> None:
    swapped = message(name=CHECKPOINT.origin, origin=NAME)
    for signed in (
        swapped,
        message(label=b"subtree/v2\n\0"),
        message(label=b"subtree/v1\n"),
        message() + b"\0",
        message()[:-1],
        b"cosignature/v1\ntime %d\n" % TIME + TEXT.encode(),
        TEXT.encode(),
        b"",
    ):
        refused(note(line(signed)))


def test_a_plain_signature_is_no_cosignature() -> None:
    plain = NoteSignature(NAME, KEY.key_id, SIGNER.sign(TEXT.encode()))
    refused(note(plain))
    # Under the id that a plain key of these bytes would have, it is nobody's.
    key_id = sha256(NAME.encode() + b"\n\x01" + SIGNER.public.raw).digest()[:4]
    assert signed_by(note(replace(plain, key_id=key_id)), KEY) is None


def test_without_its_timestamp_a_cosignature_is_refused() -> None:
    good = cosign(TEXT, NAME, SIGNER, TIME)
    for signature in (good.signature[8:], good.signature[:8], good.signature[:7]):
        refused(note(replace(good, signature=signature)))


def test_an_ml_dsa_cosignature_is_none_of_the_ed25519_key_of_the_same_name() -> None:
    made = cosign(TEXT, NAME, SIGNER, TIME)
    assert signed_by(note(made), EDWARDS_KEY) is None
    refused(note(replace(made, key_id=EDWARDS_KEY.key_id)), EDWARDS_KEY)


def test_an_ed25519_cosignature_is_none_of_the_ml_dsa_key_of_the_same_name() -> None:
    made = cosign(TEXT, NAME, EDWARDS, TIME)
    assert signed_by(note(made), KEY) is None
    refused(note(replace(made, key_id=KEY.key_id)))
    # Nor is one over the other's message.
    edwards = EDWARDS.sign(message())
    for key in (KEY, EDWARDS_KEY):
        refused(note(NoteSignature(NAME, key.key_id, TIME.to_bytes(8) + edwards)), key)


def test_one_invalid_line_of_a_key_refuses_the_note() -> None:
    good, bad = cosign(TEXT, NAME, SIGNER, TIME), line(message(end=1))
    for lines in ((good, bad), (bad, good)):
        refused(note(*lines))


def test_names_of_255_bytes_are_cosigned_and_longer_ones_are_not() -> None:
    origin = "城" * 85  # 255 bytes
    text = replace(CHECKPOINT, origin=origin).text
    name = "w" * 255
    key = NoteKey(name, SIGNER.public, cosigner=True)
    made = cosign(text, name, SIGNER, TIME)
    assert SIGNER.public.verify(made.signature[8:], message(name, origin=origin))
    assert signed_by(note(made, text=text), key) == TIME
    longer = replace(CHECKPOINT, origin=origin + "x").text
    for wrong_text, wrong_name in ((longer, NAME), (TEXT, name + "w")):
        with pytest.raises(Malformed) as error:
            cosign(wrong_text, wrong_name, SIGNER, TIME)
        assert error.value.code == "cosigned-name-size"
        long_key = NoteKey(wrong_name, SIGNER.public, cosigner=True)
        forged = line(message(wrong_name[:255], origin=origin), key=long_key)
        refused(note(forged, text=wrong_text), long_key)
    assert cosign(longer, name + "w", EDWARDS, TIME).name == name + "w"


@pytest.mark.parametrize("text", ["", "text\n", TEXT + "extension\n", "\n1\nAAAA\n"])
def test_only_checkpoints_are_cosigned(text: str) -> None:
    with pytest.raises(Malformed):
        cosign(text, NAME, SIGNER, TIME)
    if text:
        refused(note(line(message()), text=text))


def test_the_two_suites_of_cosigners_are_told_apart_by_their_type() -> None:
    assert suites.by_note_type(0x04) == (ED25519, True)
    assert suites.by_note_type(0x06) == (ML_DSA_44, True)
    assert suites.by_note_type(0x01) == (ED25519, False)
