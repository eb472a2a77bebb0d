"""`tally-verify`: check proofs offline; needs `cryptography` and `cbor2` alone.

    tally-verify check FILE --policy POLICY [--json] [--lang en|zh]

Exit status: 0 valid (also while provisional), 1 invalid or not yet witnessed, 2 wrong usage,
3 a file cannot be read.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from keys.catalogue import LANGUAGES, text
from keys.errors import Malformed, TallyError, Unreadable
from verifier.bundles import BUNDLE_BYTES_MAX
from verifier.check import PROVISIONAL, VALID, Report, check_bundle
from verifier.policy import POLICY_BYTES_MAX, parse_policy

EXIT_VALID, EXIT_INVALID, EXIT_USAGE, EXIT_UNREADABLE = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = _parser().parse_args(arguments)
    try:
        policy = parse_policy(_read(given.policy, POLICY_BYTES_MAX))
        report = check_bundle(_read(given.file, BUNDLE_BYTES_MAX), policy)
    except (Unreadable, Malformed) as error:
        _complain(error, given)
        return EXIT_UNREADABLE
    _show(report, given)
    return EXIT_VALID if report.verdict in (VALID, PROVISIONAL) else EXIT_INVALID


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tally-verify", description="Check proofs of a Tally ledger offline."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="check a bundle file against a trust policy")
    check.add_argument("file", metavar="FILE", help="the bundle")
    check.add_argument("--policy", required=True, help="the trust policy (C2SP tlog-policy)")
    check.add_argument("--json", action="store_true", help="print one JSON document")
    check.add_argument(
        "--lang", choices=LANGUAGES, default=_language(), help="language of what is printed"
    )
    return parser


def _language() -> str:
    return "zh" if os.environ.get("LANG", "").startswith("zh") else "en"


def _read(path: str, bytes_max: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            # One byte more than is allowed, so that the parser sees a file that is too long.
            return file.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable("file-unreadable", path=path, reason=error.strerror) from error


def _show(report: Report, given: argparse.Namespace) -> None:
    if given.json:
        _write(sys.stdout, _json(report.as_json()))
        return
    lines = [
        f"{'✓' if check.error is None else '✗'} {check.text(given.lang)}" for check in report.checks
    ]
    _write(sys.stdout, *lines, text(f"verdict-{report.verdict}", given.lang, **report.facts))


def _complain(error: TallyError, given: argparse.Namespace) -> None:
    if given.json:
        _write(sys.stdout, _json({"error": error.as_json()}))
    else:
        _write(sys.stderr, error.text(given.lang))


def _json(value: object) -> str:
    return json.dumps(value)  # in ASCII, which every terminal and every reader takes


def _write(stream: TextIO | None, *lines: str) -> None:
    """Write lines, each kept to one: what a file has put into it could spell a verdict."""
    if stream is None:
        return
    try:
        for line in lines:
            shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
            encoding = stream.encoding or "ascii"
            print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream)
        stream.flush()
    except OSError:
        # Whoever was to read has gone: the exit status tells.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
