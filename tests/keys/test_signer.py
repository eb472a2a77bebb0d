"""Private keys in memory and at rest."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from keys.errors import Malformed, TallyError, Unreadable, Usage
from keys.signer import Signer, from_seed, generate, load, save
from keys.suites import SUITES

PASSPHRASE = "口令 with some length".encode()
NAMES = [suite.name for suite in SUITES.values()]


def test_a_signer_signs_with_its_key() -> None:
    signer: Signer = generate()
    assert signer.public.verify(signer.sign(b"message"), b"message")
    assert generate().public != generate().public
    assert generate("ed25519").public.alg == -8
    with pytest.raises(Malformed):
        generate("rsa")


def test_a_seed_gives_the_same_signer() -> None:
    assert from_seed(b"one").public == from_seed(b"one").public
    assert from_seed(b"one").public != from_seed(b"two").public


def test_the_private_key_is_not_shown() -> None:
    signer = from_seed(b"one")
    assert "private=" not in repr(signer)


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load(tmp_path: Path, name: str) -> None:
    signer, path = generate(name), tmp_path / "key.pem"
    save(signer, path, PASSPHRASE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    read = load(str(path), PASSPHRASE)
    assert (read.suite, read.public) == (signer.suite, signer.public)
    assert signer.public.verify(read.sign(b"message"), b"message")


def test_an_ml_dsa_key_is_kept_as_its_seed(tmp_path: Path) -> None:
    signer, path = generate("ml-dsa-44"), tmp_path / "key.pem"
    save(signer, path, PASSPHRASE)
    read = load(path, PASSPHRASE)
    assert read.private.private_bytes_raw() == signer.private.private_bytes_raw()
    assert len(signer.private.private_bytes_raw()) == 32
    assert len(path.read_bytes()) < 400


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    save(generate(), path, PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(Usage) as error:
        save(generate(), path, PASSPHRASE)
    assert error.value.code == "key-file-exists"
    assert path.read_bytes() == before


def test_save_refuses(tmp_path: Path) -> None:
    for path, passphrase, code in (
        (tmp_path / "key.pem", b"", "key-passphrase-empty"),
        (tmp_path / "key.pem", b"x" * 2_000, "key-passphrase-long"),
        (tmp_path / "none" / "key.pem", PASSPHRASE, "key-file-unwritable"),
    ):
        with pytest.raises(Usage) as error:
            save(generate(), path, passphrase)
        assert error.value.code == code
        assert not path.exists()


@pytest.mark.parametrize("passphrase", [b"wrong", b"", PASSPHRASE + b"x"])
def test_a_wrong_passphrase(tmp_path: Path, passphrase: bytes) -> None:
    save(generate(), tmp_path / "key.pem", PASSPHRASE)
    with pytest.raises(Unreadable) as error:
        load(tmp_path / "key.pem", passphrase)
    assert error.value.code == "key-passphrase-wrong"


def pem(private: object, encryption: serialization.KeySerializationEncryption) -> bytes:
    written: bytes = private.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return written


PLAIN = serialization.NoEncryption()
SEALED = serialization.BestAvailableEncryption(PASSPHRASE)


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"junk",
        b"\xff" * 100_000,
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        pem(from_seed(b"one").private, PLAIN),
        pem(X25519PrivateKey.generate(), SEALED),
        pem(ec.generate_private_key(ec.SECP384R1()), SEALED),
        pem(MLDSA65PrivateKey.generate(), SEALED),
    ],
    ids=[
        *("absent", "empty", "junk", "long", "cut", "not DER", "not encrypted", "another use"),
        *("another curve", "another parameter set"),
    ],
)
def test_what_holds_no_key_is_unreadable(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(TallyError) as error:
        load(path, PASSPHRASE)
    assert isinstance(error.value, Unreadable)
    assert error.value.code == "key-file-unreadable"


def test_a_directory_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        load(tmp_path, PASSPHRASE)


def test_other_tools_read_the_file(tmp_path: Path) -> None:
    signer, path = generate(), tmp_path / "key.pem"
    save(signer, path, b"passphrase")
    data = path.read_bytes()
    assert data.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    private = serialization.load_pem_private_key(data, b"passphrase")
    assert isinstance(private, Ed25519PrivateKey)
    assert private.public_key().public_bytes_raw() == signer.public.raw
