"""Signed notes, checkpoints and cosignatures, with the examples of the C2SP specifications."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import Malformed, VerificationError
from keys.notes import (
    NOTE_SIGNATURES_MAX,
    NOTE_TEXT_BYTES_MAX,
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    cosign,
    format_note,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    sign_note,
    signed_by,
)
from keys.signer import from_seed
from keys.strict import dump_json

SIGNER = from_seed(b"log")
WITNESS = from_seed(b"witness")
CHECKPOINT = Checkpoint("tally.example/city", 20_852_163, hashlib.sha256(b"root").digest())
TEXT = CHECKPOINT.text
LOG_KEY = NoteKey("tally.example/city", SIGNER.public, cosigner=False)
WITNESS_KEY = NoteKey("witness.example/w1", WITNESS.public, cosigner=True)
TIME = 1_679_315_147

# The examples of c2sp.org/signed-note and c2sp.org/tlog-cosignature.
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXs\
YjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()
EXAMPLE_CHECKPOINT = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4U\
RYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZ\
CB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
""".encode()


def note(*signatures: NoteSignature) -> Note:
    return Note(TEXT, signatures or (sign_note(TEXT, LOG_KEY.name, SIGNER),))


def test_the_example_note() -> None:
    key, example = parse_vkey(EXAMPLE_VKEY), parse_note(EXAMPLE_NOTE)
    assert (key.name, key.cosigner, key.key_id.hex()) == ("example.com/foo", False, "530d903a")
    assert key.vkey == EXAMPLE_VKEY
    assert example.text == "This is an example message.\n"
    assert signed_by(example, key) == 0
    assert format_note(example) == EXAMPLE_NOTE
    with pytest.raises(VerificationError):
        signed_by(Note("This is another message.\n", example.signatures), key)


def test_the_example_checkpoint() -> None:
    example = parse_note(EXAMPLE_CHECKPOINT)
    checkpoint = parse_checkpoint(example.text)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20_852_163
    assert checkpoint.text == example.text
    assert [line.name for line in example.signatures] == [
        "example.com/behind-the-sofa",
        "witness.example.com/w1",
    ]
    time = int.from_bytes(example.signatures[1].signature[:8], "big")
    assert (len(example.signatures[1].signature), time) == (72, TIME)


def test_key_ids_and_cosigned_text_are_those_of_the_specification() -> None:
    for key, kind in ((LOG_KEY, b"\x01"), (WITNESS_KEY, b"\x04")):
        digest = hashlib.sha256(key.name.encode() + b"\n" + kind + key.public.raw).digest()
        assert key.key_id == digest[:4]
        material = base64.b64encode(kind + key.public.raw).decode()
        assert key.vkey == f"{key.name}+{digest[:4].hex()}+{material}"
    line = cosign(TEXT, WITNESS_KEY.name, WITNESS, TIME)
    assert line.signature[:8] == TIME.to_bytes(8, "big")
    message = f"cosignature/v1\ntime {TIME}\n{TEXT}".encode()
    assert WITNESS.public.verify(line.signature[8:], message)


def test_sign_cosign_and_check() -> None:
    both = note(
        sign_note(TEXT, LOG_KEY.name, SIGNER), cosign(TEXT, WITNESS_KEY.name, WITNESS, TIME)
    )
    assert parse_note(format_note(both)) == both
    assert signed_by(both, LOG_KEY) == 0
    assert signed_by(both, WITNESS_KEY) == TIME
    assert signed_by(note(), WITNESS_KEY) is None


def test_unknown_signatures_are_ignored() -> None:
    unknown = (
        NoteSignature(LOG_KEY.name, b"\0\0\0\0", b"x"),
        NoteSignature("other.example", LOG_KEY.key_id, b"x"),
        NoteSignature("名.example", b"\1\2\3\4", b"x" * 5000),
    )
    signed = note(*unknown, sign_note(TEXT, LOG_KEY.name, SIGNER))
    assert signed_by(parse_note(format_note(signed)), LOG_KEY) == 0
    assert signed_by(note(*unknown), LOG_KEY) is None


def test_a_plain_signature_is_no_cosignature_of_the_same_key() -> None:
    signed = note(sign_note(TEXT, LOG_KEY.name, SIGNER))
    assert signed_by(signed, NoteKey(LOG_KEY.name, SIGNER.public, cosigner=True)) is None
    cosigned = note(cosign(TEXT, LOG_KEY.name, SIGNER, TIME))
    assert signed_by(cosigned, LOG_KEY) is None
    # Nor under the key id of the other.
    for key, line in ((LOG_KEY, cosigned.signatures[0]), (WITNESS_KEY, signed.signatures[0])):
        with pytest.raises(VerificationError):
            signed_by(note(NoteSignature(key.name, key.key_id, line.signature)), key)


def test_a_known_key_whose_signature_fails_is_an_error() -> None:
    good = sign_note(TEXT, LOG_KEY.name, SIGNER)
    order = 2**252 + 27742317777372353535851937790883648493
    high_s = int.from_bytes(good.signature[32:], "little") + order
    for signature in (
        bytes(64),
        b"x",
        good.signature + b"\0",
        SIGNER.sign(b"another text\n"),
        good.signature[:32] + high_s.to_bytes(32, "little"),
    ):
        bad = NoteSignature(LOG_KEY.name, LOG_KEY.key_id, signature)
        for lines in ((bad,), (good, bad), (bad, good)):
            with pytest.raises(VerificationError) as error:
                signed_by(note(*lines), LOG_KEY)
            assert error.value.code == "note-signature-invalid"


def test_a_cosignature_covers_its_time() -> None:
    good = cosign(TEXT, WITNESS_KEY.name, WITNESS, TIME)
    late = 2**63
    beyond = WITNESS.sign(f"cosignature/v1\ntime {late}\n{TEXT}".encode())
    for signature in (
        (TIME + 1).to_bytes(8, "big") + good.signature[8:],
        good.signature[8:],
        good.signature[:7],
        late.to_bytes(8, "big") + beyond,
    ):
        bad = NoteSignature(WITNESS_KEY.name, WITNESS_KEY.key_id, signature)
        with pytest.raises(VerificationError):
            signed_by(note(bad), WITNESS_KEY)
    for time in (-1, 2**63):
        with pytest.raises(Malformed):
            cosign(TEXT, WITNESS_KEY.name, WITNESS, time)


def test_of_several_cosignatures_of_one_key_the_latest_counts() -> None:
    lines = [cosign(TEXT, WITNESS_KEY.name, WITNESS, time) for time in (5, 9, 7)]
    assert signed_by(note(*lines), WITNESS_KEY) == 9


GOOD = format_note(note())
LINE = GOOD.split(b"\n\n")[1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        TEXT.encode() + b"\n",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"x",
        GOOD + b"\n" + LINE[:-1],
        GOOD.replace(b"\n\n", b"\n"),
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"tally", b"ta\tlly", 1),
        GOOD.replace(b"tally", b"ta\0lly", 1),
        GOOD.replace(b"tally", b"ta\xfflly", 1),
        GOOD.replace("— ".encode(), b"- "),
        GOOD.replace("— ".encode(), "—".encode()),
        GOOD.replace("— ".encode(), "— — ".encode()),
        GOOD.replace("— ".encode(), "—  ".encode()),
        GOOD.replace("— ".encode(), "— +".encode()),
        GOOD.replace("— tally".encode(), "— ta\u00a0lly".encode()),
        GOOD.replace("— tally".encode(), "— ta\u2003lly".encode()),
        GOOD[:-1] + b" \n",
        GOOD.replace(b"=\n", b"\n") if GOOD.endswith(b"=\n") else GOOD[:-2] + b"\n",
        TEXT.encode() + "\n— name AAAAAA==\n".encode()[:-3] + b"=\n",
        TEXT.encode() + "\n— name AAAA\n".encode(),
        TEXT.encode() + "\n— name AAAAAA==\n".encode(),
        TEXT.encode() + "\n— name AAAAAAB=\n".encode(),
        TEXT.encode() + "\n— name \n".encode(),
        TEXT.encode() + "\n— name\n".encode(),
        GOOD + LINE * NOTE_SIGNATURES_MAX,
        b"x" * NOTE_TEXT_BYTES_MAX + GOOD,
        b"x" * 2_000_000,
    ],
)
def test_notes_that_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed) as error:
        parse_note(data)
    dump_json(error.value.as_json())


@pytest.mark.parametrize(
    "text", ["\n", "a\n\nb\n", "\n\n", "a\n\n", "碳普惠\n", "— name AAAAAAA=\n"]
)
def test_the_text_ends_at_the_last_empty_line(text: str) -> None:
    made = Note(text, (sign_note(text, "name", SIGNER),) * NOTE_SIGNATURES_MAX)
    assert parse_note(format_note(made)) == made
    assert signed_by(made, NoteKey("name", SIGNER.public, cosigner=False)) == 0


@pytest.mark.parametrize("text", ["", "no newline", "a\r\n", "\t\n", "\ud800\n"])
def test_texts_that_no_note_has(text: str) -> None:
    with pytest.raises(Malformed):
        Note(text, (NoteSignature("name", b"1234", b"x"),))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u3000b", "\x1f", "\ud800"])
def test_names_that_no_key_has(name: str) -> None:
    with pytest.raises(Malformed):
        NoteKey(name, SIGNER.public, cosigner=False)
    with pytest.raises(Malformed):
        sign_note(TEXT, name, SIGNER)
    with pytest.raises(Malformed):
        parse_vkey(LOG_KEY.vkey.replace(LOG_KEY.name, name))


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        LOG_KEY.vkey + "\n",
        LOG_KEY.vkey[:-1],
        LOG_KEY.vkey.replace("city", "town"),
        LOG_KEY.vkey.replace(LOG_KEY.key_id.hex(), LOG_KEY.key_id.hex().upper() + " "),
        LOG_KEY.vkey.replace(LOG_KEY.key_id.hex(), "00000000"),
        f"name+{hashlib.sha256(b'name').hexdigest()[:8]}+",
        "name+00000000+" + base64.b64encode(b"\x02" + SIGNER.public.raw).decode(),
        "name+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(),
        "name+00000000+" + base64.b64encode(b"\x01\x01" + bytes(31)).decode(),
    ],
)
def test_vkeys_that_are_refused(vkey: str) -> None:
    with pytest.raises(Malformed):
        parse_vkey(vkey)


def test_vkey_round_trip() -> None:
    for i in range(50):  # some of the keys have "+" in their base64
        for cosigner in (False, True):
            key = NoteKey("key.example/名", from_seed(bytes([i])).public, cosigner)
            assert parse_vkey(key.vkey) == key


@given(st.data())
def test_a_note_has_one_spelling(data: st.DataObject) -> None:
    changed = bytearray(GOOD)
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        read = parse_note(bytes(changed))
        assert format_note(read) == changed
        assert changed == GOOD or signed_by(read, LOG_KEY) is None
    except (Malformed, VerificationError):
        assert changed != GOOD


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_parsers_raise_nothing_but_malformed(text: str) -> None:
    for read in (parse_vkey, parse_checkpoint, lambda value: parse_note(value.encode())):
        with pytest.raises(Malformed):
            read(text)  # type: ignore[operator]


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize("size", [0, 1, 10, 2**63 - 1])
def test_checkpoint_round_trip(size: int) -> None:
    checkpoint = Checkpoint("origin with spaces + more", size, bytes(32))
    assert checkpoint.text == f"origin with spaces + more\n{size}\n{ROOT}\n"
    assert parse_checkpoint(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        f"o\n1\n{ROOT}",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\nextension\n",
        f"\n1\n{ROOT}\n",
        f"o\t\n1\n{ROOT}\n",
        f"o\n01\n{ROOT}\n",
        f"o\n00\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n1 \n{ROOT}\n",
        f"o\n1_0\n{ROOT}\n",
        f"o\n\u0661\n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n{2**63}\n{ROOT}\n",
        f"o\n{'9' * 5000}\n{ROOT}\n",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{ROOT[:-2]}B=\n",
        f"o\n1\n{ROOT[4:]}\n",
        f"o\n1\n{'0' * 64}\n",
    ],
)
def test_checkpoints_that_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text)
