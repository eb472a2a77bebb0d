"""`tally sample`: activities for a verifier, drawn from closed lots."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api.evidence import sample as draw_sample
from api.options import LedgerFolder, command
from api.session import Session
from api.values import write_file
from keys.errors import NotAllowed, Usage
from keys.participants import Role
from keys.strict import dump_date, parse_date
from verifier.samples import parse_nonce
from verifier.sampling import SAMPLES_MAX


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "sample")(sample)


def sample(
    session: Session,
    folder: LedgerFolder,
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help="Whose reductions.")],
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="Under which scenario.")],
    first: Annotated[str, typer.Argument(metavar="FROM", help="The first day.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="The last day.")],
    *,
    verifier: Annotated[
        str, typer.Option("--for", metavar="VERIFIER", help="The verifier who asked for it.")
    ],
    nonce: Annotated[
        str,
        typer.Option("--nonce", metavar="HEX", help="Drawn by the verifier: 16 bytes at least."),
    ],
    count: Annotated[
        int, typer.Option("--count", metavar="N", min=1, max=SAMPLES_MAX, help="How many draws.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write. Private.")],
) -> None:
    """Give a verifier activities of closed lots, drawn by grams; their evidence is to be asked for
    at the platform."""
    ledger = session.open(folder)
    participant = ledger.state.participants.get(verifier)
    if participant is None or not participant.has_role(Role.VERIFIER, ledger.state.index):
        raise NotAllowed("verifier-needed", participant=verifier)
    drawn_with = parse_nonce(nonce)
    since, until = parse_date(first), parse_date(last) + 1
    with ledger.store.snapshot() as snapshot:
        lots = [lot for lot in snapshot.lots(platform, scenario) if since <= lot.day < until]
        if not lots:
            raise Usage("lot-unknown", platform=platform, scenario=scenario, day=dump_date(since))
        made = draw_sample(ledger.store, snapshot, lots, verifier, drawn_with, count)
    write_file(out, [json.dumps(made, ensure_ascii=False, indent=1).encode(), b"\n"], private=True)
    shown = [one for part in made["lots"] for one in part["reductions"]]
    about = {
        "lots": len(lots),
        "grams": sum(lot.grams for lot in lots),
        "draws": count,
        "reductions": len(shown),
        "erased": sum(one["activity"] is None for one in shown),
    }
    session.say("sample-done", **about, id=verifier, path=str(out))
    session.result({**about, "out": str(out)})
