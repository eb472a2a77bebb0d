"""`tally methodology`: pages and schemas of the library; and how methodologies come into force."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.activities import ISSUERS, examples
from support.city import OFFSET, scenario_document
from support.commands import Run, set_up

from api.commands.methodologies import read, schema_text
from api.pages import formula_text, methodology_page
from api.schemas import activity_schema
from chain.activities import OPTIONAL, parse_activity
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes, library
from chain.methodologies import Methodology
from keys.errors import Refusal
from keys.strict import dump_json, parse_json

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
LIBRARY = {name: read(document) for name, document in library().items()}
EXAMPLES = examples()
VALIDATORS = {name: Draft202012Validator(activity_schema(of)) for name, of in LIBRARY.items()}
NOW = "2026-03-03T09:00:00+08:00"
LANGUAGES = ("en", "zh")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    set_up(monkeypatch, tmp_path, NOW)
    return Run(capsys)


# --- schemas ---


def test_the_schemas_are_current() -> None:
    """`tally methodology schemas docs/schemas` writes them."""
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{name}.json" for name in LIBRARY}
    for name, of in LIBRARY.items():
        assert (SCHEMAS / f"{name}.json").read_text("utf-8") == schema_text(of), name


@pytest.mark.parametrize("name", LIBRARY)
def test_a_schema_takes_its_example(name: str) -> None:
    Draft202012Validator.check_schema(activity_schema(LIBRARY[name]))
    VALIDATORS[name].validate(EXAMPLES[name])


def broken(name: str) -> list[dict[str, Any]]:
    """The example with something missing, too much, or of the wrong form."""
    example, made = EXAMPLES[name], []
    always = {"format", "id", "scenario", "start", "end", "evidence", "authorisation", "nonce"}
    made += [{k: v for k, v in example.items() if k != gone} for gone in always]
    changes: list[dict[str, Any]] = [
        {"format": 2},
        {"id": ""},
        {"id": "x" * 129},
        {"start": -1},
        {"end": "2026-03-02"},
        {"start": 1.5},
        {"evidence": {**example["evidence"], "tier": "hearsay"}},
        {"evidence": {"tier": example["evidence"]["tier"]}},
        {"authorisation": "1" * 63},
        {"nonce": "2" * 33},
        {"colour": "green"},
    ]
    for field in OPTIONAL.keys() & example.keys() - {"attributes", "quantities"}:
        changes.append({field: "not a pseudonym"})
        if isinstance(example[field], dict):
            changes += [{field: {**example[field], part: "A"}} for part in example[field]]
            changes.append({field: {}})
    for quantity, (least, most) in LIBRARY[name].quantities.items():
        for value in (least - 1, most + 1, str(least)):
            changes.append({"quantities": {**example["quantities"], quantity: value}})
        changes.append({"quantities": {}})
    for attribute in example.get("attributes", {}):
        changes.append({"attributes": {**example["attributes"], attribute: "rocket"}})
        changes.append({"attributes": {}})
    return made + [{**example, **change} for change in changes]


@pytest.mark.parametrize("name", LIBRARY)
def test_a_schema_refuses_what_is_broken(name: str) -> None:
    taken = [of for of in broken(name) if VALIDATORS[name].is_valid(of)]
    assert taken == []


@pytest.mark.parametrize("name", LIBRARY)
def test_a_schema_takes_whatever_the_methodology_counts(name: str) -> None:
    """And not what lacks a field that a claim needs."""
    classes = Classes(default_classes(ISSUERS), Calendar(OFFSET))
    of = Methodology(library()[name], classes)
    extra = {"attributes": {"weather": "fine"}, "quantities": {"stops": 4}}
    for change in ({}, *({gone: None} for gone in OPTIONAL), {"more": extra}):
        given = {k: v for k, v in {**EXAMPLES[name], **change}.items() if v is not None}
        for field, members in given.pop("more", {}).items():
            given[field] = {**given.get(field, {}), **members}
        try:
            of.reduce(parse_activity(dump_json(given)), "app")
        except Refusal:
            assert not VALIDATORS[name].is_valid(given), change
        else:
            assert VALIDATORS[name].is_valid(given), change


def test_a_table_may_do_without_an_attribute() -> None:
    """An absent attribute is the empty text; years and tiers are none."""
    document = parse_json(library()["passenger-km-by-city"])
    rows = [["", "2026", "rail", "60.2"], ["beijing", "2026", "metro", "61.4"]]
    document["tables"]["mode"]["rows"] = rows
    document["tables"]["baseline"] = {"by": ["year", "tier"], "rows": [["2026", "a", "271.8"]]}
    validator = Draft202012Validator(activity_schema(read(dump_json(document))))
    for attributes, is_taken in (
        ({"mode": "rail"}, True),
        ({"mode": "rail", "city": ""}, True),
        ({"mode": "rail", "city": "wuhan"}, False),
        ({"mode": "metro", "city": "beijing"}, True),
        ({"mode": "metro"}, False),
        ({}, False),
    ):
        given = {**EXAMPLES["passenger-km-by-city"], "attributes": attributes}
        assert validator.is_valid(given) == is_taken, attributes


def test_a_claim_may_take_a_name_or_an_attribute() -> None:
    """A cap for each canteen and kind of meal, where the activity says which."""
    document = parse_json(library()["clean-plate"])
    document["claims"][1]["parts"] = ["{order.issuer}", "day", "{subject}"]
    more = {"parts": ["meal-{attributes.meal}", "day", "{subject}"], "optional": "attributes"}
    document["claims"].append({**document["claims"][1], **more})
    methodology = read(dump_json(document))
    validator = Draft202012Validator(activity_schema(methodology))
    example = EXAMPLES["clean-plate"]
    assert validator.is_valid(example)
    assert validator.is_valid({**example, "attributes": {"meal": "lunch"}})
    document["claims"][2]["parts"][0] = "{attributes.meal}"
    del document["claims"][2]["optional"]
    validator = Draft202012Validator(activity_schema(read(dump_json(document))))
    assert not validator.is_valid(example)
    assert not validator.is_valid({**example, "attributes": {}})
    assert not validator.is_valid({**example, "attributes": {"meal": "Late lunch"}})
    assert validator.is_valid({**example, "attributes": {"meal": "late-lunch"}})
    assert "  attributes.meal: a text; optional" in methodology_page(methodology, "en")


# --- pages ---


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", LIBRARY)
def test_a_page_says_all_that_the_document_does(name: str, lang: str) -> None:
    of = LIBRARY[name]
    page = "\n".join(methodology_page(of, lang))
    document = parse_json(of.document)
    said = [name, of.title[lang], of.holder.hex(), *of.source.values(), *of.tiers]
    said += [*of.quantities, *(str(n) for bounds in of.quantities.values() for n in bounds)]
    said += [cell for t in document.get("tables", {}).values() for row in t["rows"] for cell in row]
    said += ["/".join((t.line_class.name, *t.parts)) for t in of.templates]
    said += [t.line_class.stops[lang] for t in of.templates]
    said += [str(t.seats) for t in of.templates if t.seats]
    said += [slot for _, _, slot in of.slots[1]] if of.slots else []
    assert [text for text in said if text not in page] == []
    assert "page-" not in page and "{}" not in page


def test_a_document_writes_no_line_of_its_own_into_its_page() -> None:
    document = json.loads(LIBRARY["clean-plate"].document)
    document["title"]["en"] = "A plate\n\nWhat it claims, and what that stops\n  all of it\x1b[2J"
    page = methodology_page(read(json.dumps(document).encode()), "en")
    assert len(page) == len(methodology_page(LIBRARY["clean-plate"], "en"))
    assert all(line.isprintable() for line in page)


def test_a_page_as_an_auditor_reads_it() -> None:
    page = methodology_page(LIBRARY["passenger-km-defra-2007"], "en")
    assert page[4:] == [
        "Where its figures come from",
        "  DEFRA 2007",
        "  passenger-km: car 204.2 g, shared car 102.1, bus 89.1, rail 60.2, tram 65.0",
        "  2007",
        "",
        "What an activity must give",
        "  evidence.tier: one of: platform-record",
        "  start and end: 1 min to 1 d apart",
        "  subject: a pseudonym of the class traveller",
        "  quantities.metres: an integer, 100 to 500000",
        "  attributes.mode: one of: shared-car, bus, rail, tram",
        "",
        "Grams of CO2 equivalent",
        "  0.001 × metres × (204.2 − mode[attributes.mode]), rounded down to whole grams",
        "  A reduction has 10 to 72000 g.",
        "  mode[attributes.mode]:",
        "    shared-car: 102.1",
        "    bus: 89.1",
        "    rail: 60.2",
        "    tram: 65",
        "",
        "Points",
        "  0",
        "",
        "What it claims, and what that stops",
        "  traveller/{subject}: the time from start to end, and 1 min before and after",
        "    stops: one trip counted on two platforms; a ride inside another",
    ]


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("46", "46"),
        ({"sum": ["1", "2", {"product": ["3", "4"]}]}, "1 + 2 + 3 × 4"),
        ({"product": [{"sum": ["1", "2"]}, "3"]}, "(1 + 2) × 3"),
        ({"difference": [{"difference": ["9", "2"]}, "1"]}, "9 − 2 − 1"),
        ({"difference": ["9", {"difference": ["2", "1"]}]}, "9 − (2 − 1)"),
        ({"difference": ["9", {"sum": ["2", "1"]}]}, "9 − (2 + 1)"),
        ({"difference": ["9", {"product": ["2", "1"]}]}, "9 − 2 × 1"),
        ({"product": ["2", {"product": ["3", "4"]}]}, "2 × 3 × 4"),
        ({"sum": [{"difference": ["9", "2"]}, "1"]}, "9 − 2 + 1"),
        ({"product": ["2", {"quantity": "metres"}]}, "2 × metres"),
        ({"product": ["2", {"duration": "seconds"}]}, "2 × seconds from start to end"),
        ({"lookup": "mode"}, "mode[attributes.mode]"),
    ],
)
def test_a_formula_as_one_writes_it(source: Any, written: str) -> None:
    assert formula_text(source, LIBRARY["passenger-km-defra-2007"], "en") == written


# --- commands ---


def test_show_reads_the_library_or_a_file_in_both_languages(run: Run) -> None:
    english = run("methodology", "show", "walking")
    assert english.splitlines() == methodology_page(LIBRARY["walking"], "en")
    chinese = run("methodology", "show", "walking", "--lang", "zh")
    assert chinese.splitlines() == methodology_page(LIBRARY["walking"], "zh")
    Path("own.json").write_bytes(library()["walking"])
    assert run("methodology", "show", "own.json") == english
    shown = run.json("methodology", "show", "walking")
    assert shown["formula"] == "0.02 × steps"
    assert shown["grams_bounds"] == [1, 1_000]
    assert shown["holder"] == LIBRARY["walking"].holder.hex()
    assert shown["methodology"] == json.loads(library()["walking"])


def test_what_is_no_methodology_is_said(run: Run) -> None:
    error = run.json("methodology", "show", "nowhere", expected=3)["error"]
    assert error["code"] == "file-unreadable"
    Path("own.json").write_text("{}", "utf-8")
    assert run.json("methodology", "show", "own.json", expected=1)["error"]["code"]


def test_schemas_are_printed_or_written(run: Run) -> None:
    printed = run("methodology", "schema", "metro-ride")
    assert printed == schema_text(LIBRARY["metro-ride"])
    run("methodology", "schema", "metro-ride", "--out", "one.json")
    assert Path("one.json").read_text("utf-8") == printed
    assert run.json("methodology", "schema", "metro-ride") == json.loads(printed)
    assert run.json("methodology", "schemas", "all/of/them")["schemas"] == sorted(LIBRARY)
    assert Path("all/of/them/metro-ride.json").read_text("utf-8") == printed


def test_a_ledger_begins_with_the_methodologies_that_are_asked_for(run: Run) -> None:
    """None by default; others follow from the library, by their ids."""
    opening = ("--origin", "ledger.example/city", "--first-day", "2026-03-01")
    run("init", "bare", *opening)
    assert run.json("status", "bare")["methodologies"] == []
    run("init", "city", *opening, "--methodology", "metro-ride", "--methodology", "e-payment")
    publish = ("publish", "methodology", "city", "--by", "governor", "--from", "2026-03-05")
    run(*publish, "walking")
    listed = run.json("methodology", "list", "city")
    assert {of["id"] for of in listed["library"]} == LIBRARY.keys()
    assert listed["ledger"] == [
        {"id": name, "version": 1, "grams": grams, "from": start, "until": None}
        for name, grams, start in (
            ("e-payment", "5", "2026-03-01"),
            ("metro-ride", "46", "2026-03-01"),
            ("walking", "1–1000", "2026-03-05"),
        )
    ]
    assert "一日步行（按步数）" in run("methodology", "list", "--lang", "zh")
    assert run.json("methodology", "list")["ledger"] == []


@pytest.mark.parametrize(
    ("name", "last"), [("e-payment", "2026-03-02"), ("utility-e-bill", "2026-03-31")]
)
def test_a_full_cap_is_refused_with_the_end_of_its_period(run: Run, name: str, last: str) -> None:
    run(
        *("init", "city", "--origin", "ledger.example/city", "--first-day", "2026-03-01"),
        *("--methodology", name, "--issuer", "order=pay-app", "--issuer", "bill=grid"),
    )
    for platform in ("metro-app", "pay-app"):
        run("enrol", "city", platform, "--role", "platform", "--by", "governor")
    Path("scenario.json").write_bytes(scenario_document(name, name))
    run("publish", "scenario", "city", "scenario.json", "--by", "governor", "--from", "2026-03-01")
    lines = []
    for place in range(12):
        made = deepcopy(EXAMPLES[name])
        of = made.get("order") or made["bill"]
        of["number" if "number" in of else "account"] = f"{place:032x}"
        lines.append(dump_json({**made, "id": str(place)}) + b"\n")
    Path("first").write_bytes(b"".join(lines[:6]))
    Path("second").write_bytes(b"".join(lines[6:]))
    run("submit", "city", "first", "--as", "metro-app")
    told = run("submit", "city", "second", "--as", "pay-app")
    assert told.count(f"No more of this behaviour counts in the period that ends on {last}") == 2
    [one, two] = [*run.json("submit", "city", "second", "--as", "pay-app")["refusals"]]
    for refused in (one, two):
        assert (refused["code"], refused["class"]) == ("cap-full", "cap")
        assert all(last in refused["text"][lang] for lang in LANGUAGES)
