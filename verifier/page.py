"""The report on a certificate as one HTML page, in English and Chinese, for people to print.

Nothing in it is loaded from elsewhere, and no code runs in it.  What a file has put into the report
is escaped.
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from keys.catalogue import LANGUAGES, text
from verifier.reports import Report

_FACTS = (
    "series",
    "first",
    "last",
    "units",
    "status",
    "owner",
    "account",
    "exchange",
    "nonce",
    "expires",
    "delegation",
    "platform",
    "scenario",
    "methodologies",
    "from",
    "until",
    "count",
    "grams",
    "carried_in",
    "carried_out",
    "authority",
    "notice",
    "certification",
    "registry",
    "vintage",
    "ledger",
    "origin",
    "size",
    "time",
    "cosigned_by",
    "sample",
)
"""The facts that the page shows, in their order; each has its label in the catalogue."""
_WORDS = ("status", "opinion", "assurance")
"""Facts whose values are words of the catalogue."""
_STYLE = """
body { font: 11pt/1.45 "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  max-width: 48em; margin: 2em auto; padding: 0 1em; color: #111; }
h1 { font-size: 1.5em; margin: 0; }
h2 { font-size: 1.1em; border-bottom: 1px solid #999; margin: 1.6em 0 .4em; }
p, li { margin: .3em 0; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .15em .6em .15em 0; font-weight: normal;
  overflow-wrap: anywhere; border-bottom: 1px solid #ddd; }
th { width: 14em; color: #444; }
.verdict { overflow: hidden; border: 2px solid #111; padding: .6em 1em; margin: 1em 0;
  font-weight: bold; }
.invalid { border-style: double; border-width: 6px; }
.code { float: right; margin: 0 0 1em 1em; }
.failed { font-weight: bold; }
code { font-size: .85em; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; }
  tr, li { break-inside: avoid; } }
"""


def render(report: Report, digest: str, code: str) -> str:
    """The page as HTML.

    digest: SHA-256 of the file, in hexadecimal.  code: a QR code of it, as an SVG element.
    """
    title = " · ".join(escape(text("certificate-title", lang)) for lang in LANGUAGES)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style></head>",
            "<body>",
            f'<div class="code">{code}</div>',
            f"<h1>{_both('certificate-title')}</h1>",
            f"<p>{_both('certificate-digest')}<br><code>{escape(digest)}</code></p>",
            f'<div class="verdict {escape(report.verdict)}">',
            *(f'<p lang="{lang}">{escape(report.text(lang))}</p>' for lang in LANGUAGES),
            "</div>",
            f"<h2>{_both('certificate-facts')}</h2>",
            *_table(
                (_label(name), _value(report.facts[name], name))
                for name in _FACTS
                if report.facts.get(name) not in (None, "", [])
            ),
            f"<h2>{_both('certificate-checks')}</h2>",
            "<ol>",
            *_checks(report),
            "</ol>",
            *_lots(report),
            f"<p>{_both('certificate-again')}</p>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _both(code: str) -> str:
    return " · ".join(
        f'<span lang="{lang}">{escape(text(code, lang))}</span>' for lang in LANGUAGES
    )


def _checks(report: Report) -> Iterable[str]:
    for check in report.checks:
        mark, of = ("✓", "passed") if check.error is None else ("✗", "failed")
        said = "<br>".join(
            f'<span lang="{lang}">{escape(check.text(lang))}</span>' for lang in LANGUAGES
        )
        yield f'<li class="{of}">{mark} {said}</li>'


def _lots(report: Report) -> Iterable[str]:
    lots = report.facts.get("lots", [])
    if lots:
        yield f"<h2>{_both('certificate-lots-listed')}</h2>"
        yield from _table(
            (escape(day), escape(f"{count}, {grams} g, {root}")) for day, count, grams, root in lots
        )


def _table(rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    yield "<table>"
    for label, value in rows:
        yield f"<tr><th>{label}</th><td>{value}</td></tr>"
    yield "</table>"


def _label(name: str) -> str:
    return _both(f"fact-{name.replace('_', '-')}")


def _value(value: Any, name: str) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(
            f"{_label(key)}: {_value(item, key)}" for key, item in value.items() if item != []
        )
    if isinstance(value, list):
        return "<br>".join(_value(item, name) for item in value)
    if name in _WORDS:
        return _both(f"{name}-{value}")
    return escape(str(value))
