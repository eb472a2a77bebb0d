"""`tally-verify`: check proofs offline; needs `cryptography` and `cbor2` alone.

    tally-verify check FILE --policy POLICY [--newer CHECKPOINT] [--nonce HEX]
                 [--html PAGE] [--json] [--lang en|zh]
    tally-verify sample FILE [--json] [--lang en|zh]

FILE is a bundle, a certificate or a lot.  ``--newer`` names a checkpoint in hand, which an older
file fails against; ``--nonce`` is what an exchange gave for an offer.  ``--html`` writes the report
on a certificate as a page to print; for the QR code on it, and for nothing else, `segno` is needed.

The second reads a sample of lots (`verifier.samples`), and lists what was drawn.

Exit status: 0 valid (also while provisional), 1 invalid or not yet witnessed, 2 wrong usage,
3 a file cannot be read.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from chain.records import NONCE_SIZE
from keys.catalogue import LANGUAGES, text
from keys.errors import Malformed, TallyError, Unreadable, Usage, VerificationError
from keys.notes import NOTE_BYTES_MAX, parse_note
from keys.strict import parse_hex
from verifier.anchors import InHand
from verifier.bundles import FILE_BYTES_MAX
from verifier.check import check_file
from verifier.page import render
from verifier.policy import POLICY_BYTES_MAX, parse_policy
from verifier.reports import PROVISIONAL, VALID, Report
from verifier.samples import SAMPLE_BYTES_MAX, read_sample

EXIT_VALID, EXIT_INVALID, EXIT_USAGE, EXIT_UNREADABLE = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = _parser().parse_args(arguments)
    if given.command == "sample":
        return _sample(given)
    try:
        policy = parse_policy(_read(given.policy, POLICY_BYTES_MAX))
        newer = parse_note(_read(given.newer, NOTE_BYTES_MAX)) if given.newer else None
        nonce = parse_hex(given.nonce, NONCE_SIZE) if given.nonce else None
        data = _read(given.file, FILE_BYTES_MAX)
        report = check_file(data, policy, InHand(newer, nonce))
        if given.html:
            _write_page(report, data, given)
    except (Unreadable, Malformed) as error:
        _complain(error, given)
        return EXIT_UNREADABLE
    except Usage as error:
        _complain(error, given)
        return EXIT_USAGE
    _show(report, given)
    return EXIT_VALID if report.verdict in (VALID, PROVISIONAL) else EXIT_INVALID


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tally-verify", description="Check proofs of a Tally ledger offline."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="check a file against a trust policy")
    check.add_argument("file", metavar="FILE", help="a bundle, a certificate or a lot")
    check.add_argument("--policy", required=True, help="the trust policy (C2SP tlog-policy)")
    check.add_argument("--newer", metavar="CHECKPOINT", help="a checkpoint in hand of the same log")
    check.add_argument("--nonce", metavar="HEX", help="the nonce that you gave for the offer")
    check.add_argument("--html", metavar="PAGE", help="write a certificate's report as a page")
    sample = commands.add_parser("sample", help="read a sample of lots, drawn for a verifier")
    sample.add_argument("file", metavar="FILE", help="the sample")
    for command in (check, sample):
        command.add_argument("--json", action="store_true", help="print one JSON document")
        command.add_argument(
            "--lang", choices=LANGUAGES, default=_language(), help="language of what is printed"
        )
    return parser


def _sample(given: argparse.Namespace) -> int:
    """Read a sample, and list what was drawn; its exit status."""
    try:
        found = read_sample(_read(given.file, SAMPLE_BYTES_MAX))
    except VerificationError as error:
        _complain(error, given)
        return EXIT_INVALID
    except (Unreadable, Malformed) as error:
        _complain(error, given)
        return EXIT_UNREADABLE
    if given.json:
        _write(sys.stdout, _json([one.as_json() for one in found]))
        return EXIT_VALID
    rows = [" ".join("–" if v is None else str(v) for v in one.as_json().values()) for one in found]
    draws = sum(one.times for one in found)
    _write(sys.stdout, *rows, text("sample-read", given.lang, draws=draws, count=len(found)))
    return EXIT_VALID


def _language() -> str:
    return "zh" if os.environ.get("LANG", "").startswith("zh") else "en"


def _read(path: str, bytes_max: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            # One byte more than is allowed, so that the parser sees a file that is too long.
            return file.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable("file-unreadable", path=path, reason=error.strerror) from error


def _write_page(report: Report, data: bytes, given: argparse.Namespace) -> None:
    """Write the page of a certificate; raises `Usage`."""
    if report.facts.get("kind") != "certificate":
        raise Usage("page-of-certificate")
    try:
        import segno
    except ModuleNotFoundError as error:
        raise Usage("page-needs-segno") from error
    digest = sha256(data).hexdigest()
    code = segno.make(digest, error="m").svg_inline(scale=4)
    try:
        Path(given.html).write_text(render(report, digest, code), "utf-8")
    except OSError as error:
        raise Usage("file-unwritable", path=given.html, reason=error.strerror) from error


def _show(report: Report, given: argparse.Namespace) -> None:
    if given.json:
        _write(sys.stdout, _json(report.as_json()))
        return
    lines = [
        f"{'✓' if check.error is None else '✗'} {check.text(given.lang)}" for check in report.checks
    ]
    _write(sys.stdout, *lines, report.text(given.lang))


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
