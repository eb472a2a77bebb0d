"""JSON Schemas (2020-12) of the activities that a methodology counts, for platforms to check by.

A schema holds for one activity (`chain.activities`): the fields that the methodology's claims, its
tables and its formula take of it, their grammar and their bounds.  It asks for less than a ledger
does, which also looks at the time from start to end, at its list of issuers and at its register.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.activities import LINE_FIELDS, OPTIONAL
from chain.formulas import Table
from chain.methodologies import Methodology, fields_of
from chain.spans import FOREVER

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string"}
_NAME = {"type": "string", "pattern": "^[a-z0-9]+([-.][a-z0-9]+)*$", "maxLength": 64}
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TIME = {"type": "integer", "minimum": 0, "maximum": FOREVER}
_COUNT = {"type": "integer", "minimum": 0}
GRAMMARS: Mapping[str, Mapping[str, Any]] = {
    "slug": _NAME,
    "participant": _NAME,
    "issuer": _NAME,
    "text": {"type": "string", "pattern": "^[!-~]{1,64}$"},
    "pseudonym": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "month": {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"},
}
"""Those of `chain.classes` that what an activity gives may have to keep to."""
_ALWAYS: Mapping[str, Mapping[str, Any]] = {
    "format": {"const": 1},
    "id": {"type": "string", "minLength": 1, "maxLength": 128},
    "scenario": _TEXT,
    "start": _TIME,
    "end": _TIME,
    "authorisation": _DIGEST,
    "nonce": {"type": "string", "pattern": "^([0-9a-f]{2}){16,64}$"},
}


@dataclass(frozen=True)
class Demand:
    """A field that a claim takes of an activity, such as "subject" or "ticket.number"."""

    field: str
    grammar: str | None
    """That of its part of the line; None where it is only a piece of that part."""
    is_optional: bool


def demands(methodology: Methodology) -> dict[str, Demand]:
    """The fields that a methodology's claims take, in their order; needed once is needed."""
    slot = methodology.slots[0] if methodology.slots else None
    found: dict[str, Demand] = {}
    for template in methodology.templates:
        of = template.line_class
        for part, (_, grammar, _) in zip(template.parts, of.parts, strict=True):
            for field in fields_of(part):
                is_optional = template.optional == field.partition(".")[0]
                if field != slot and (field not in found or not is_optional):
                    whole = grammar if part == f"{{{field}}}" else None
                    found[field] = Demand(field, whole, is_optional)
    return found


def attribute_rows(table: Table) -> list[dict[str, str]]:
    """The combinations of attributes that a table has rows for."""
    rows = [
        {of: cell for of, cell in zip(table.by, key, strict=True) if of not in ("tier", "year")}
        for key in table.rows
    ]
    return [row for n, row in enumerate(rows) if row and row not in rows[:n]]


def tables_used(source: Any) -> set[str]:
    """The names of the tables that a formula looks up."""
    if isinstance(source, str):
        return set()
    [(operation, argument)] = source.items()
    if isinstance(argument, list):
        return set().union(*map(tables_used, argument))
    return {argument} if operation == "lookup" else set()


def activity_schema(methodology: Methodology) -> dict[str, Any]:
    """The schema of the activities that ``methodology`` counts."""
    asked = demands(methodology)
    needed = {field.partition(".")[0] for field, of in asked.items() if not of.is_optional}
    grammars = {field: GRAMMARS[of.grammar] if of.grammar else _TEXT for field, of in asked.items()}
    # Whoever is named, is named by a pseudonym, also where no claim asks.
    given: dict[str, Any] = dict.fromkeys(OPTIONAL, GRAMMARS["pseudonym"])
    for name, parts in LINE_FIELDS.items():
        given[name] = _object({part: grammars.get(f"{name}.{part}", _TEXT) for part in parts})
    given["attributes"] = _attributes(methodology, asked, grammars)
    tables = given["attributes"].get("allOf", ())
    if any(all(row["required"] for row in table["anyOf"]) for table in tables):
        needed.add("attributes")
    quantities = {
        name: {"type": "integer", "minimum": least, "maximum": most}
        for name, (least, most) in methodology.quantities.items()
    }
    given["quantities"] = {**_object(quantities), "additionalProperties": _COUNT}
    if quantities:
        needed.add("quantities")
    evidence = _object({"tier": {"enum": sorted(methodology.tiers)}, "digest": _DIGEST})
    always = {**_ALWAYS, "evidence": evidence}
    return {
        "$schema": DIALECT,
        "title": f"{methodology.title['en']} / {methodology.title['zh']}",
        "description": f"An activity under {methodology.id}, version {methodology.version}.",
        **_object({**always, **given}),
        "required": [*always, *(name for name in OPTIONAL if name in needed)],
    }


def _attributes(
    methodology: Methodology, asked: Mapping[str, Demand], grammars: Mapping[str, Any]
) -> dict[str, Any]:
    """What claims and tables ask of the attributes; an absent one counts as the empty text."""
    named = {field.partition(".")[2]: field for field in asked if field.startswith("attributes.")}
    required = [name for name, field in named.items() if not asked[field].is_optional]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: grammars[field] for name, field in named.items()},
        "required": required,
        "additionalProperties": _TEXT,
    }
    tables = [methodology.tables[name] for name in sorted(tables_used(methodology.formula.source))]
    if choices := [rows for table in tables if (rows := attribute_rows(table))]:
        schema["allOf"] = [{"anyOf": [_row(row) for row in rows]} for rows in choices]
    return schema


def _row(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "properties": {field: {"const": cell} for field, cell in row.items()},
        "required": [field for field, cell in row.items() if cell],
    }


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object with these fields, all of them, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }
