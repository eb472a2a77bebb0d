"""The call add-checkpoint of C2SP tlog-witness: what is read, answered, and kept."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.city import ORIGIN, key
from support.offers import code
from support.suites import es256, ml_dsa

from chain import merkle
from chain.files import Files
from keys.errors import Busy, Fault, Malformed, Unreadable, Usage
from keys.notes import (
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    cosign,
    format_note,
    parse_note,
    sign_note,
    signed_by,
)
from keys.signer import Signer
from keys.strict import dump_base64
from verifier.auditor import EVIDENCE, STATE, Witness
from verifier.check import check_file
from verifier.mirror import Mirror
from verifier.policy import Policy, parse_policy
from verifier.witness import OFFER_BYTES_MAX, OFFER_HASHES_MAX, Offer, parse_offer, refused

NOW = 1_772_424_000
LEAVES = [merkle.leaf_hash(number.to_bytes(2)) for number in range(40)]
OTHER = [*LEAVES[:10], *(merkle.leaf_hash(leaf) for leaf in LEAVES[10:])]
LOG = NoteKey(ORIGIN, key("operator").public, cosigner=False)
POLICY: Policy = parse_policy(f"log {LOG.vkey}\nquorum none\n".encode())


def note(
    size: int,
    leaves: list[bytes] = LEAVES,
    *,
    origin: str = ORIGIN,
    signer: Signer | None = None,
    root: bytes | None = None,
) -> bytes:
    """The log's note at a size."""
    text = Checkpoint(origin, size, root or merkle.root(leaves[:size])).text
    return format_note(Note(text, (sign_note(text, origin, signer or key("operator")),)))


def offer(old: int, size: int, leaves: list[bytes] = LEAVES) -> Offer:
    """A true offer."""
    proof = merkle.consistency_path(leaves[:size], old) if 0 < old < size else []
    return Offer(old, tuple(proof), note(size, leaves))


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    made = Witness(tmp_path, POLICY, key("witness-1"), "witness", lambda: NOW)
    yield made
    made.close()


def cosigned_10(witness: Witness) -> None:
    assert witness.add_checkpoint(offer(0, 10).dump()).status == 200


# --- what is read ---


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=OFFER_HASHES_MAX),
)
def test_an_offer_is_read_as_it_was_written(old: int, proof: list[bytes]) -> None:
    made = Offer(old, tuple(proof), note(1))
    assert parse_offer(made.dump()) == made


def test_the_body_is_the_one_of_the_specification() -> None:
    one = merkle.root(LEAVES)
    body = Offer(20_852_014, (one,), b"note\n").dump()
    assert body == f"old 20852014\n{dump_base64(one)}\n\nnote\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old\n\n" + note(1),
        b"old 00\n\n" + note(1),
        b"old 01\n\n" + note(1),
        b"old -1\n\n" + note(1),
        b"old  0\n\n" + note(1),
        b"old 0 \n\n" + note(1),
        b"old 0\r\n\n" + note(1),
        b"OLD 0\n\n" + note(1),
        "old ٣\n\n".encode() + note(1),
        b"old 99999999999999999999\n\n" + note(1),
        b"old 1\nAAAA\n\n" + note(2),
        b"old 1\n" + b"A" * 43 + b"=\nx\n\n" + note(2),
        b"old 1\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + note(2),
        b"old 0\n\n" + note(1)[:-1],
        b"old 0\n\n" + note(1) + b"more\n",
        b"old 0\n\n" + b"x" * OFFER_BYTES_MAX,
        b"old 2\n\n" + note(1),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(witness: Witness, body: bytes) -> None:
    assert witness.add_checkpoint(body).status == 400
    assert witness.latest is None


# --- what is answered ---


def test_what_goes_on_is_cosigned(witness: Witness) -> None:
    for old, size in ((0, 10), (10, 10), (10, 25), (25, 40)):
        answer = witness.add_checkpoint(offer(old, size).dump())
        assert (answer.status, answer.body[:4]) == (200, "— ".encode())
        signed = parse_note(note(size) + answer.body)
        assert signed_by(signed, witness.key) == NOW
        assert len(signed.signatures) == 2
    assert witness.latest == Checkpoint(ORIGIN, 40, merkle.root(LEAVES))
    assert witness.status() == {
        "format": "tally-auditor/1",
        "mode": "consistency-only",
        "name": "witness",
        "vkey": witness.key.vkey,
        "origin": ORIGIN,
        "size": 40,
        "root": merkle.root(LEAVES).hex(),
        "refuses": None,
    }


def test_a_clock_that_goes_back_dates_no_cosignature_before_the_last(tmp_path: Path) -> None:
    """Or it would be proved to have gone back itself (`verifier.evidence`)."""
    times = []
    for old, size, now in ((0, 10, NOW), (10, 20, NOW - 60), (20, 40, NOW + 60)):
        with closing(Witness(tmp_path, POLICY, key("witness-1"), "witness", lambda: now)) as made:  # noqa: B023
            answer = made.add_checkpoint(offer(old, size).dump())
            times.append(signed_by(parse_note(note(size) + answer.body), made.key))
    assert times == [NOW, NOW, NOW + 60]


def test_an_empty_log_has_one_root(witness: Witness) -> None:
    assert witness.add_checkpoint(Offer(0, (), note(0, root=bytes(32))).dump()).status == 422
    assert witness.add_checkpoint(offer(0, 0).dump()).status == 200
    cosigned_10(witness)


def test_cosignatures_are_of_either_suite(tmp_path: Path) -> None:
    witness = Witness(tmp_path, POLICY, ml_dsa("witness"), "witness", lambda: NOW)
    answer = witness.add_checkpoint(offer(0, 10).dump())
    witness.close()
    assert signed_by(parse_note(note(10) + answer.body), witness.key) == NOW
    with pytest.raises(Malformed):
        Witness(tmp_path / "other", POLICY, es256("witness"), "witness")


def test_a_log_that_is_not_known_is_not_found(witness: Witness) -> None:
    other = note(10, origin="ledger.example/other")
    answer = witness.add_checkpoint(Offer(0, (), other).dump())
    assert (answer.status, code(answer)) == (404, "witness-origin-unknown")


def test_a_checkpoint_that_the_log_has_not_signed_is_forbidden(witness: Witness) -> None:
    stranger = note(10, signer=key("stranger"))
    answer = witness.add_checkpoint(Offer(0, (), stranger).dump())
    assert (answer.status, code(answer)) == (403, "checkpoint-log-unknown")
    # Signed in the log's name, and not by its key.
    text = parse_note(note(10)).text
    forged = NoteSignature(ORIGIN, LOG.key_id, bytes(64))
    answer = witness.add_checkpoint(Offer(0, (), format_note(Note(text, (forged,)))).dump())
    assert (answer.status, code(answer)) == (403, "note-signature-invalid")


def test_signatures_by_others_are_ignored(witness: Witness) -> None:
    known = parse_note(note(10))
    more = (
        sign_note(known.text, "somebody", key("stranger")),
        replace(cosign(known.text, "witness", key("witness-1"), 5), signature=bytes(72)),
    )
    mixed = replace(known, signatures=(more[0], *known.signatures, more[1]))
    assert witness.add_checkpoint(Offer(0, (), format_note(mixed)).dump()).status == 200
    kept = Mirror(witness.folder).checkpoint()
    assert kept is not None
    # What it shows is signed by the log and by itself alone.
    assert [line.name for line in parse_note(kept).signatures] == [ORIGIN, "witness"]
    assert signed_by(parse_note(kept), witness.key) == NOW
    assert signed_by(parse_note(kept), LOG) == 0


@pytest.mark.parametrize("old", [0, 1, 9, 11, 40])
def test_another_size_than_the_last_is_a_conflict(witness: Witness, old: int) -> None:
    cosigned_10(witness)
    answer = witness.add_checkpoint(offer(old, 40).dump())
    assert tuple(answer) == (409, "text/x.tlog.size", b"10\n", {})


def test_a_conflict_is_told_before_a_wrong_proof(witness: Witness) -> None:
    cosigned_10(witness)
    assert witness.add_checkpoint(Offer(9, (bytes(32),), note(40, OTHER)).dump()).status == 409


@pytest.mark.parametrize(
    "forge",
    [
        lambda: replace(offer(10, 40), proof=()),
        lambda: replace(offer(10, 40), proof=offer(10, 40).proof[:-1]),
        lambda: replace(offer(10, 40), proof=(*offer(10, 40).proof, bytes(32))),
        lambda: replace(offer(10, 40), proof=offer(9, 40).proof),
        lambda: replace(offer(10, 40), note=note(40, OTHER[::-1])),
        lambda: replace(offer(10, 10), proof=(bytes(32),)),
        lambda: Offer(10, (), note(40, root=merkle.root(LEAVES[:10]))),
    ],
)
def test_what_does_not_go_on_is_not_cosigned(witness: Witness, forge: Callable[[], Offer]) -> None:
    cosigned_10(witness)
    answer = witness.add_checkpoint(forge().dump())
    assert (answer.status, code(answer)) == (422, "consistency-invalid")
    assert witness.latest is not None
    assert (witness.latest.size, witness.refuses) == (10, None)
    assert witness.add_checkpoint(offer(10, 40).dump()).status == 200


def test_a_proof_from_nothing_is_refused(witness: Witness) -> None:
    answer = witness.add_checkpoint(replace(offer(0, 10), proof=(bytes(32),)).dump())
    assert answer.status == 422


def test_a_second_root_of_one_size_is_kept_and_ends_it(witness: Witness) -> None:
    assert witness.add_checkpoint(offer(0, 40).dump()).status == 200
    answer = witness.add_checkpoint(offer(40, 40, OTHER).dump())
    assert (answer.status, code(answer)) == (409, "checkpoint-forked")
    assert witness.refuses == "checkpoint-forked"
    assert witness.status()["refuses"] == "checkpoint-forked"
    answer = witness.add_checkpoint(offer(40, 40).dump())
    assert (answer.status, code(answer)) == (422, "auditor-refuses")
    # The file shows it to anybody with the policy.
    file = witness.folder / STATE / EVIDENCE
    assert check_file(file.read_bytes(), POLICY).verdict == "proved"
    # So it is after a start, until the file is taken away.
    witness.close()
    again = Witness(witness.folder, POLICY, key("witness-1"), "witness")
    assert again.refuses == "checkpoint-forked"
    again.close()
    file.unlink()
    again = Witness(witness.folder, POLICY, key("witness-1"), "witness")
    assert again.add_checkpoint(offer(40, 40).dump()).status == 200
    again.close()


@pytest.mark.parametrize(
    "error",
    [
        Busy("auditor-busy", retry_after=5),
        Unreadable("source-missing", path="tile/0/000"),
        Fault("audit-not-sealed", size=1),
    ],
)
def test_what_is_not_decided_may_be_offered_again(error: Busy) -> None:
    answer = refused(error)
    assert (answer.status, answer.headers, code(answer)) == (
        503,
        {"Retry-After": "5"},
        error.code,
    )


# --- what is kept ---


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 40), st.booleans()),
        max_size=12,
    )
)
def test_whatever_is_offered_there_is_one_history(
    offered: list[tuple[bool, int, int, bool]],
) -> None:
    cosigned: list[Checkpoint] = []
    with TemporaryDirectory() as folder:
        for is_other, old, size, is_exact in offered:
            with closing(Witness(Path(folder), POLICY, key("witness-1"), "witness")) as witness:
                leaves = OTHER if is_other else LEAVES
                latest = witness.latest.size if witness.latest else 0
                made = offer(latest if is_exact else old, size, leaves)
                if witness.add_checkpoint(made.dump()).status == 200:
                    assert witness.latest is not None
                    cosigned.append(witness.latest)
    sizes = [one.size for one in cosigned]
    assert sizes == sorted(sizes)
    # One of the two histories has all of them as its beginnings.
    assert any(
        all(merkle.root(leaves[: one.size]) == one.root for one in cosigned)
        for leaves in (LEAVES, OTHER)
    )


def test_what_was_cosigned_is_known_after_a_start(tmp_path: Path) -> None:
    for old, size in ((0, 10), (10, 25), (25, 40)):
        witness = Witness(tmp_path, POLICY, key("witness-1"), "witness")
        assert witness.add_checkpoint(offer(old, size).dump()).status == 200
        witness.close()


def test_a_folder_is_one_witness_s(witness: Witness) -> None:
    with pytest.raises(Usage) as caught:
        Witness(witness.folder, POLICY, key("witness-1"), "witness")
    assert caught.value.code == "audit-state-busy"


def test_a_witness_is_of_one_log(tmp_path: Path) -> None:
    other = NoteKey("ledger.example/other", key("stranger").public, cosigner=False)
    two = parse_policy(f"log {LOG.vkey}\nlog {other.vkey}\nquorum none\n".encode())
    with pytest.raises(Usage) as caught:
        Witness(tmp_path, two, key("witness-1"), "witness")
    assert caught.value.code == "auditor-one-log"
    # Two keys of one log are one log.
    other = NoteKey(ORIGIN, key("stranger").public, cosigner=False)
    both = parse_policy(f"log {LOG.vkey}\nlog {other.vkey}\nquorum none\n".encode())
    Witness(tmp_path, both, key("witness-1"), "witness").close()


def test_a_damaged_checkpoint_stops_it(tmp_path: Path) -> None:
    Files(tmp_path).write({"checkpoint": note(10)[:-9]})
    with pytest.raises(Malformed):
        Witness(tmp_path, POLICY, key("witness-1"), "witness")


def test_a_disk_that_is_full_cosigns_nothing(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Files, files: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Files, "write", full)
        answer = witness.add_checkpoint(offer(0, 10).dump())
        assert (answer.status, code(answer)) == (503, "auditor-disk")
    assert witness.latest is None
    cosigned_10(witness)
