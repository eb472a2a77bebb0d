"""`tally convert …` and `tally check`: activities before they are submitted."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.convert import Converter, Row, open_csv, read_rows
from api.mappings import ColumnMapping, citibike_mapping, read_mapping
from api.options import SecretFile, command
from api.session import SHOWN_MAX, Session
from api.synthetic import city_day
from api.values import (
    parse_offset,
    read_file,
    read_json,
    read_methodology,
    read_secret,
    show_span,
    write_file,
)
from chain.activities import LINE_FIELDS, parse_activity, split_lines
from chain.calendar import Calendar
from chain.classes import Classes, is_slug
from chain.genesis import default_classes
from chain.methodologies import Methodology
from chain.reductions import Claim, Reduction
from chain.spans import Span
from keys.catalogue import LANGUAGES, text
from keys.errors import Malformed, Refusal, Unreadable
from keys.pseudonyms import KeyedHash
from keys.strict import dump_date, parse_date

NDJSON_BYTES_MAX = 2**32

CsvFile = Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file.")]
NdjsonOut = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="The NDJSON file of activities to write.")
]
Ambiguous = Annotated[
    Literal["refuse", "earlier", "later"],
    typer.Option(
        "--ambiguous", help="Which of the two a local time is that occurs twice in its zone."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Make activities from a platform's files.", no_args_is_help=True)
    app.add_typer(group, name="convert")
    command(group, "citibike", ledger=False)(citibike)
    command(group, "csv", ledger=False)(csv)
    command(group, "synthetic", ledger=False)(synthetic)
    command(app, "check", ledger=False)(check)


# --- convert ---


def citibike(
    session: Session,
    path: CsvFile,
    *,
    scenario: Annotated[
        str, typer.Option("--scenario", metavar="ID", help="The scenario of its trips.")
    ],
    secret_file: SecretFile,
    out: NdjsonOut,
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="The zone of its times.")
    ] = "America/New_York",
    ambiguous: Ambiguous = "refuse",
) -> int:
    """Convert bike-share trips in the format that Citi Bike publishes."""
    with open_csv(path) as file:
        rows = read_rows(file)
        header = _header(rows, path)
        mapping = citibike_mapping(header, scenario, zone)
        return _convert(session, mapping, header, rows, secret_file, out, ambiguous)


def csv(
    session: Session,
    path: CsvFile,
    *,
    mapping: Annotated[
        Path,
        typer.Option(
            "--mapping",
            metavar="FILE",
            help="Which column gives what (`api/mappings.py`, docs/examples/mappings).",
        ),
    ],
    secret_file: SecretFile,
    out: NdjsonOut,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="ID", help="In place of the mapping's.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="In place of the mapping's.")
    ] = None,
    ambiguous: Ambiguous = "refuse",
) -> int:
    """Convert a CSV file by a mapping."""
    columns = read_mapping(read_json(mapping), scenario=scenario, zone=zone)
    with open_csv(path, columns.encoding) as file:
        rows = read_rows(file, columns.delimiter)
        header = _header(rows, path)
        return _convert(session, columns, header, rows, secret_file, out, ambiguous)


def _header(rows: Iterator[Row], path: Path) -> list[str]:
    row = next(rows, None)
    if row is None:
        raise Unreadable("csv-empty", path=str(path))
    return [cell.strip() for cell in row.cells]


def _convert(
    session: Session,
    mapping: ColumnMapping,
    header: list[str],
    rows: Iterator[Row],
    secret_file: Path,
    out: Path,
    ambiguous: str,
) -> int:
    secret = read_secret(secret_file)
    converter = Converter(mapping, header, KeyedHash(secret), secret, ambiguous=ambiguous)
    with session.progress("doing-convert", None) as advance:
        write_file(out, _lines(converter.lines(rows), advance), private=True)
    made = converter.result
    left_out = sorted(made.left_out.items())
    session.say(
        "convert-done",
        rows=made.rows,
        count=made.count,
        refused=len(made.refused),
        left_out=sum(len(numbers) for _, numbers in left_out),
        path=str(out),
    )
    if left_out:
        reasons = [(len(numbers), session.text(code)) for code, numbers in left_out]
        session.table(("column-rows", "column-why"), reasons)
    session.refusals(("column-line", "column-why"), made.refused)
    session.result(
        {
            "out": str(out),
            "rows": made.rows,
            "converted": made.count,
            "first": made.first,
            "last": made.last,
            "refused": [
                {"line": number, "error": refusal.as_json()} for number, refusal in made.refused
            ],
            "left_out": [
                {
                    "code": code,
                    "text": {lang: text(code, lang) for lang in LANGUAGES},
                    "count": len(numbers),
                    "lines": numbers,
                }
                for code, numbers in left_out
            ],
        }
    )
    return 1 if made.refused else 0


def _lines(lines: Iterator[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    for line in lines:
        advance(1)
        yield line + b"\n"


def synthetic(
    session: Session,
    *,
    day: Annotated[str, typer.Option("--day", metavar="DATE", help="The day it happens on.")],
    secret_file: SecretFile,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A folder, for a file a platform.")
    ],
    count: Annotated[int, typer.Option("--count", min=1, help="How many activities.")] = 3_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same day.")] = 1,
    platform: Annotated[
        list[str] | None,
        typer.Option(
            "--platform", metavar="ID", help="The two platforms; metro-app and pay-app by default."
        ),
    ] = None,
    utc_offset: Annotated[
        str, typer.Option("--utc-offset", metavar="±HH:MM", help="The offset of its days.")
    ] = "+08:00",
) -> None:
    """Make up a city's day: SYNTHETIC activities, for demonstrations and tests."""
    made = city_day(
        seed,
        count,
        parse_date(day),
        Calendar(parse_offset(utc_offset)),
        KeyedHash(read_secret(secret_file)),
        platform or ("metro-app", "pay-app"),
    )
    out.mkdir(parents=True, exist_ok=True)
    files = {name: out / f"{name}.ndjson" for name in made.lines}
    for name, lines in made.lines.items():
        write_file(files[name], (line + b"\n" for line in lines), private=True)
    first, second = made.lines
    session.say("synthetic-done", day=day, seed=seed)
    for name, lines in made.lines.items():
        session.say("synthetic-file", path=str(files[name]), count=len(lines), id=name)
    session.say("synthetic-shared", count=made.shared, first=first, second=second)
    session.result(
        {
            "synthetic": True,
            "files": {name: str(path) for name, path in files.items()},
            "counts": {name: len(lines) for name, lines in made.lines.items()},
            "shared": made.shared,
        }
    )


# --- check ---


def check(
    session: Session,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The NDJSON file of activities.")],
    *,
    methodology: Annotated[
        list[str],
        typer.Option(
            "--methodology",
            metavar="[SCENARIO=]ID|FILE",
            help="The methodology of a scenario, or of every activity; repeatable.",
        ),
    ],
    utc_offset: Annotated[
        str, typer.Option("--utc-offset", metavar="±HH:MM", help="The offset of the days.")
    ] = "+08:00",
    platform: Annotated[
        str, typer.Option("--as", metavar="ID", help="The platform that would submit them.")
    ] = "platform",
    show: Annotated[
        int, typer.Option("--show", min=0, metavar="N", help="How many lines to show.")
    ] = SHOWN_MAX,
) -> int:
    """Check activities against methodologies, offline, without a ledger."""
    calendar = Calendar(parse_offset(utc_offset))
    lines = read_lines(path)
    issuers = _issuers(lines)
    classes = Classes(default_classes(issuers), calendar)
    known = {}
    for given in methodology:
        scenario, equals, source = given.partition("=")
        document = read_methodology(source if equals else given)
        known[scenario if equals else ""] = Methodology(document, classes)
    rows: list[dict[str, Any]] = []
    shown: list[tuple[object, ...]] = []
    totals: Counter[str] = Counter()
    with session.progress("doing-check", len(lines)) as advance:
        for number, line in enumerate(lines, 1):
            row: dict[str, Any] = {"line": number}
            try:
                activity = parse_activity(line)
                name = activity.fields["scenario"]
                row |= {"id": activity.fields["id"], "scenario": name}
                of = known.get(name) or known.get("")
                if of is None:
                    raise Malformed("scenario-without-methodology", scenario=name)
                reduction = of.reduce(activity, platform)
                points = of.points_of(activity)
                row |= _earned(reduction, points)
                totals.update(count=1, grams=reduction.grams, points=points)
                why = "; ".join(_claim(session, classes, claim) for claim in reduction.claims)
            except Refusal as refusal:
                totals["refused"] += 1
                row["error"] = refusal.as_json()
                why = refusal.text(session.lang)
            rows.append(row)
            if number <= show:
                found = (row.get(key, "–") for key in ("id", "grams", "points"))
                shown.append((number, *found, why))
            advance(1)
    columns = ("column-line", "column-id", "column-grams", "column-points", "column-claims")
    session.table(columns, shown)
    if len(lines) > show:
        session.say("more-lines", count=len(lines) - show)
    if issuers:
        listed = ", ".join(f"{of}: {', '.join(names)}" for of, names in issuers.items())
        session.say("check-issuers", issuers=listed)
    total = {name: totals[name] for name in ("count", "refused", "grams", "points")}
    session.say("check-done", **total)
    session.result({"total": total, "issuers": issuers, "lines": rows})
    return 1 if totals["refused"] else 0


def read_lines(path: Path) -> list[bytes]:
    """The lines of an NDJSON file; raises `Unreadable`."""
    return split_lines(read_file(path, NDJSON_BYTES_MAX))


def _issuers(lines: list[bytes]) -> dict[str, list[str]]:
    """Who gave the numbers in these activities: without a ledger there is no list of them."""
    found: dict[str, set[str]] = {}
    for line in lines:
        try:
            given = parse_activity(line).fields
        except Refusal:
            continue
        for name, parts in LINE_FIELDS.items():
            if name in given and is_slug(given[name][parts[0]]):
                found.setdefault(name, set()).add(given[name][parts[0]])
    return {name: sorted(issuers) for name, issuers in sorted(found.items())}


def _earned(reduction: Reduction, points: int) -> dict[str, Any]:
    return {
        "grams": reduction.grams,
        "points": points,
        "day": dump_date(reduction.day),
        "leaf": reduction.leaf.hex(),
        "claims": [
            {"line": claim.line.hex(), "start": claim.start, "end": claim.end}
            for claim in reduction.claims
        ],
    }


def _claim(session: Session, classes: Classes, claim: Claim) -> str:
    of = classes.by_number[claim.line[2]]
    if claim.start is None or claim.end is None:
        return f"{of.name}: {session.text('span-a-seat', day=dump_date(claim.day))}"
    span = Span(claim.line, claim.start, claim.end, b"")
    return f"{of.name}: {show_span(of, span, classes.calendar, session.lang)}"
