"""A dishonest operator: ledgers that break one rule each, validly signed, in the real formats.

Each act takes a ledger that is right up to its last block (`support.bundles.World`), does what it
should not, seals, signs a checkpoint, and publishes all files as a source.  An act that shows two
histories also gives the one that was shown before.  With it comes the bundle that somebody with
the policy alone is handed, where a bundle of the lie can be made.

Two acts need the whole of an operator's programs, and have them run with a rule switched off.
"""

import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from support.bundles import Json, Sealed, World, ledger, sign_reductions, world
from support.certificates import DAYS, IssuedCity, build, issued_city
from support.city import NOON, OFFSET, City, key, pseudonym
from support.forging import MEALS, RIDES, TRIPS, altered, reduction_of

import chain.rules
import chain.store.ledger
from chain.admission import sign_submission
from chain.blocks import make_checkpoint
from chain.effects import Effects, Entry
from chain.issuances import divide
from chain.merkle import Frontier, leaf_hash
from chain.paths import CHECKPOINT, reductions_path
from chain.reductions import Reduction, dump_reductions
from chain.spans import Span, node_hash, value_hash
from chain.spans import leaf_hash as span_leaf
from chain.state import State, View
from chain.tiles import new_tiles
from keys.errors import Unreadable
from keys.participants import Role, role_holder
from keys.signer import Signer
from keys.statements import Statement, parse_statement
from keys.strict import dump_date

Files = dict[str, bytes]


class MemorySource:
    """The published files of a ledger, in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    def read(self, path: str, bytes_max: int) -> bytes:
        if path not in self.files:
            raise Unreadable("source-missing", path=path)
        if len(self.files[path]) > bytes_max:
            raise Unreadable("source-too-long", path=path, limit=bytes_max)
        return self.files[path]


class Nothing:
    """Where no tile is read from."""

    def read(self, path: str) -> bytes:
        raise AssertionError(path)


def publish(sealed: Sealed, log: Signer | None = None) -> Files:
    """All files of a ledger in the hands of its operator."""
    datas = [statement.data for statement in sealed.statements]
    files = new_tiles(Nothing(), 0, datas)
    for batch in sealed.world.batches.values():
        statement = sign_reductions(batch, bytes(32))
        files[reductions_path(bytes.fromhex(statement.body["root"]))] = dump_reductions(batch)
    frontier = Frontier().append([leaf_hash(data) for data in datas])
    note = make_checkpoint(sealed.world.origin, frontier, log or sealed.world.log)
    return {**files, CHECKPOINT: note}


def published(city: City) -> Files:
    """All files of an honest ledger, as they lie in its folder."""
    paths = (path for path in city.folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(city.folder)): path.read_bytes()
        for path in paths
        if path.name != "ledger.db" and not path.name.startswith((".", "ledger.db-"))
    }


class Lie(NamedTuple):
    """What an act has published."""

    files: Files
    bundle: Json | None = None
    """What a light client is shown; None if no bundle speaks of it."""
    before: Files | None = None
    """What was published before, to somebody else or to the same."""


ACTS: dict[str, Callable[[], Lie]] = {}


def act(name: str) -> Callable[[Callable[[], Lie]], Callable[[], Lie]]:
    """Register an act under its name."""

    def enter(make: Callable[[], Lie]) -> Callable[[], Lie]:
        ACTS[name] = functools.cache(make)
        return ACTS[name]

    return enter


def _moved(seconds: int) -> Reduction:
    """The first ride, later."""
    ride = reduction_of(RIDES, 0)
    first, *rest = ride.claims
    assert first.start is not None and first.end is not None
    claims = (replace(first, start=first.start + seconds, end=first.end + seconds), *rest)
    return altered(ride, claims=claims, digest=bytes(32))


def _lie(forged: World, index: int, position: int = 0) -> Lie:
    sealed = forged.sealed()
    return Lie(publish(sealed), sealed.reduction(index, position))


# --- the log ---


@act("rewrites an old statement")
def _rewrites() -> Lie:
    forged = world().copy()
    old = forged.statements[RIDES]
    forged.statements[RIDES] = parse_statement(old.data.replace(b'"grams":560', b'"grams":561'))
    return _lie(forged, RIDES)


@act("drops a statement")
def _drops() -> Lie:
    forged = world().copy()
    del forged.statements[RIDES]
    del forged.batches[RIDES]
    batches = {index - (index > RIDES): batch for index, batch in forged.batches.items()}
    forged.batches = batches
    return _lie(forged, TRIPS - 1)


@act("drops a statement that was seen, and seals anew")
def _drops_seen() -> Lie:
    city = _fresh("shown")
    before = published(city)
    other = _fresh("dropped", rides=False)
    return Lie(published(other), None, before)


def _fresh(name: str, rides: bool = True) -> City:
    folder = Path(tempfile.mkdtemp(prefix="tally-")) / name
    city = City.found(folder)
    lines = [city.ride("rider", NOON - 900)]
    if rides:
        city.submit(lines)
    city.submit([city.meal("eater", NOON)])
    return city


@act("forks for one reader")
def _forks() -> Lie:
    branches = []
    for ticket in ("one", "other"):
        forged = world().copy()
        index = forged.submit([_free_ride(ticket)])
        branches.append(forged.sealed())
    return Lie(publish(branches[1]), branches[1].reduction(index, 0), publish(branches[0]))


def _ticket(number: str) -> bytes:
    return world().classes.line("ticket", ["city-bus", pseudonym("ticket", number)])


@act("shows an older checkpoint than before")
def _rolls_back() -> Lie:
    sealed = world().sealed(world().last)
    return Lie(publish(_up_to(sealed, TRIPS + 2)), None, publish(sealed))


def _up_to(sealed: Sealed, size: int) -> Sealed:
    return Sealed(sealed.world, sealed.statements[:size])


@act("reorders statements")
def _reorders() -> Lie:
    forged = world().copy()
    second = ledger().second.index
    one, other = forged.statements[RIDES], forged.statements[second]
    forged.statements[RIDES], forged.statements[second] = other, one
    forged.batches[RIDES], forged.batches[second] = forged.batches[second], forged.batches[RIDES]
    loser, winner = forged.batches[second][1], forged.batches[RIDES][0]
    forged.drop(*[span for span in forged.spans.values() if span.holder == loser.holder])
    _hold(forged, winner)
    return _lie(forged, RIDES, 0)


@act("enters a statement twice")
def _twice() -> Lie:
    forged = world().copy()
    first = ledger().rotated.index
    index = forged.append(forged.statements[first])
    forged.batches[index] = forged.batches[first]
    return _lie(forged, index)


@act("replays a statement of another ledger")
def _other_ledger() -> Lie:
    forged = world().copy()
    ride = _free_ride()
    statement = sign_reductions([ride], bytes(32), key("metro-app/2"))
    return _lie(forged, _append(forged, statement, ride))


def _free_ride(ticket: str = "not used yet", seconds: int = 7200) -> Reduction:
    """A ride with a ticket that is free; so is the traveller, but for those who say so."""
    ride = _moved(seconds)
    return altered(ride, claims=(ride.claims[0], replace(ride.claims[1], line=_ticket(ticket))))


def _hold(forged: World, reduction: Reduction) -> None:
    """Enter the spans that a reduction claims."""
    forged.put(
        *(Span(c.line, c.start or 0, c.end or 0, reduction.holder) for c in reduction.claims)
    )


def _append(forged: World, statement: Statement, reduction: Reduction) -> int:
    """Log a submission of one reduction, which holds all it claims; its index."""
    index = forged.append(statement)
    forged.batches[index] = [reduction]
    _hold(forged, reduction)
    return index


@act("accepts what has expired")
def _expired() -> Lie:
    forged = world().copy()
    ride = _free_ride()
    statement = sign_submission(
        key("metro-app/2"),
        platform="metro-app",
        ledger=forged.genesis_id,
        expires=NOON,
        reductions=[ride],
    )
    return _lie(forged, _append(forged, statement, ride))


@act("accepts a key that has ended")
def _ended_key() -> Lie:
    forged = world().copy()
    index = forged.submit([_free_ride()], signer=key("metro-app"))
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    # The best that can be shown: the key as it was held until it was rotated.
    bundle["signer"] = sealed.submitted(RIDES)["signer"]
    return Lie(publish(sealed), bundle)


@act("withholds the reductions of a submission")
def _withholds() -> Lie:
    sealed = world().sealed(world().last)
    files = publish(sealed)
    root = bytes.fromhex(sealed.statements[RIDES].body["root"])
    del files[reductions_path(root)]
    return Lie(files, sealed.reduction(RIDES, 0))


@act("shows other reductions than were submitted")
def _other_reductions() -> Lie:
    sealed = world().sealed(world().last)
    files = publish(sealed)
    root = bytes.fromhex(sealed.statements[RIDES].body["root"])
    batch = [_moved(60), *sealed.world.batches[RIDES][1:]]
    files[reductions_path(root)] = dump_reductions(batch)
    return Lie(files, sealed.reduction(RIDES, 0))


# --- seals ---


@act("backdates a seal")
def _backdates() -> Lie:
    forged = world().copy()
    sealed = forged.sealed(forged.seal(time=NOON - 1))
    return Lie(publish(sealed), sealed.reduction(RIDES, 0))


@act("ends the log without a seal")
def _no_seal() -> Lie:
    sealed = world().sealed(world().last)
    return Lie(publish(_up_to(sealed, RIDES + 1)))


@act("signs the checkpoint with a key that is not its own")
def _other_key() -> Lie:
    sealed = world().sealed(world().last)
    stranger = key("stranger")
    sealed.checkpoint = make_checkpoint(
        sealed.world.origin,
        Frontier().append([leaf_hash(statement.data) for statement in sealed.statements]),
        stranger,
    ).decode()
    return Lie(publish(sealed, stranger), sealed.reduction(RIDES, 0))


@act("seals a register with an overlapping span")
def _overlaps() -> Lie:
    forged = world().copy()
    ride = _free_ride(seconds=60)
    index = forged.submit([ride])
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    claim = ride.claims[0]
    bundle["claims"][0] = sealed.register.held(claim.line, claim.start or 0).as_json()
    return Lie(publish(sealed), bundle)


@act("seals a register with a hidden key")
def _hides() -> Lie:
    forged = world().copy()
    ride = _free_ride(seconds=60)
    index = forged.submit([ride])
    shown = forged.sealed().reduction(index, 0)
    claim = ride.claims[0]
    hidden = Span(claim.line, claim.start or 0, claim.end or 0, ride.holder)
    forged.drop(hidden)
    # All keys begin with a zero bit, so on the right of a node at bit 0 nobody looks for one.
    honest = forged.register().root()
    leaf = span_leaf(hidden.key, value_hash(hidden.end, hidden.holder))
    root = node_hash(0, hidden.key, honest, leaf)
    sealed = forged.sealed(forged.seal(register=root.hex()))
    line, day = forged.line, ride.day
    bundle = _below(
        {
            **shown,
            **sealed.common("reduction"),
            **sealed.submitted(index),
            "scenario": sealed.document(line("scenario", ride.scenario), day),
            "methodology": sealed.document(line("methodology", "bus-ride-by-code"), day),
            "claims": [sealed.held(claim.line, 0) for claim in ride.claims[1:]],
        },
        [0, leaf.hex()],
    )
    alone = {**hidden.as_json(), "path": [[0, honest.hex()]], "before": None, "after": None}
    bundle["claims"].insert(0, alone)
    return Lie(publish(sealed), bundle)


def _below(value: Any, step: list[Any]) -> Any:
    """Every proof of a span, led there by one more step."""
    if isinstance(value, list):
        return [_below(item, step) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _below(item, step) for name, item in value.items()}
    if "path" in made and ("holder" in made or "value" in made):
        made["path"] = [step, *made["path"]]
    return made


@act("seals a register with a span removed")
def _removes() -> Lie:
    forged = world().copy()
    claim = reduction_of(RIDES, 0).claims[0]
    start, end = claim.start or 0, claim.end or 0
    forged.drop(next(s for s in forged.spans.values() if (s.line, s.start) == (claim.line, start)))
    sealed = forged.sealed()
    return Lie(publish(sealed), sealed.free(claim.line, start, end))


# --- reductions ---


@act("records a reduction with a class left out")
def _class_left_out() -> Lie:
    forged = world().copy()
    ride = _free_ride()
    return _lie(forged, forged.submit([altered(ride, claims=ride.claims[:1])]))


@act("records a reduction with grams above the bound")
def _too_many_grams() -> Lie:
    forged = world().copy()
    return _lie(forged, forged.submit([altered(_free_ride(), grams=10**9)]))


@act("gives a seat that is out of range")
def _seat() -> Lie:
    forged = world().copy()
    meal = reduction_of(MEALS, 0)
    [sitting] = [s for s in forged.spans.values() if s.holder == meal.holder and s.end == 1]
    forged.drop(sitting)
    forged.put(sitting._replace(start=5, end=6))
    return _lie(forged, MEALS)


# --- closes ---


@act("closes a day early")
def _closes_early() -> Lie:
    forged = world().copy()
    until = ledger().city.state.today + 1
    body = {"format": 1, "until": dump_date(until), "lots": 0, "count": 0, "grams": 0}
    forged.append(ledger().city.sign("close", "operator", body))
    forged.close(until)
    return _lie(forged, RIDES)


@act("reopens a closed day")
def _reopens() -> Lie:
    city = issued_city()
    forged = World.of(city)
    forged.close(DAYS[0])
    noon = DAYS[0] * 86_400 + 12 * 3600 - OFFSET
    line = city.ride("a latecomer", noon)
    entry = city.unchecked([line]).entry
    index = _append(forged, entry.statement, entry.reductions[0])
    body = {**forged.last.body, "register": forged.register().root().hex()}
    sealed = forged.sealed(city.sign("seal", "operator", body))
    return Lie(publish(sealed), sealed.reduction(index, 0))


@act("leaves a reduction out of its lot")
def _left_out() -> Lie:
    folder = Path(tempfile.mkdtemp(prefix="tally-"))
    gather = chain.store.ledger.LedgerStore.gather

    def short(store: Any, first: int, until: int) -> Any:
        made = gather(store, first, until)
        (lot, tree), *rest = made.items()
        less = type(tree)(list(tree.entries())[1:])
        return {
            lot._replace(count=less.count, grams=less.grams, root=less.root): less,
            **dict(rest),
        }

    with mock.patch("chain.store.ledger.LedgerStore.gather", short):
        city = build(folder)
    return Lie(published(city), city.certificate())


# --- units ---


@act("issues more than is certified")
def _issues_more() -> Lie:
    more = 3

    def generous(grams: int, unit_grams: int) -> tuple[int, int]:
        units, left = divide(grams, unit_grams)
        return units + more, left

    folder = Path(tempfile.mkdtemp(prefix="tally-"))
    with (
        mock.patch("chain.issuances.divide", generous),
        mock.patch("support.certified.divide", generous),
    ):
        city = build(folder)
    return Lie(published(city), city.certificate())


@act("certifies with a forged role")
def _forged_role() -> Lie:
    """The verifier's key is right, and never had the role; the register says that it did."""
    folder = Path(tempfile.mkdtemp(prefix="tally-"))
    apply = chain.rules.apply

    def lenient(state: State | None, entry: Entry, view: View) -> Effects:
        if entry.statement.kind != "certification":
            return apply(state, entry, view)
        with mock.patch("chain.rules._check_issuer"):
            effects = apply(state, entry, view)
        line = effects.state.classes.line("role", ["holder-2", Role.VERIFIER.value])
        role = Span(line, 0, 2**63 - 1, role_holder("holder-2", Role.VERIFIER))
        return replace(effects, put=[*effects.put, role])

    class Forging(IssuedCity):
        def sign(self, kind: str, issuer: str, *rest: Any, **more: Any) -> Statement:
            issuer = "holder-2" if kind == "certification" else issuer
            return super().sign(kind, issuer, *rest, **more)

    with (
        mock.patch("chain.sequencer.apply", lenient),
        mock.patch("chain.sequencer.check_signed"),
    ):
        city = build(folder, make=lambda folder: Forging(folder).begun())
        bundle = city.certificate()
    return Lie(published(city), bundle)
