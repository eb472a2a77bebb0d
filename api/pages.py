"""A methodology as a page, in English or Chinese, that an auditor reads without any code.

Its sections: where the figures come from; what an activity must give; how the grams follow, as a
formula with its tables; the points; what is claimed, and which double counting that stops.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api.identifiers import IDENTIFIERS
from api.schemas import attribute_rows, demands, tables_used
from api.values import printable
from chain.methodologies import Methodology, Template
from keys.catalogue import text
from keys.strict import parse_json

_INDENT = "  "
_UNITS = (("page-days", 86_400), ("page-hours", 3_600), ("page-minutes", 60))
_GRAMMARS: Mapping[str | None, str] = {
    "pseudonym": "page-pseudonym",
    "issuer": "page-issuer",
    "month": "page-month",
}
_PERIODS = {"day": "page-day-seats", "month": "page-month-seats", "year": "page-year-seats"}
_SUM, _PRODUCT = range(2)
"""How tightly a formula binds; what binds less than its place asks for stands in brackets."""


def methodology_page(methodology: Methodology, lang: str) -> list[str]:
    """The lines of the page."""
    lines = [
        methodology.title[lang],
        text("page-version", lang, id=methodology.id, version=methodology.version),
        text("page-holder", lang, holder=methodology.holder.hex()),
        *_section("page-source", lang, methodology.source.values()),
        *_section("page-activity", lang, _activity(methodology, lang)),
        *_section("page-grams", lang, _grams(methodology, lang)),
        *_section("page-points", lang, [_points(methodology, lang)]),
        *_section("page-claims", lang, _claims(methodology, lang)),
    ]
    return [*map(printable, lines)]


def formula_text(source: Any, methodology: Methodology, lang: str, place: int = _SUM) -> str:
    """A formula as one writes it: "0.001 × metres × (204.2 − mode[attributes.mode])"."""
    if isinstance(source, str):
        return source
    [(operation, argument)] = source.items()
    if operation == "quantity":
        return str(argument)
    if operation == "duration":
        return text("page-duration", lang)
    if operation == "lookup":
        return _look_up(argument, methodology.tables[argument].by, lang)
    binds = _PRODUCT if operation == "product" else _SUM
    sign = {"sum": " + ", "product": " × ", "difference": " − "}[operation]
    # What is taken away keeps its brackets, if it is itself a sum or a difference.
    places = [binds] + [_PRODUCT if operation == "difference" else binds] * (len(argument) - 1)
    written = sign.join(
        formula_text(item, methodology, lang, least)
        for item, least in zip(argument, places, strict=True)
    )
    return f"({written})" if binds < place else written


def _section(code: str, lang: str, lines: Iterable[str]) -> list[str]:
    return ["", text(code, lang), *(_INDENT + line for line in lines)]


def _activity(methodology: Methodology, lang: str) -> Iterator[str]:
    yield f"evidence.tier: {text('page-choice', lang, values=', '.join(sorted(methodology.tiers)))}"
    low, high = (_length(seconds, lang) for seconds in methodology.duration)
    if methodology.duration == (0, 0):
        yield text("page-instant", lang)
    elif low == high:
        yield text("page-exactly", lang, length=low)
    else:
        yield text("page-between", lang, least=low, most=high)
    for field, of in demands(methodology).items():
        name = IDENTIFIERS.get(field, field.partition(".")[0])
        what = text(_GRAMMARS.get(of.grammar, "page-text"), lang, name=name)
        yield f"{field}: {text('page-optional', lang, what=what) if of.is_optional else what}"
    for name, (least, most) in methodology.quantities.items():
        yield f"quantities.{name}: {text('page-quantity', lang, least=least, most=most)}"
    values: dict[str, dict[str, None]] = {}
    for table in sorted(tables_used(methodology.formula.source)):
        for row in attribute_rows(methodology.tables[table]):
            for field, cell in row.items():
                values.setdefault(field, {})[cell] = None
    for field, cells in values.items():
        yield f"attributes.{field}: {text('page-choice', lang, values=', '.join(cells))}"


def _grams(methodology: Methodology, lang: str) -> Iterator[str]:
    written = formula_text(methodology.formula.source, methodology, lang)
    yield text("page-formula", lang, formula=written)
    least, most = methodology.grams_bounds
    if least < most:
        yield text("page-grams-between", lang, least=least, most=most)
    for name, table in parse_json(methodology.document).get("tables", {}).items():
        yield f"{_look_up(name, table['by'], lang)}:"
        for *cells, value in table["rows"]:
            yield f"{_INDENT}{', '.join(cells)}: {value}"


def _points(methodology: Methodology, lang: str) -> str:
    if isinstance(methodology.points, int):
        return str(methodology.points)
    written = formula_text(methodology.points, methodology, lang)
    return text("page-points-formula", lang, formula=written)


def _claims(methodology: Methodology, lang: str) -> Iterator[str]:
    for template in methodology.templates:
        of = template.line_class
        what = _claim(template, lang)
        if template.optional:
            what = text("page-claim-optional", lang, what=what, field=template.optional)
        yield f"{'/'.join((of.name, *template.parts))}: {what}"
        yield _INDENT + text("page-stops", lang, what=of.stops[lang])
    if methodology.slots:
        field, rows = methodology.slots
        shown = ", ".join(f"{_clock(low)}–{_clock(high)} {name}" for low, high, name in rows)
        yield text("page-slots", lang, field=field, rows=shown)


def _claim(template: Template, lang: str) -> str:
    of = template.line_class
    if of.axis == "whole":
        return text("page-whole", lang)
    if of.axis == "seats":
        return text(_PERIODS[template.period], lang, seats=template.seats)
    if template.seconds is None:
        what = text("page-span", lang)
    else:
        what = text("page-nominal", lang, length=_length(template.seconds, lang))
    if template.guard:
        return text("page-guard", lang, what=what, length=_length(template.guard, lang))
    return what


def _look_up(table: str, by: Iterable[str], lang: str) -> str:
    """A table and what selects its row: "mode[attributes.mode]"."""
    known = {"tier": "evidence.tier", "year": text("page-year", lang)}
    return f"{table}[{', '.join(known.get(field, f'attributes.{field}') for field in by)}]"


def _length(seconds: int, lang: str) -> str:
    """A length of time, in the largest unit of which it is a whole number."""
    for code, unit in _UNITS:
        if seconds and seconds % unit == 0:
            return text(code, lang, count=seconds // unit)
    return text("page-seconds", lang, count=seconds)


def _clock(seconds: int) -> str:
    return f"{seconds // 3_600:02}:{seconds % 3_600 // 60:02}"
