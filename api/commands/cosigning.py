"""`tally cosign`: ask the cosigners of the policy in use about the last checkpoint, once.

For a ledger that is sealed from the command line; where one is served, the service asks.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from api.options import LedgerFolder, command
from api.session import Session
from api.values import split_pair
from keys.errors import Conflict, TallyError, Usage
from keys.notes import NoteKey, NoteSignature

Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--cosigner",
        metavar="NAME=URL",
        help="Where the auditor or witness is whose key has this name; repeatable.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "cosign")(cosign)


def cosign(session: Session, folder: LedgerFolder, *, cosigner: Addresses = None) -> int:
    """Ask auditors and witnesses to cosign the last checkpoint, once; 1 if it is not final then."""
    # Only this command needs what speaks HTTP.
    from api.cosigning import Collecting, Cosigned, Cosigner

    store = session.open(folder).store
    urls = dict(map(split_pair, cosigner or ()))
    lead = store.lead()
    if lead is None:
        raise Usage("cosigned-elsewhere")
    with lead:
        collecting = Collecting(store, lead)
        use, offer = collecting.use, collecting.newest()
        if use is None or offer is None:
            raise Conflict("final-without-policy")
        with store.snapshot() as snapshot:
            state = snapshot.state()
        governed = state.policy.keys if state and state.policy else ()
        unknown = urls.keys() - {key.name for key in (*use.keys, *governed)}
        if unknown:
            raise Usage("cosigner-unknown", names=", ".join(sorted(unknown)))
        note, tree = offer.note, store.published_tree()

        def ask(key: NoteKey) -> NoteSignature | TallyError:
            asked = Cosigner(key, urls[key.name])
            try:
                return asked.ask(note, tree)
            except TallyError as error:
                return error
            finally:
                asked.close()

        answers: dict[NoteKey, NoteSignature | TallyError] = {}
        # After a change, those of the policy before are asked, then those of the new one.
        while use and (keys := [k for k in use.keys if k.name in urls and k not in answers]):
            with ThreadPoolExecutor(len(keys)) as pool:
                answers |= zip(keys, pool.map(ask, keys), strict=True)
            made = [one for one in map(answers.get, keys) if isinstance(one, NoteSignature)]
            collecting.take([Cosigned(offer.height, line) for line in made])
            use = collecting.use
    with store.snapshot() as snapshot:
        is_final = snapshot.has_quorum(offer.height)
    for key, answer in answers.items():
        if isinstance(answer, TallyError):
            session.say("cosigner-failed", name=key.name, reason=answer.text(session.lang))
        else:
            session.say("cosigner-cosigned", name=key.name)
    session.say("cosign-final" if is_final else "cosign-not-final", height=offer.height)
    session.result(
        {
            "height": offer.height,
            "final": is_final,
            "cosigners": {
                key.name: answer.as_json() if isinstance(answer, TallyError) else None
                for key, answer in answers.items()
            },
        }
    )
    return 0 if is_final else 1
