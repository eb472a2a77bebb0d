"""Options that many commands share, and how a function becomes a command that has them.

A command is a function whose first parameter is the `Session`; `command` puts the shared options
behind its own and makes the session from them.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from api.session import Session

LedgerFolder = Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger's folder.")]
By = Annotated[str, typer.Option("--by", metavar="GOVERNOR", help="The governor who signs.")]
As = Annotated[str, typer.Option("--as", metavar="ID", help="The participant who signs.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.")]
Final = Annotated[
    bool,
    typer.Option("--final", help="Wait, 10 seconds at most, until the quorum has cosigned it."),
]
SecretFile = Annotated[
    Path, typer.Option("--secret-file", metavar="FILE", help="The secret behind the pseudonyms.")
]

_EVERYWHERE: dict[str, Any] = {
    "json": Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ],
    "lang": Annotated[
        Literal["en", "zh"] | None,
        typer.Option("--lang", help="Language of what is printed; by default the environment's."),
    ],
}
_ON_A_LEDGER: dict[str, Any] = {
    "now": Annotated[
        str | None,
        typer.Option(
            "--now",
            envvar="TALLY_NOW",
            metavar="TIME",
            help="The time to go by, for demonstrations and tests: unix seconds or ISO 8601 with "
            "its offset. By default the system's clock.",
        ),
    ],
    "keys": Annotated[
        Path | None,
        typer.Option(
            "--keys",
            envvar="TALLY_KEYS",
            metavar="DIR",
            help="Where keys are kept; by default LEDGER-keys, beside the ledger.",
        ),
    ],
    "database": Annotated[
        str | None,
        typer.Option(
            "--database",
            envvar="TALLY_DATABASE",
            metavar="URL",
            help="The ledger's database, if it is not the SQLite file in its folder.",
        ),
    ],
}

Function = TypeVar("Function", bound=Callable[..., int | None])


def command(app: typer.Typer, name: str, *, ledger: bool = True) -> Callable[[Function], Function]:
    """Make a function a command of ``app``; ``ledger``: it works on one, or on keys."""
    shared = {**(_ON_A_LEDGER if ledger else {}), **_EVERYWHERE}

    def register(function: Function) -> Function:
        def run(**given: Any) -> int | None:
            session = Session(**{option: given.pop(option) for option in shared})
            try:
                return function(session, **given)
            finally:
                session.close()

        _, *own = inspect.signature(function, eval_str=True).parameters.values()
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        parameters += [
            inspect.Parameter(
                option,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if option == "json" else None,
                annotation=annotation,
            )
            for option, annotation in shared.items()
        ]
        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        run.__annotations__ = {item.name: item.annotation for item in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        app.command(name)(run)
        return function

    return register
