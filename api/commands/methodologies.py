"""`tally methodology …`: read methodologies, and the schemas of what they count."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.options import Out, command
from api.pages import formula_text, methodology_page
from api.schemas import activity_schema
from api.session import Session
from api.values import read_methodology, write_file
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes, library
from chain.methodologies import Methodology
from chain.spans import FOREVER
from keys.strict import dump_date, parse_json

Source = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="One of the library by its id, or a file.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Read methodologies.", no_args_is_help=True)
    app.add_typer(group, name="methodology")
    command(group, "list")(list_methodologies)
    command(group, "show", ledger=False)(show)
    command(group, "schema", ledger=False)(schema)
    command(group, "schemas", ledger=False)(schemas)


def read(document: bytes) -> Methodology:
    """A methodology against the classes that come with Tally, without a ledger."""
    return Methodology(document, Classes(default_classes(), Calendar(0)))


def schema_text(methodology: Methodology) -> str:
    """The schema of a methodology's activities, as it stands in a file."""
    return json.dumps(activity_schema(methodology), ensure_ascii=False, indent=1) + "\n"


def list_methodologies(
    session: Session,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[LEDGER]", help="A ledger's folder.")
    ] = None,
) -> None:
    """List the methodologies that come with Tally and, of a ledger, those that it has published."""
    known = [read(document) for document in library().values()]
    rows = [{**_summary(of), "title": of.title[session.lang]} for of in known]
    session.say("methodologies-library")
    columns = ("column-id", "column-version", "column-grams")
    session.table((*columns, "column-title"), [tuple(row.values()) for row in rows])
    found = []
    if folder is not None:
        for _, versions in sorted(session.open(folder).state.methodologies.items()):
            for version in versions:
                days = (version.start, version.end)
                first, end = (None if day == FOREVER else dump_date(day) for day in days)
                of = version.document
                found.append({**_summary(of), "from": first, "until": end})
        session.say("methodologies-ledger")
        shown = [[cell or "–" for cell in row.values()] for row in found]
        session.table((*columns, "column-from", "column-until"), shown)
    session.result({"library": rows, "ledger": found})


def _summary(of: Methodology) -> dict[str, Any]:
    least, most = of.grams_bounds
    grams = str(least) if least == most else f"{least}–{most}"
    return {"id": of.id, "version": of.version, "grams": grams}


def show(session: Session, source: Source) -> None:
    """Show a methodology as a page: its source, its formula, what it claims, what that stops."""
    methodology = read(read_methodology(source))
    for line in methodology_page(methodology, session.lang):
        session.print(line)
    session.result(
        {
            "holder": methodology.holder.hex(),
            "formula": formula_text(methodology.formula.source, methodology, session.lang),
            "grams_bounds": methodology.grams_bounds,
            "methodology": parse_json(methodology.document),
        }
    )


def schema(session: Session, source: Source, *, out: Out = None) -> None:
    """Give the JSON Schema of the activities that a methodology counts."""
    written = schema_text(read(read_methodology(source)))
    if out is not None:
        write_file(out, [written.encode()])
    else:
        session.print(written.rstrip("\n"))
    session.result(json.loads(written))


def schemas(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where they go.")],
) -> None:
    """Write the JSON Schemas of all methodologies that come with Tally, ID.json each."""
    documents = library()
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        write_file(folder / f"{name}.json", [schema_text(read(document)).encode()])
    session.say("schemas-written", count=len(documents), path=folder)
    session.result({"schemas": sorted(documents)})
