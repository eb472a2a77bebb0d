"""Of two histories that part nobody who holds one policy is told of both that they are final.

No auditor here lies: each cosigns one history only.  The operator shows one to those whom a policy
brings in, who begin with the log anew, and goes on with the other before those whom it replaced,
who know nothing of policies and go on cosigning.
"""

import copy
from pathlib import Path
from typing import NamedTuple

import independent_checker as second
import pytest
from support.auditors import govern_policy, make_final, policy_document, vkeys
from support.bundles import Json
from support.chains import A, B, C, cosigned, document, trust
from support.city import NOON, City

from api.proving import Proving, prove_reduction
from keys.strict import dump_json
from verifier.check import check_file
from verifier.policy import parse_policy

MIXED = (*A[:3], "b-1")


class Branch(NamedTuple):
    """What is done on one branch: the policies that governance puts in force, each with those who
    cosign the link to it, if it is to be shown; and who cosigns the file's checkpoint."""

    policies: list[tuple[tuple[str, ...], tuple[str, ...]]]
    signers: tuple[str, ...]


class Case(NamedTuple):
    """The policies before the histories part, with those who cosign the links to them; the two
    branches; and whether the first one's file leaves out the links of both."""

    before: list[tuple[tuple[str, ...], tuple[str, ...]]]
    branches: tuple[Branch, Branch]
    is_bare: bool = False


CASES = {
    "those who were replaced go on": Case(
        [(A, ()), (B, A[:3])], (Branch([], A), Branch([], B)), is_bare=True
    ),
    "some were replaced, and one lies": Case(
        [(A, ()), (MIXED, A[:3])],
        (Branch([], ("a-1", "a-2", "a-4")), Branch([], ("a-2", "a-3", "b-1"))),
        is_bare=True,
    ),
    "the policy between is passed over": Case(
        [(A, ()), (B, A[:3])], (Branch([(C, A[:3])], C), Branch([], B))
    ),
    "the first policy comes back": Case(
        [(A, ()), (B, A[:3])], (Branch([(A, ())], A), Branch([], B)), is_bare=True
    ),
    "the first policy comes back by its own word": Case(
        [(A, ()), (B, A[:3])], (Branch([(A, A[:3])], A), Branch([], B))
    ),
    "a decision alone is final under the policy before": Case(
        [(A, ())], (Branch([(B, ())], A), Branch([(B, A[1:])], B))
    ),
    "both decide otherwise": Case(
        [(A, ()), (B, A[:3])], (Branch([(C, B[:3])], C), Branch([(A, A[:3])], A))
    ),
}


def build(folder: Path, case: Case, branch: Branch, first: str) -> Json:
    """The file of a reduction on a branch."""
    city = City.found(folder)
    links = []

    def decide(names: tuple[str, ...], signers: tuple[str, ...]) -> None:
        govern_policy(city, document(names))
        if signers:
            with city.store.snapshot() as snapshot:
                link = Proving(city.store, snapshot).link()
                note = snapshot.note(snapshot.block(city.state.height)).decode()
            cosigned(link := {**link, "checkpoint": note}, *signers)
            links.append((city.state.index, link))

    for names, signers in case.before:
        decide(names, signers)
    line = city.ride(first, NOON)
    city.submit([line])
    for names, signers in branch.policies:
        decide(names, signers)
    made = prove_reduction(city.store, city.reduce([line])[0].leaf)
    tree, size = city.store.published_tree(), city.state.index
    made["policies"]["links"] = [
        {**link, "path": [digest.hex() for digest in tree.consistency(at, size)]}
        for at, link in links
    ]
    cosigned(made, *branch.signers)
    city.store.engine.dispose()
    return made


def verdict(file: Json, policy: str) -> str:
    data = dump_json(file)
    found = check_file(data, parse_policy(policy.encode())).verdict
    assert second.check(data, second.Policy(policy.encode())) == found
    return found


@pytest.mark.parametrize("name", CASES)
def test_two_files_that_contradict_each_other_are_not_both_final(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    files = [
        build(tmp_path / first, case, branch, first)
        for first, branch in zip(("ann", "bob"), case.branches, strict=True)
    ]
    if case.is_bare:
        files[0]["policies"]["links"].clear()
    assert files[0]["checkpoint"] != files[1]["checkpoint"]
    verdicts = [verdict(file, trust(A)) for file in files]
    assert "invalid" not in verdicts
    assert "unwitnessed" in verdicts
    # What is missing is the word of those whose turn it was, and nothing else.
    every = dict.fromkeys((*A, *B, *C))
    for file in files:
        for part in (*file["policies"]["links"], file):
            cosigned(part, *every)
        if file["policies"]["links"] or len(file["policies"]["governed"]) == 1:
            assert verdict(file, trust(A)) == "provisional"


def test_policies_between_may_agree_to_be_passed_over(tmp_path: Path) -> None:
    """Governance puts B in force, and C before A has cosigned: a link needs A and B."""
    city = City.found(tmp_path / "city")
    govern_policy(city, document(A))
    make_final(city, *A)
    line = city.ride("ann", NOON)
    city.submit([line])
    govern_policy(city, document(B))
    govern_policy(city, document(C))
    leaf = city.reduce([line])[0].leaf
    last = city.state.height

    def links() -> int:
        with city.store.snapshot() as snapshot:
            return len(snapshot.links())

    assert make_final(city, *A) < last and links() == 0
    assert make_final(city, *C) < last and links() == 0
    assert make_final(city, *B[:2]) < last and links() == 0
    assert make_final(city, *B[2:]) == last and links() == 1
    made = prove_reduction(city.store, leaf)
    for policy in (trust(A), trust(B), trust(C)):
        assert verdict(made, policy) == "provisional"
    alone = copy.deepcopy(made)
    cosigned(alone["policies"]["links"][0], *A, *C)
    assert verdict(alone, trust(A)) == "unwitnessed"
    cosigned(alone["policies"]["links"][0], *B, *C)
    assert verdict(alone, trust(A)) == "unwitnessed"
    assert verdict(alone, trust(B)) == "provisional"
    city.store.engine.dispose()


def test_names_of_groups_and_witnesses_do_not_matter(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    made = policy_document(vkeys(*A), 3, 1, (vkeys("w-1", "w-2"), 1))
    govern_policy(city, made)
    line = city.ride("ann", NOON)
    city.submit([line])
    make_final(city, *A[:3], "w-1")
    govern_policy(city, document(B))
    make_final(city, *A[:3], "w-1")
    make_final(city, *B)
    file = prove_reduction(city.store, city.reduce([line])[0].leaf)
    log = trust(A).split("\n")[0]
    keys = [f"witness {name} {key.vkey}" for name, key in zip("stuv", vkeys(*A), strict=True)]
    others = [
        f"witness {name} {key.vkey}" for name, key in zip("yx", vkeys("w-1", "w-2"), strict=True)
    ]
    same = [log, *keys, *others, "group us 3 v u t s", "group them any x y", "group q 2 them us"]
    assert verdict(file, "\n".join([*same, "quorum q\n"])) == "provisional"
    # Any other wish is its holder's own, whom governance cannot replace.
    for other in ("group them all x y", "group them 1 x"):
        own = [line.replace("group them any x y", other) for line in same]
        assert verdict(file, "\n".join([*own, "quorum q\n"])) == "unwitnessed"
    city.store.engine.dispose()


def test_a_link_passes_over_a_few_policies_at_most(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    sets = [tuple(f"{letter}-{n}" for n in range(1, 5)) for letter in "abcdefghijk"]
    for names in sets:
        govern_policy(city, document(names))
    line = city.ride("ann", NOON)
    city.submit([line])
    with city.store.snapshot() as snapshot:
        link = Proving(city.store, snapshot).link()
        link["checkpoint"] = snapshot.note(snapshot.block(city.state.height)).decode()
    made = prove_reduction(city.store, city.reduce([line])[0].leaf)
    made["policies"]["links"] = [{**link, "path": []}]
    for part in (made, made["policies"]["links"][0]):
        cosigned(part, *(name for names in sets for name in names[:3]))
    assert verdict(made, trust(sets[0])) == "unwitnessed"  # nine stand between
    assert verdict(made, trust(sets[1])) == "provisional"
    for name in ("governed", "links"):
        many = copy.deepcopy(made)
        many["policies"][name] = many["policies"][name][:1] * 1_025
        report = check_file(dump_json(many), parse_policy(trust(A).encode()))
        [failed] = [one.error for one in report.checks if one.error is not None]
        assert failed.code == "policies-many"
    city.store.engine.dispose()
