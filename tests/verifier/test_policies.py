"""The chain of policies: who holds an earlier one can follow, and no forged chain is followed."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import independent_certificates
import independent_checker as second
import independent_lots
import pytest
from support.auditors import govern_policy, make_final, vkeys
from support.bundles import Json
from support.certified import DAY, PLATFORM, SCENARIO, CertifiedCity
from support.chains import (
    FORGED,
    HIDDEN,
    A,
    B,
    C,
    Chain,
    build,
    changed,
    cosigned,
    document,
    rotate,
    trust,
)
from support.city import NOON, ORIGIN, TODAY, City, key, pseudonym

from api.books import Asked, write_book
from api.certificates import write_certificate
from api.exporting import write_lot
from api.proving import complete, prove_reduction
from chain.holdings import Units
from keys.notes import cosign, format_note, parse_note, sign_note
from keys.strict import dump_json
from verifier.anchors import InHand
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    made = build(tmp_path_factory.mktemp("chain") / "city")
    yield made
    made.city.store.engine.dispose()


def verdict(bundle: Json, policy: str, hand: InHand | None = None) -> str:
    """What both checkers say; of an invalid one, the check that failed and why."""
    data = dump_json(bundle)
    report = check_file(data, parse_policy(policy.encode()), hand or InHand())
    if hand is None:
        assert second.check(data, second.Policy(policy.encode())) == report.verdict
    if report.verdict != "invalid":
        return report.verdict
    last = report.checks[-1]
    assert last.error is not None
    return f"{last.code}: {last.error.code}"


# --- following ---


def test_every_earlier_policy_leads_to_the_one_in_use(chain: Chain) -> None:
    assert [len(bundle["policies"]["links"]) for bundle in chain.bundles] == [0, 1, 3]
    assert [len(bundle["policies"]["governed"]) for bundle in chain.bundles] == [1, 2, 3]
    for place, bundle in enumerate(chain.bundles):
        for policy in chain.policies[: place + 1]:
            assert verdict(bundle, policy) == "provisional"


def test_the_policy_in_use_needs_no_link(chain: Chain) -> None:
    newest = trust(C, "operator/2")
    assert verdict(chain.bundles[-1], newest) == "provisional"
    assert verdict(changed(chain, lambda links: links.clear()), newest) == "provisional"


def test_a_later_policy_leads_nowhere_back(chain: Chain) -> None:
    assert verdict(chain.bundles[0], chain.policies[1]) == "unwitnessed"
    assert verdict(chain.bundles[1], chain.policies[2]) == "unwitnessed"


def test_the_report_says_how_many_links_it_followed(chain: Chain) -> None:
    report = check_file(dump_json(chain.bundles[-1]), parse_policy(chain.policies[1].encode()))
    [check] = [check for check in report.checks if check.code == "policies"]
    assert check.details == {"count": 2}
    assert "2" in check.text("en") and "2" in check.text("zh")


def test_a_link_at_the_files_own_checkpoint_shows_the_operators_key(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    line = city.ride("ann", NOON)
    leaf = city.reduce([line])[0].leaf
    govern_policy(city, document(A))
    city.submit([line])
    rotate(city)
    make_final(city, *A[:3])
    made = prove_reduction(city.store, leaf)
    assert len(made["policies"]["links"]) == 1
    assert verdict(made, trust(A)) == "provisional"
    made["policies"]["links"].clear()
    assert verdict(made, trust(A)) == "checkpoint: checkpoint-log-unknown"


def test_a_checkpoint_in_hand_may_be_by_the_operators_earlier_key(chain: Chain) -> None:
    older = parse_note(chain.bundles[0]["checkpoint"].encode())
    newer = parse_note(chain.bundles[2]["checkpoint"].encode())
    hand = [InHand(newer=note) for note in (older, newer)]
    assert [verdict(chain.bundles[2], chain.policies[0], one) for one in hand] == [
        "provisional",
        "provisional",
    ]
    assert verdict(chain.bundles[0], chain.policies[0], hand[1]) == "newer: checkpoint-log-unknown"


def test_without_a_quorum_nothing_is_followed(chain: Chain) -> None:
    alone = chain.policies[-1]
    assert verdict(chain.bundles[1], alone) == "provisional"
    # It is by a key that this policy does not name, and no link counts.
    assert verdict(chain.bundles[2], alone) == "checkpoint: checkpoint-log-unknown"


def test_lots_certificates_and_books_carry_the_chain(tmp_path: Path) -> None:
    city = CertifiedCity.open(tmp_path / "city")
    govern_policy(city, document(A))
    city.submit([city.ride("ann", NOON - DAY + 3600 * hour) for hour in range(-5, 8)])
    city.shut(TODAY)
    body = city.issue(city.certify(TODAY - 1, TODAY)).body
    make_final(city, *A)
    govern_policy(city, document(B))
    make_final(city, *A)
    city.wait(1)
    make_final(city, *B)
    units = Units(body["registry"], body["series"], body["first"], body["first"] + body["units"])
    whose = Asked(PLATFORM, (pseudonym("traveller", "ann"),))
    made: dict[str, tuple[Json, Any]] = {
        "lot": (write_lot(city.store, PLATFORM, SCENARIO, TODAY - 1), independent_lots),
        "certificate": (
            write_certificate(city.store, units, draws=8).document,
            independent_certificates,
        ),
        "book": (write_book(city.store, whose).document, None),
    }
    for name, (file, other) in made.items():
        assert complete(city.store, file), name
        alone = {**file, "policies": {**file["policies"], "links": []}}
        for given, policy, expected in (
            (file, trust(A), "valid"),
            (file, trust(B), "valid"),
            (alone, trust(A), "unwitnessed"),
            (alone, trust(B), "valid"),
        ):
            data = dump_json(given)
            report = check_file(data, parse_policy(policy.encode()))
            assert report.verdict == expected, name
            if other is not None:
                assert other.check(data, second.Policy(policy.encode())) == expected, name
            if name == "certificate" and expected == "valid":
                # The auditors of the first policy cosigned the checkpoint that it is drawn from.
                is_open = policy == trust(A)
                said = "certificate-valid" if is_open else "certificate-valid-unseeded"
                assert report.said == said
    city.store.engine.dispose()


# --- forging ---


def test_without_its_links_a_file_is_not_witnessed(chain: Chain) -> None:
    bundle = copy.deepcopy(chain.bundles[1])
    bundle["policies"]["links"].clear()
    assert verdict(bundle, chain.policies[0]) == "unwitnessed"


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_chain_is_not_followed(chain: Chain, name: str) -> None:
    change, expected = FORGED[name]
    assert verdict(changed(chain, change), chain.policies[0]) == expected


@pytest.mark.parametrize("name", HIDDEN)
def test_no_policy_that_was_in_force_can_be_hidden(chain: Chain, name: str) -> None:
    change, expected = HIDDEN[name]
    assert verdict(changed(chain, change, "governed"), chain.policies[0]) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda shown: shown["links"][0]["policy"].update(more=1),
        lambda shown: shown["links"][0]["policy"].update(path=["x"]),
        lambda shown: shown["links"][0]["operator"].update(key_held={}),
        lambda shown: shown["links"][0]["seal"].update(path=["zz"]),
        lambda shown: shown["governed"][0].update(more=1),
    ],
)
def test_links_that_are_passed_over_have_their_one_form(
    chain: Chain, change: Callable[[Json], object]
) -> None:
    made = copy.deepcopy(chain.bundles[-1])
    change(made["policies"])
    assert verdict(made, trust(C, "operator/2")).startswith("form: ")


def test_the_last_policy_cannot_be_hidden_from_who_holds_the_one_before(chain: Chain) -> None:
    made = copy.deepcopy(chain.bundles[-1])
    made["policies"]["links"].clear()
    made["policies"]["governed"].pop()
    cosigned(made, *B, signer="operator/2")
    assert verdict(made, trust(B, "operator/2")) == "governed: policies-gap"
    made["policies"]["governed"].clear()
    assert verdict(made, trust(B, "operator/2")) == "governed: policies-gap"


def test_that_there_is_no_policy_is_proved(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    line = city.ride("ann", NOON)
    city.submit([line])
    made = prove_reduction(city.store, city.reduce([line])[0].leaf)
    alone = policy_text(ORIGIN, key("operator").public)
    assert made["policies"]["governed"] == made["policies"]["links"] == []
    assert verdict(made, alone) == "provisional"
    # Whoever chose cosigners needs no governance for that.
    own = f"{alone.split(chr(10))[0]}\nwitness a {vkeys('a-1')[0].vkey}\nquorum a\n"
    assert verdict(made, own) == "unwitnessed"
    cosigned(made, "a-1")
    assert verdict(made, own) == "provisional"
    shorter = copy.deepcopy(made)
    shorter["policies"]["free"]["end"] -= 1
    assert verdict(shorter, alone) == "governed: held-other-line"
    made["policies"]["free"] = None
    assert verdict(made, alone) == "governed: policies-gap"
    city.store.engine.dispose()


def test_a_span_that_has_ended_shows_no_policy(chain: Chain) -> None:
    """The operator proves of the policy before, truly, that its span is in the register."""
    city, made = chain.city, copy.deepcopy(chain.bundles[-1])
    with city.store.snapshot() as snapshot:
        line = city.state.classes.line("policy", [])
        ended = snapshot.register().overlapping([(line, 0, 2**62)])[0][-1]
        held = snapshot.register().held(line, ended.start)
    link = {
        "checkpoint": made["checkpoint"],
        "seal": made["seal"],
        "policy": held.as_json(),
        "operator": made["policies"]["links"][-1]["operator"],
        "path": [],
    }
    cosigned(link, *A[:3], signer="operator/2")
    made["policies"]["links"] = [link]
    assert verdict(made, trust(A)) == "policies: not-in-force"


def test_a_link_of_another_ledger_of_the_same_auditors_is_not_followed(
    chain: Chain, tmp_path: Path
) -> None:
    """Of the same name and by the same operator, but opened anew."""
    other = City.found(tmp_path / "city", acceptance_days=3)
    govern_policy(other, document(A))
    make_final(other, *A[:3])
    govern_policy(other, document(("x-1", "x-2", "x-3", "x-4")))
    make_final(other, *A[:3])
    with other.store.snapshot() as snapshot:
        [link] = snapshot.links()
    mine = chain.bundles[-1]["policies"]["links"][0]
    link["path"], link["policy"]["start"] = mine["path"], mine["policy"]["start"]
    made = changed(chain, lambda links: links.__setitem__(slice(None), [link]))
    assert verdict(made, chain.policies[0]) == "policies: consistency-invalid"
    other.store.engine.dispose()


def test_a_link_of_another_history_is_not_followed(chain: Chain, tmp_path: Path) -> None:
    """New auditors, none of whom lies, are shown another history by the operator."""
    other = City.found(tmp_path / "city")
    govern_policy(other, document(A))
    line = other.ride("somebody else", NOON)
    other.submit([line])
    govern_policy(other, document(B))
    other.submit([other.ride("another", NOON)])
    made = prove_reduction(other.store, other.reduce([line])[0].leaf)
    note = parse_note(made["checkpoint"].encode())
    lines = [cosign(note.text, f"{name}.example", key(name), NOON) for name in B[:3]]
    made["checkpoint"] = format_note(replace(note, signatures=(*note.signatures, *lines))).decode()
    [link] = copy.deepcopy(chain.bundles[1]["policies"]["links"])
    size, head = (int(text.split("\n")[1]) for text in (link["checkpoint"], made["checkpoint"]))
    path = other.store.published_tree().consistency(size, head)
    made["policies"]["links"] = [{**link, "path": [digest.hex() for digest in path]}]
    assert verdict(made, chain.policies[0]) == "policies: consistency-invalid"
    other.store.engine.dispose()


def test_a_link_beyond_the_files_checkpoint_is_not_followed(chain: Chain) -> None:
    early = copy.deepcopy(chain.bundles[0])
    early["policies"] = copy.deepcopy(chain.bundles[1]["policies"])
    assert verdict(early, chain.policies[0]) == "policies: link-order"


def test_a_link_with_two_readings_of_its_log_is_not_followed(chain: Chain) -> None:
    def rename(links: list[Any]) -> None:
        note = parse_note(links[0]["checkpoint"].encode())
        text = note.text.replace(ORIGIN, "other.example/city", 1)
        lines = [cosign(text, f"{name}.example", key(name), NOON) for name in A[:3]]
        log = sign_note(text, "other.example/city", key("operator"))
        made = replace(note, text=text, signatures=(log, *lines))
        links[0]["checkpoint"] = format_note(made).decode()

    assert verdict(changed(chain, rename), chain.policies[0]) == "policies: checkpoint-other-log"
