"""Activities, reductions and submissions: what the compiled kernel takes, the Python takes alike.

Whatever the kernel does not take goes through the Python; so it may leave out, but never differ.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import carbon_tally_native as native
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.activities import ISSUERS, examples
from support.city import NOON, OFFSET, City, key, pseudonym
from support.replay import Replayed

from chain import kernel
from chain.activities import parse_activity
from chain.admission import reduce_activities, sign_submission
from chain.batches import Batch
from chain.calendar import Calendar
from chain.classes import Classes
from chain.effects import Effects, Entry
from chain.genesis import default_classes, library
from chain.methodologies import Methodology
from chain.reductions import Reduction, dump_reductions, parse_reductions
from chain.rules import apply
from chain.spans import Span
from keys.errors import Refusal, TallyError
from keys.strict import dump_cbor, dump_json, parse_cbor

CALENDAR = Calendar(OFFSET)
CLASSES = Classes(default_classes(ISSUERS), CALENDAR)
EXAMPLES = examples()
SECONDS = st.integers(-90_000, 90_000)


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "native", native)


@pytest.fixture(scope="module")
def published() -> dict[str, Methodology]:
    return {name: Methodology(document, CLASSES) for name, document in library().items()}


def by_python(of: Methodology, line: bytes) -> bytes | None:
    try:
        return of.reduce(parse_activity(line), "app").data
    except Refusal:
        return None


def by_kernel(of: Methodology, line: bytes) -> bytes | None:
    made, _, left = native.reduce_lines([line], OFFSET, "app", lambda _, day: of.plan(day))
    return None if left else made.item(0)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_all_of_the_library_is_taken(name: str, published: dict[str, Methodology]) -> None:
    line = dump_json(EXAMPLES[name])
    found = by_kernel(published[name], line)
    assert found is not None and found == by_python(published[name], line)


@given(data=st.data(), name=st.sampled_from(sorted(EXAMPLES)), by=SECONDS, longer=SECONDS)
def test_activities_with_other_fields_become_the_same_reductions(
    data: st.DataObject, name: str, by: int, longer: int, published: dict[str, Methodology]
) -> None:
    given = dict(EXAMPLES[name])
    given["start"] += by
    given["end"] += by + data.draw(st.sampled_from((0, 0, longer)))
    for field in ("attributes", "quantities"):
        for of in given.get(field, {}):
            other: Any = st.integers(-1, 10**6) | st.just(2**63 - 1)
            if field == "attributes":
                other = st.sampled_from(("bus", "", "metro", "2026"))
            if data.draw(st.integers(0, 3)) == 0:
                given[field] = {**given[field], of: data.draw(other)}
    for field in data.draw(st.sets(st.sampled_from(sorted(given)), max_size=1)):
        del given[field]
    line = dump_json(given)
    found = by_kernel(published[name], line)
    assert found is None or found == by_python(published[name], line)


@settings(max_examples=400)
@given(name=st.sampled_from(sorted(EXAMPLES)), seed=st.integers(0, 2**32))
def test_altered_bytes_are_never_read_otherwise(
    name: str, seed: int, published: dict[str, Methodology]
) -> None:
    choose = random.Random(seed)
    line = bytearray(dump_json(EXAMPLES[name]))
    for _ in range(choose.randint(1, 3)):
        at = choose.randrange(len(line))
        piece = choose.choice(
            (b"", b" ", b"0", b"-", b'"', b"\\", b"{}", b"[]", b",", b"\xc3\xa9", b"null", b"\t")
        )
        line[at : at + choose.randint(0, 2)] = piece
    found = by_kernel(published[name], bytes(line))
    assert found is None or found == by_python(published[name], bytes(line))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(0, 12))
def test_what_is_not_plain_is_reduced_among_what_is(
    seed: int, count: int, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = random.Random(seed)
    lines = [damaged(line_of(city, choose), choose) for _ in range(count)]
    activities = [parse_activity(line) for line in lines]
    found = reduce_activities(activities, city.state, "metro-app")
    with monkeypatch.context() as patched:
        patched.setattr(kernel, "native", None)
        expected = reduce_activities(activities, city.state, "metro-app")
    assert list(map(told, found)) == list(map(told, expected))


def damaged(line: bytes, choose: random.Random) -> bytes:
    """An activity that may be of no scenario or no use, or not be plain."""
    given = json.loads(line)
    match choose.randrange(8):
        case 0:
            given["scenario"] = choose.choice(("city-boat", "city-bike", "city-bus"))
        case 1:
            given["end"] += 10**6
        case 2:
            given["id"] = "é"
        case 3:
            given["evidence"]["tier"] = "hearsay"
        case _:
            pass
    return dump_json(given) if given["id"] != "é" else json.dumps(given).encode()


def told(one: Reduction | Refusal) -> object:
    return one.as_json() if isinstance(one, Refusal) else one


# --- files of reductions ---


def columns(of: Batch) -> list[object]:
    marked = [leaf[0] % 3 > 0 for leaf in of.leaves()]
    return [
        of.by_day(marked),
        len(of),
        of.to_bytes(),
        of.root(),
        of.names(),
        of.leaves(),
        of.holders(),
        of.days(),
        of.grams(),
        list(of),
    ]


def altered(value: Any, choose: random.Random) -> Any:
    """A reduction's value with one thing changed."""
    value = [*value[:6], [list(claim) for claim in value[6]], value[7]]
    claim = choose.choice(value[6])
    match choose.randrange(8):
        case 0:
            value[choose.choice((0, 3, 4, 5))] = choose.choice((0, 1, -1, 2**53, 2**63, 65_536))
        case 1:
            value[choose.choice((1, 2))] = choose.choice(("a-b", "a--b", "A", "", "a" * 65, b"a"))
        case 2:
            value[7] = bytes(choose.choice((31, 32, 33)))
        case 3:
            value[6] = choose.choice(([], value[6] * 65, [[]], None))
        case 4:
            claim[0] = choose.choice((0, 65_535, 65_536, -1))
        case 5:
            claim[1] = bytes(choose.choice((21, 22, 23)))
        case 6:
            claim[2:] = choose.choice(([], [1], [5, 5], [5, 6], [0, 2**63 - 1], [0, 2**63]))
        case _:
            value.append(0)
    return value


@given(seed=st.integers(0, 2**32), count=st.integers(0, 5))
def test_files_of_reductions_are_read_alike(
    seed: int, count: int, published: dict[str, Methodology]
) -> None:
    choose = random.Random(seed)
    names = choose.choices(sorted(EXAMPLES), k=count)
    made = [by_python(published[name], dump_json(EXAMPLES[name])) or b"" for name in names]
    if made and choose.random() < 0.7:
        at = choose.randrange(len(made))
        made[at] = dump_cbor(altered(parse_cbor(made[at]), choose))
    data = bytearray(b"".join(len(item).to_bytes(2) + item for item in made))
    if data and choose.random() < 0.3:
        data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    found = native.Reductions.parse(bytes(data))
    try:
        expected = Batch(parse_reductions(bytes(data)))
    except Refusal:
        assert found is None
    else:
        assert columns(Batch.read(bytes(data))) == columns(expected)


# --- submissions ---


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    made = City.found(tmp_path_factory.mktemp("city"))
    yield made
    made.store.engine.dispose()


def line_of(city: City, choose: random.Random) -> bytes:
    person, start = str(choose.randrange(6)), NOON + choose.choice((0, 0, 0, -50_000, 10**5, 10**7))
    start -= choose.randrange(20_000)
    match choose.randrange(4):
        case 0:
            return city.trip(person, start, start + choose.choice((600, 900, 30_000)), person)
        case 1:
            return city.meal(person, start)
        case _:
            return city.ride(person, start, str(choose.randrange(40)))


def changed(of: Reduction, choose: random.Random) -> Reduction:
    """A reduction that its methodology cannot give, or of another day."""
    claims = list(of.claims)
    match choose.randrange(4):
        case 0:
            claims.pop()
        case 1:
            claims[0] = replace(claims[0], start=0, end=choose.choice((1, 2**62)))
        case 2:
            claims.append(claims[0])
        case _:
            pass
    grams, day = of.grams + choose.choice((0, 1)), of.day - choose.choice((0, 0, 1, 300))
    return Reduction.make(
        of.platform, of.scenario, of.version, day, grams, tuple(claims), of.digest
    )


def outcome(view: Replayed, state: Any, entry: Entry) -> object:
    try:
        effects: Effects = apply(state, entry, view)
    except TallyError as error:
        return error.as_json()
    rows = [effects.rows[at : at + 72] for at in range(0, len(effects.rows), 72)]
    spans = [
        Span(row[:24], int.from_bytes(row[24:32]), int.from_bytes(row[32:40]), row[40:])
        for row in rows
    ]
    return sorted([*effects.put, *spans]), list(effects.outcomes), effects.state


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 25))
def test_the_rules_decide_alike_on_a_compiled_batch(seed: int, count: int, city: City) -> None:
    choose = random.Random(seed)
    state = city.state
    methodologies = {
        name: state.methodology(state.scenario(name, 20_000).methodology, CALENDAR.day(NOON))
        for name in ("city-bus", "city-bike", "city-plate")
    }
    made: dict[str, list[Reduction]] = {}
    for _ in range(count):
        activity = parse_activity(line_of(city, choose))
        scenario = activity.fields["scenario"]
        try:
            of = methodologies[scenario].reduce(activity, "metro-app")
        except Refusal:
            continue
        made.setdefault(scenario, []).append(of)
    view = Replayed()
    for reductions in made.values():
        if choose.random() < 0.2:
            at = choose.randrange(len(reductions))
            reductions[at] = changed(reductions[at], choose)
        taken = [of for of in reductions if choose.random() < 0.2]
        view.register.change(list({s.key: s for of in taken for s in spans_of(of)}.values()))
        statement = sign_submission(
            key("metro-app"),
            platform="metro-app",
            ledger=state.genesis.id,
            expires=NOON + 10**6,
            reductions=reductions,
        )
        batch = Batch.read(dump_reductions(reductions))
        assert type(batch) is not Batch
        assert outcome(view, state, Entry(statement, batch)) == outcome(
            view, state, Entry(statement, reductions)
        )


def spans_of(of: Reduction) -> Sequence[Span]:
    """What a reduction claims, held by somebody else; of a cap the first seat."""
    return [Span(claim.line, claim.start or 0, claim.end or 1, bytes(32)) for claim in of.claims]


def test_seats_are_given_to_a_compiled_batch(city: City) -> None:
    lines = [city.meal(str(number), NOON) for number in range(9)]
    admitted = city.admit(lines)
    view = Replayed()
    assert len(apply(city.state, admitted.entry, view).rows) == 9 * 2 * 72
    # With the seat of the third taken, it is looked at by itself, and refused.
    reductions = list(admitted.entry.reductions)
    view.register.change(spans_of(reductions[2])[1:])
    entry = Entry(admitted.entry.statement, reductions)
    assert outcome(view, city.state, admitted.entry) == outcome(view, city.state, entry)
    effects = apply(city.state, admitted.entry, view)
    assert len(effects.rows) == 8 * 2 * 72 and effects.outcomes[2] is not None


def test_a_city_admits_and_seals_compiled_batches(tmp_path: Path) -> None:
    city = City.found(tmp_path)
    lines = [city.ride(str(number), NOON - 60 * number) for number in range(20)]
    admitted = city.admit(lines)
    assert type(admitted.entry.reductions) is not Batch
    assert pseudonym("traveller", "0") == (admitted.subjects[0] or b"").hex()
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(NOON)
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
    assert head is not None and (head.recorded, head.grams) == (20, 1_600)


def fuzz(cases: int, seed: int) -> None:
    """Read damaged activities and files of reductions: nothing but an answer, or none, comes."""
    choose = random.Random(seed)
    lines = [dump_json(example) for example in EXAMPLES.values()]
    methodology = Methodology(library()["bus-ride-by-code"], CLASSES)
    rows = [by_python(methodology, dump_json(EXAMPLES["bus-ride-by-code"])) or b""] * 2
    file = b"".join(len(row).to_bytes(2) + row for row in rows)
    for _ in range(cases):
        data = bytearray(choose.choice(lines) if choose.random() < 0.5 else file)
        for _ in range(choose.randint(1, 4)):
            at = choose.randrange(len(data))
            data[at : at + choose.randint(0, 3)] = choose.randbytes(choose.randint(0, 3))
        made = native.Reductions.parse(bytes(data))
        if made is not None:
            made.screen({}, (0, 65_535), b"\1")
        native.reduce_lines([bytes(data)], OFFSET, "app", lambda _, day: methodology.plan(day))


def test_damaged_activities_and_files_do_no_harm() -> None:
    fuzz(2_000, 1)


@pytest.mark.long
def test_a_million_damaged_activities_and_files() -> None:
    for seed in range(2, 102):
        fuzz(10_000, seed)
