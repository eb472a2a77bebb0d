"""`tally certificate`: the file with which an exchange imports units."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from api.certificates import SAMPLES, write_certificate
from api.commands.founding import POLICY
from api.commands.holding import First, Last, Series
from api.options import Final, LedgerFolder, command
from api.proving import FINAL_SECONDS, complete_within
from api.session import Session
from api.values import read_file, write_file
from chain.holdings import Units, own_registry
from keys.errors import Usage
from keys.notes import NOTE_BYTES_MAX, parse_note
from keys.strict import dump_json
from verifier.bundles import BUNDLE_BYTES_MAX
from verifier.sampling import SAMPLES_MAX


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "certificate")(certificate)


def certificate(
    session: Session,
    folder: LedgerFolder,
    series: Series,
    first: First,
    last: Last,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    samples: Annotated[
        int,
        typer.Option("--samples", metavar="N", min=1, max=SAMPLES_MAX, help="How many draws."),
    ] = SAMPLES,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="A cosigned checkpoint: the ledger's last, or that of the issuance's block; "
            "repeatable.",
        ),
    ] = None,
    delegation: Annotated[
        Path | None,
        typer.Option(
            "--delegation", metavar="FILE", help="What lets somebody act for the owner; its hash."
        ),
    ] = None,
    final: Final = False,
) -> None:
    """Write the certificate of units: what stands behind them, and a sample of it."""
    ledger = session.open(folder)
    written = write_certificate(
        ledger.store,
        Units(own_registry(ledger.state), series, first, last + 1),
        draws=samples,
        notes=[parse_note(read_file(path, NOTE_BYTES_MAX)) for path in checkpoint or ()],
        delegation=sha256(read_file(delegation)).digest() if delegation else None,
    )
    if final:
        complete_within(ledger.store, written.document, FINAL_SECONDS)
    data = dump_json(written.document) + b"\n"
    if len(data) > BUNDLE_BYTES_MAX:
        raise Usage("certificate-too-large", size=len(data), limit=BUNDLE_BYTES_MAX)
    write_file(out, [data])
    about = {
        "series": series,
        "first": first,
        "last": last,
        "size": len(data),
        "draws": samples,
        "reductions": written.reductions,
    }
    session.say("certificate-written", path=str(out), **about)
    session.say(
        "proof-check", command=f"tally-verify check {out} --policy {ledger.folder / POLICY}"
    )
    session.result({"out": str(out), **about})
