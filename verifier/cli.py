"""`tally-verify`: check proofs offline, audit a ledger; needs `cryptography` and `cbor2` alone.

    tally-verify check FILE --policy POLICY [--newer CHECKPOINT] [--nonce HEX]
                 [--html PAGE] [--json] [--lang en|zh]
    tally-verify sample FILE [--json] [--lang en|zh]
    tally-verify audit SOURCE --policy POLICY [--state DIR] [--activities] [--processes N]
                 [--evidence FILE] [--as PARTICIPANT --as-key KEY] [--json] [--lang en|zh]
    tally-verify auditor (--source SOURCE | --consistency-only) --policy POLICY --key KEY
                 --name NAME --state DIR --listen HOST:PORT [--host HOST[:PORT]] …
                 [--as PARTICIPANT --as-key KEY] [--now SECONDS] [--json] [--lang en|zh]
    tally-verify monitor [--source SOURCE] … [--witness SOURCE] … [--note FILE] … [--bundle FILE] …
                 --policy POLICY --state DIR [--every SECONDS] [--freeze SECONDS] [--replay]
                 [--json] [--lang en|zh]

FILE is a bundle, a certificate, a lot, a book or evidence.  ``--newer`` names a checkpoint in hand,
which an older file fails against; ``--nonce`` is what an exchange gave for an offer.  ``--html``
writes the report on a certificate as a page to print; for the QR code on it, and for nothing else,
`segno` is needed.

The second reads a sample of lots (`verifier.samples`), and lists what was drawn.

The third replays a ledger (`verifier.audit`); SOURCE is its folder, or a URL that serves it.  With
``--state`` it keeps what it has found in a folder of its own, and goes on from there the next time;
``--activities`` computes each reduction again from its activity; of N ``--processes``, one decides
and the others read ahead of it (`verifier.ahead`).  What is wrong is written to ``--evidence``.

The fourth serves an auditor (`verifier.auditor`) until it is told to stop (SIGTERM, SIGINT), or
with ``--consistency-only`` an ordinary witness.  NAME is the key's in its cosignatures; DIR is the
auditor's own folder.  Once it listens it prints where, and its verifier key.

The last compares what all places show of a log (`verifier.monitor`): once, or every so many seconds
until it is interrupted, and then prints what has changed.

A URL may show reductions to members of the ledger alone: ``--as`` and ``--as-key`` sign the reads
of one (`verifier.signed_reads`).  A KEY is a file of encrypted PKCS#8, with its passphrase in
TALLY_PASSPHRASE.

Exit status: 0 valid (also while provisional), passed, proved, or one history; 1 invalid, not yet
witnessed, failed, stated and not proved, or an alarm; 2 wrong usage; 3 a file, a source or a state
cannot be read.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from chain.records import NONCE_SIZE
from keys.catalogue import LANGUAGES, text
from keys.errors import Fault, Malformed, TallyError, Unreadable, Usage, VerificationError
from keys.notes import NOTE_BYTES_MAX, parse_note
from keys.signer import KeySigner, load
from keys.strict import parse_hex
from verifier.ahead import Ahead
from verifier.anchors import InHand
from verifier.audit import Audit, AuditReport, Progress
from verifier.audit_state import AuditState
from verifier.bundles import FILE_BYTES_MAX
from verifier.check import check_file
from verifier.evidence import PROVED
from verifier.monitor import Monitor, bundle_place, note_place, source_place, witness_place
from verifier.page import render
from verifier.policy import POLICY_BYTES_MAX, parse_policy
from verifier.reports import PROVISIONAL, VALID, Report
from verifier.samples import SAMPLE_BYTES_MAX, read_sample
from verifier.signed_reads import signing_source
from verifier.sources import Source, open_source

EXIT_VALID, EXIT_INVALID, EXIT_USAGE, EXIT_UNREADABLE = 0, 1, 2, 3
PASSPHRASE = "TALLY_PASSPHRASE"
_METER_SECONDS = 0.5
_CLEAR = "\r\x1b[K"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = _parser().parse_args(arguments)
    if given.command == "sample":
        return _sample(given)
    if given.command == "audit":
        return _audit(given)
    if given.command == "auditor":
        return _auditor(given)
    if given.command == "monitor":
        return _monitor(given)
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
    return EXIT_VALID if report.verdict in (VALID, PROVISIONAL, PROVED) else EXIT_INVALID


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tally-verify", description="Check proofs of a Tally ledger offline."
    )
    parser.set_defaults(now=None)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="check a file against a trust policy")
    check.add_argument("file", metavar="FILE", help="a bundle, a certificate, a lot or a book")
    check.add_argument("--policy", required=True, help="the trust policy (C2SP tlog-policy)")
    check.add_argument("--newer", metavar="CHECKPOINT", help="a checkpoint in hand of the same log")
    check.add_argument("--nonce", metavar="HEX", help="the nonce that you gave for the offer")
    check.add_argument("--html", metavar="PAGE", help="write a certificate's report as a page")
    sample = commands.add_parser("sample", help="read a sample of lots, drawn for a verifier")
    sample.add_argument("file", metavar="FILE", help="the sample")
    audited = commands.add_parser("audit", help="replay a ledger, and say whether it is right")
    audited.add_argument("source", metavar="SOURCE", help="the ledger's folder, or its URL")
    audited.add_argument("--policy", required=True, help="the trust policy (C2SP tlog-policy)")
    audited.add_argument(
        "--state", metavar="DIR", help="a folder of yours, to go on from the next time"
    )
    audited.add_argument(
        "--activities", action="store_true", help="compute reductions again from their activities"
    )
    audited.add_argument(
        "--processes",
        metavar="N",
        type=_count,
        default=1,
        help="how many work at it (default: %(default)s); pays most with --activities",
    )
    audited.add_argument(
        "--evidence",
        metavar="FILE",
        default="evidence.json",
        help="where the evidence of what is wrong goes (default: %(default)s)",
    )
    auditor = commands.add_parser("auditor", help="audit every block, and cosign it")
    what = auditor.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", metavar="SOURCE", help="the ledger's folder, or its URL")
    what.add_argument(
        "--consistency-only", action="store_true", help="be an ordinary witness, and audit nothing"
    )
    for name, metavar, help_text in (
        ("--policy", "POLICY", "the trust policy (C2SP tlog-policy); its log lines count"),
        ("--key", "KEY", "the key that cosigns, a file of encrypted PKCS#8"),
        ("--name", "NAME", "the key's name in its cosignatures"),
        ("--state", "DIR", "a folder of yours, for this auditor alone"),
        ("--listen", "HOST:PORT", "where it listens; port 0 takes a free one"),
    ):
        auditor.add_argument(name, metavar=metavar, required=True, help=help_text)
    auditor.add_argument(
        "--host",
        metavar="HOST[:PORT]",
        action="append",
        default=[],
        help="by what members read it, if not where it listens; repeatable",
    )
    auditor.add_argument(
        "--now", metavar="SECONDS", type=int, help="a clock that stands still, for demonstrations"
    )
    monitor = commands.add_parser("monitor", help="see whether everybody is shown one history")
    for name, metavar, help_text in (
        ("--source", "SOURCE", "a folder of the ledger, or a URL that serves it"),
        ("--witness", "SOURCE", "where a witness or an auditor shows its checkpoint"),
        ("--note", "FILE", "a checkpoint"),
        ("--bundle", "FILE", "a bundle, a certificate, a lot or a book"),
    ):
        shown = f"{help_text}; repeatable"
        monitor.add_argument(name, metavar=metavar, action="append", default=[], help=shown)
    monitor.add_argument("--policy", required=True, help="the trust policy (C2SP tlog-policy)")
    monitor.add_argument(
        "--state", metavar="DIR", required=True, help="a folder of yours, where evidence goes too"
    )
    monitor.add_argument("--every", metavar="SECONDS", type=_seconds, help="look again so often")
    monitor.add_argument(
        "--freeze", metavar="SECONDS", type=_seconds, help="how old a source's last seal may be"
    )
    monitor.add_argument("--replay", action="store_true", help="audit every source as well")
    for command in (audited, auditor, monitor):
        command.add_argument(
            "--as", metavar="PARTICIPANT", dest="reader", help="whose reads of a URL are signed"
        )
        command.add_argument("--as-key", metavar="KEY", help="the participant's key")
    for command in (check, sample, audited, auditor, monitor):
        command.add_argument("--json", action="store_true", help="print one JSON document")
        command.add_argument(
            "--lang", choices=LANGUAGES, default=_language(), help="language of what is printed"
        )
    return parser


def _seconds(value: str) -> int:
    """A number of seconds, one at least."""
    return _whole(value, "seconds")


def _count(value: str) -> int:
    """A number of processes, one at least."""
    return _whole(value, "processes")


def _whole(value: str, of: str) -> int:
    if not value.isascii() or not value.isdigit() or not int(value):
        raise argparse.ArgumentTypeError(f"{value} is not a number of {of}")
    return int(value)


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


def _audit(given: argparse.Namespace) -> int:
    """Audit a ledger; the exit status."""
    meter = _Meter(sys.stderr, given.lang)
    try:
        policy = parse_policy(_read(given.policy, POLICY_BYTES_MAX))
        source = _source(given.source, given)
        with (
            TemporaryDirectory() if given.state is None else nullcontext(given.state) as folder,
            closing(AuditState(Path(folder))) as kept,
            closing(meter),
        ):
            ahead = None
            if given.processes > 1:
                ahead = Ahead(partial(_source, given.source, given), given.processes - 1)
            one = Audit(source, policy, kept, activities=given.activities, ahead=ahead)
            report = one.run(meter.show)
    except (Unreadable, Malformed, Fault) as error:
        _complain(error, given)
        return EXIT_UNREADABLE
    except Usage as error:
        _complain(error, given)
        return EXIT_USAGE
    evidence = report.wrong.evidence if report.wrong is not None else None
    try:
        if evidence is not None:
            _save(given.evidence, _json(evidence))
    except Usage as error:
        # The verdict stands all the same.
        _write(sys.stderr, error.text(given.lang))
        evidence = None
    if given.json:
        _write(sys.stdout, _json(report.as_json()))
    else:
        _write(sys.stdout, *_lines(report, given, evidence is not None))
    return EXIT_VALID if report.wrong is None else EXIT_INVALID


def _lines(report: AuditReport, given: argparse.Namespace, is_saved: bool) -> list[str]:
    """An audit's report in words."""
    lines = [report.text(given.lang)]
    if is_saved:
        lines.append(text("audit-evidence", given.lang, path=given.evidence))
    if report.wrong is None and given.activities:
        lines.append(text("audit-activities", given.lang, **report.facts))
    if report.wrong is None and not report.facts["witnessed"]:
        lines.append(text("audit-unwitnessed", given.lang))
    return lines


def _auditor(given: argparse.Namespace) -> int:
    """Serve an auditor until it is told to stop; the exit status."""
    from verifier.auditor import Auditor, Witness
    from verifier.serving import Serving

    try:
        host, port = _address(given.listen)
        policy = parse_policy(_read(given.policy, POLICY_BYTES_MAX))
        own = _key(given.key)
        source = None if given.consistency_only else _source(given.source, given)
        place = Path(given.state)

        def make() -> Witness:
            if source is None:
                return Witness(place, policy, own, given.name, _clock(given))
            return Auditor(place, policy, own, given.name, source, _clock(given))

        serving = Serving(make, host, port, given.host)
    except (Unreadable, Malformed, Fault) as error:
        _complain(error, given)
        return EXIT_UNREADABLE
    except Usage as error:
        _complain(error, given)
        return EXIT_USAGE
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    serving.start()
    shown = {"url": serving.url, **serving.witness.status()}
    _write(sys.stdout, _json(shown) if given.json else text("auditor-listens", given.lang, **shown))
    told.wait()
    serving.stop()
    return EXIT_VALID


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise Usage("listen-address", value=value)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _key(path: str) -> KeySigner:
    passphrase = os.environ.get(PASSPHRASE)
    if not passphrase:
        raise Usage("passphrase-missing", name=PASSPHRASE, path=path)
    return load(path, passphrase.encode())


def _source(place: str, given: argparse.Namespace) -> Source:
    """The source at a place, read as whoever is named."""
    if (given.reader is None) != (given.as_key is None):
        raise Usage("reader-key")
    if given.reader is None or "://" not in place:
        return open_source(place)
    return signing_source(place, given.reader, _key(given.as_key), _clock(given))


def _clock(given: argparse.Namespace) -> Callable[[], float]:
    now: int | None = given.now
    return time.time if now is None else lambda: float(now)


def _monitor(given: argparse.Namespace) -> int:
    """Compare what places show, once or again and again; the exit status."""
    try:
        places = [
            *(source_place(name, _source(name, given)) for name in given.source),
            *(witness_place(name, open_source(name)) for name in given.witness),
            *(note_place(Path(name)) for name in given.note),
            *(bundle_place(Path(name)) for name in given.bundle),
        ]
        if not places:
            raise Usage("monitor-nothing-named")
        policy = parse_policy(_read(given.policy, POLICY_BYTES_MAX))
        one = Monitor(
            policy,
            places,
            Path(given.state),
            _clock(given),
            freeze=given.freeze,
            replay=given.replay,
        )
        return _look(one, given)
    except (Unreadable, Malformed, VerificationError) as error:
        _complain(error, given)
        return EXIT_UNREADABLE
    except Usage as error:
        _complain(error, given)
        return EXIT_USAGE


def _look(one: Monitor, given: argparse.Namespace) -> int:
    """Look as often as is asked for; the exit status."""
    status, shown = EXIT_UNREADABLE, [""]
    try:
        while True:
            found = one.look()
            lines = [_json(found.as_json())] if given.json else found.lines(given.lang)
            _write(sys.stdout, *(line for line in lines if line not in shown))
            shown = lines
            if found.alarms:
                status = EXIT_INVALID
            elif found.seen and status == EXIT_UNREADABLE:
                status = EXIT_VALID
            if given.every is None:
                return status
            time.sleep(given.every)
    except KeyboardInterrupt:
        return status


class _Meter:
    """What shows progress: one line on a terminal, and nothing elsewhere."""

    def __init__(self, stream: TextIO | None, lang: str) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._lang = lang
        self._began = self._shown = time.monotonic()

    def show(self, at: Progress) -> None:
        now = time.monotonic()
        if self._stream is None or now - self._shown < _METER_SECONDS:
            return
        self._shown, spent = now, now - self._began
        left = spent * (at.size - at.entry) / (at.entry - at.first)
        line = text(
            "audit-progress",
            self._lang,
            entry=at.entry,
            size=at.size,
            reductions=at.reductions,
            rate=round(at.reductions / spent),
            left=timedelta(seconds=round(left)),
        )
        print(f"{_CLEAR}{_encodable(line, self._stream)}", end="", file=self._stream, flush=True)

    def close(self) -> None:
        """Leave an empty line for what comes next."""
        if self._stream is not None:
            print(_CLEAR, end="", file=self._stream, flush=True)


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
    _save(given.html, render(report, digest, code))


def _save(path: str, content: str) -> None:
    """Write a file; raises `Usage`."""
    try:
        Path(path).write_text(content, "utf-8")
    except OSError as error:
        raise Usage("file-unwritable", path=path, reason=error.strerror) from error


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
            print(_encodable(shown, stream), file=stream)
        stream.flush()
    except OSError:
        # Whoever was to read has gone: the exit status tells.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encodable(line: str, stream: TextIO) -> str:
    encoding = stream.encoding or "ascii"
    return line.encode(encoding, "backslashreplace").decode(encoding)


if __name__ == "__main__":
    sys.exit(main())
