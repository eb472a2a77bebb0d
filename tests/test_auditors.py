"""Four auditors as real processes, three of whom are needed, while one of them lies.

One is killed, one is cut off: final checkpoints go on or stop exactly as the policy says.  When the
operator forks the log, two people who are each shown a branch are never both told that it is final.
"""

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import pytest
from support.auditors import Auditor, govern_policy, policy_document
from support.city import NOON, ORIGIN, City, key
from support.waiting import until

from api.cosigning import Collecting, Cosigned, Cosigner
from api.proving import complete, prove_reduction
from api.service.cosigning import Cosigning
from chain.policies import WitnessPolicy
from keys.errors import TallyError
from keys.strict import dump_json
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy

HONEST = ("a-1", "a-2", "a-3")
LIAR = "a-4"


class Place:
    """A ledger in a folder, and its auditors; each is shown the ledger itself, or a folder of its
    own (`show`)."""

    def __init__(self, folder: Path, *, is_shared: bool) -> None:
        self.folder = folder
        self.city = City.found(folder / "city")
        self.auditors = []
        for name in (*HONEST, LIAR):
            source = self.city.folder if is_shared else self._shown(name)
            source.mkdir(exist_ok=True)
            self.auditors.append(Auditor(folder / name, name, source, lies=name == LIAR))
        document = policy_document([one.key for one in self.auditors], 3, 1)
        govern_policy(self.city, document)
        self.policy = policy_text(ORIGIN, key("operator").public, WitnessPolicy(document))
        for one in self.auditors:
            one.listen()

    def _shown(self, name: str) -> Path:
        return self.folder / f"shown-to-{name}"

    def show(self, name: str, city: City) -> None:
        """Show an auditor this ledger, as it is now, in the place of what it was shown before."""
        shown = self._shown(name)
        shutil.rmtree(shown)
        for part in ("tile", "submissions"):
            if (city.folder / part).exists():
                shutil.copytree(city.folder / part, shown / part)

    def fork(self) -> City:
        """A second history that begins with all of the first."""
        self.city.store.engine.dispose()
        other = self.folder / "branch"
        shutil.copytree(self.city.folder, other)
        return City(other)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    made: list[Place] = []

    def make(*, is_shared: bool = False) -> Place:
        made.append(Place(tmp_path, is_shared=is_shared))
        return made[-1]

    yield make
    for one in made:
        for auditor in one.auditors:
            auditor.end()


def final_height(city: City) -> int:
    with city.store.snapshot() as snapshot:
        return snapshot.final_height()


def cosigned(city: City) -> set[str]:
    """Who has cosigned the last block."""
    with city.store.snapshot() as snapshot:
        lines = snapshot.cosignatures(city.state.height)
    return {line.name.removesuffix(".example") for line in lines}


def seal(city: City, person: str) -> bytes:
    """A block with a ride; its leaf."""
    line = city.ride(person, NOON)
    leaf = city.reduce([line])[0].leaf
    city.submit([line])
    return leaf


def verdict(place: Place, city: City, leaf: bytes) -> str:
    """What a light client says, who has a file of this ledger and the policy."""
    bundle = prove_reduction(city.store, leaf)
    complete(city.store, bundle)
    return check_file(dump_json(bundle), parse_policy(place.policy.encode())).verdict


def test_final_checkpoints_go_on_and_stop_as_the_policy_says(
    place: Callable[..., Place],
) -> None:
    here = place(is_shared=True)
    city, (first, second, _, _) = here.city, here.auditors
    lead = city.store.lead()
    assert lead is not None
    with lead, Cosigning(city.store, {one.name: one.url for one in here.auditors}, lead):

        def is_final() -> bool:
            return final_height(city) == city.state.height

        until(lambda: cosigned(city) == {*HONEST, LIAR})
        assert is_final()
        first.signal(signal.SIGKILL)
        one = seal(city, "ann")
        until(is_final)
        assert cosigned(city) == {"a-2", "a-3", LIAR}
        assert verdict(here, city, one) == "provisional"
        second.signal(signal.SIGSTOP)
        two = seal(city, "ben")
        until(lambda: cosigned(city) == {"a-3", LIAR})
        assert not is_final()
        assert verdict(here, city, two) == "unwitnessed"
        second.signal(signal.SIGCONT)
        until(is_final)
        assert verdict(here, city, two) == "provisional"


def offer(city: City, auditors: Sequence[Auditor]) -> None:
    """Offer the last block of a branch to each of these, and enter what they answer."""
    collecting = Collecting(city.store)
    newest = collecting.newest()
    assert newest is not None
    made = []
    for one in auditors:
        cosigner = Cosigner(one.key, one.url)
        try:
            line = cosigner.ask(newest.note, city.store.published_tree())
        except TallyError:
            continue  # it does not cosign this branch
        finally:
            cosigner.close()
        made.append(Cosigned(newest.height, line))
    collecting.take(made)


def check_fork(place: Place, split: Sequence[int]) -> None:
    """Show each honest auditor one of two branches, then each the other one as well."""
    for name in HONEST:
        place.show(name, place.city)
    offer(place.city, place.auditors)
    assert final_height(place.city) == place.city.state.height
    cities = (place.city, place.fork())
    leaves = [seal(city, person) for city, person in zip(cities, ("ann", "ben"), strict=True)]
    *honest, liar = place.auditors
    for turn in (0, 1):
        for which, city in enumerate(cities):
            shown = [one for one, side in zip(honest, split, strict=True) if side ^ turn == which]
            for one in shown:
                place.show(one.name.removesuffix(".example"), city)
            offer(city, [*shown, liar])
    heard = [cosigned(city) for city in cities]
    told = [verdict(place, city, leaf) for city, leaf in zip(cities, leaves, strict=True)]
    assert all(LIAR in names for names in heard)
    # Each honest auditor is on the branch that it was shown first, and on no other.
    assert [names - {LIAR} for names in heard] == [
        {name for name, side in zip(HONEST, split, strict=True) if side == which}
        for which in (0, 1)
    ]
    assert told == ["provisional" if split.count(which) >= 2 else "unwitnessed" for which in (0, 1)]
    cities[1].store.engine.dispose()


def test_two_people_on_two_branches_are_never_both_told_that_theirs_is_final(
    place: Callable[..., Place],
) -> None:
    check_fork(place(), (0, 1, 1))


@pytest.mark.long
@pytest.mark.parametrize("split", list(product((0, 1), repeat=3)))
def test_however_the_honest_ones_are_split(
    place: Callable[..., Place], split: tuple[int, ...]
) -> None:
    check_fork(place(), split)
