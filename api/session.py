"""What every command has: the language, the form of its output, the clock, the keys, the ledger.

Output goes to standard output: text for people, or with ``--json`` one JSON document and nothing
else.  Progress is shown on a terminal only, on standard error.

Keys live apart from the ledger: one encrypted PKCS#8 file ``<participant>.pem`` each, in the
folder of ``--keys`` (environment TALLY_KEYS; else ``<ledger>-keys`` beside the ledger).  The
passphrase comes from the environment (TALLY_PASSPHRASE) or is asked for.  A key that governance
has yet to put in force waits as ``<participant>.next.pem``; whichever of the two the ledger knows
is the one that signs, and takes the first name.

``--now`` (TALLY_NOW) stands in for the system's clock, for demonstrations and tests.
"""

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.values import STATEMENT_SECONDS, parse_time
from chain.reductions import Reduction
from chain.sequencer import Sequencer
from chain.spans import make_holder
from chain.state import State
from chain.store import queue
from chain.store.answers import Answer, answer
from chain.store.database import open_engine
from chain.store.leading import Lead
from chain.store.ledger import LedgerStore, open_store
from chain.store.snapshot import Head, Place, Snapshot
from keys import signer
from keys.catalogue import LANGUAGES, text
from keys.errors import Conflict, NotAllowed, Refusal, Unreadable, Usage
from keys.signer import KeySigner
from keys.statements import Statement, sign_statement
from keys.strict import parse_hex
from keys.suites import ED25519, PublicKey

PASSPHRASE = "TALLY_PASSPHRASE"
PLAIN_WIDTH = 200
SHOWN_MAX = 20
"""How many lines of a long list are shown; ``--json`` gives all."""
LEAD_SECONDS_MAX = 60
"""How long a command waits for the process that leads to seal."""
LEAD_LOOK_SECONDS = 0.1


def default_language() -> str:
    """The language of the environment: Chinese if LC_ALL or LANG says so, else English."""
    name = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if name.startswith("zh") else "en"


def public_key(state: State, name: str) -> PublicKey:
    """A participant's key as of now; raises `NotAllowed`."""
    participant = state.participants.get(name)
    if participant is None:
        raise NotAllowed("participant-unknown", participant=name)
    key = participant.key_at(state.index)
    if key is None:
        raise NotAllowed("signature-invalid", participant=name, index=state.index)
    return key.public


def key_path(folder: Path, name: str, *, waiting: bool = False) -> Path:
    """The file of a participant's key, or of the one that is to follow it."""
    return folder / f"{name}{'.next' if waiting else ''}.pem"


class Session:
    """One run of a command."""

    def __init__(
        self,
        *,
        json: bool = False,
        lang: str | None = None,
        now: str | None = None,
        keys: Path | None = None,
        database: str | None = None,
    ) -> None:
        self.json = json
        self.lang = lang if lang in LANGUAGES else default_language()
        self.fixed_now = parse_time(now) if now else None
        self.now = int(time.time()) if self.fixed_now is None else self.fixed_now
        self.database = database
        self._keys = keys
        self._passphrases: dict[Path, bytes] = {}
        self._stores: list[LedgerStore] = []
        # Where there is no terminal there is no width to keep to.
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        self._out = Console(highlight=False, markup=False, emoji=False, width=width)

    def close(self) -> None:
        """Close the databases that the command has opened."""
        for store in self._stores:
            store.engine.dispose()

    # --- what it prints ---

    def text(self, code: str, /, **details: object) -> str:
        """A text of the catalogue in the session's language."""
        return text(code, self.lang, **details)

    def say(self, code: str, /, **details: object) -> None:
        """Print a text of the catalogue."""
        self.print(self.text(code, **details))

    def print(self, line: str) -> None:
        """Print a line for people."""
        if not self.json:
            self._out.print(line, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table; ``columns`` are codes of the catalogue."""
        if self.json:
            return
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in columns:
            made.add_column(self.text(column), overflow="fold")
        for row in rows:
            made.add_row(*(str(cell) for cell in row))
        self._out.print(made)

    def facts(self, rows: Mapping[str, object]) -> None:
        """Print facts, one a line; the keys are codes of the catalogue."""
        labels = [self.text(code) for code in rows]
        width = max(map(cell_len, labels))
        for label, value in zip(labels, rows.values(), strict=True):
            self.print(f"{label}{' ' * (width - cell_len(label))}  {value}")

    def result(self, document: object) -> None:
        """With ``--json``, print the command's one document."""
        if self.json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")

    def refusals(self, columns: Sequence[str], found: Sequence[tuple[object, Refusal]]) -> None:
        """Print the first of what was refused, and how many more there are."""
        if found:
            shown = found[:SHOWN_MAX]
            self.table(columns, [(where, refusal.text(self.lang)) for where, refusal in shown])
        if len(found) > SHOWN_MAX:
            self.say("more-lines", count=len(found) - SHOWN_MAX)

    @contextlib.contextmanager
    def progress(self, code: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show how far long work has come; gives what is called with each advance."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=self.json or not sys.stderr.isatty(),
        )
        with bar:
            task = bar.add_task(self.text(code), total=total)
            yield lambda done: bar.advance(task, done)

    # --- keys ---

    def keys_folder(self, ledger: Path | None = None) -> Path:
        """Where keys are kept; raises `Usage` if neither an option nor a ledger says it."""
        if self._keys is not None:
            return self._keys
        if ledger is None:
            raise Usage("keys-folder-missing")
        ledger = ledger.absolute()
        return ledger.with_name(f"{ledger.name}-keys")

    def passphrase(self, path: Path, *, new: bool = False) -> bytes:
        """The passphrase of a key file; raises `Usage` where nobody can be asked."""
        given = os.environ.get(PASSPHRASE)
        if given:
            return given.encode()
        if path not in self._passphrases:
            if not sys.stdin.isatty():
                raise Usage("passphrase-missing", name=PASSPHRASE, path=str(path))
            question = self.text("ask-passphrase", path=path.name)
            asked = typer.prompt(question, hide_input=True, confirmation_prompt=new, err=True)
            self._passphrases[path] = str(asked).encode()
        return self._passphrases[path]

    def load_key(self, path: Path) -> KeySigner:
        """The key in a file; raises `Unreadable`."""
        if not path.is_file():
            raise Unreadable("key-missing", path=str(path), name=path.name.split(".pem")[0])
        return signer.load(path, self.passphrase(path))

    def signer(self, folder: Path, name: str, state: State) -> KeySigner:
        """The key in a folder with which a participant signs now; see the module's text."""
        public = public_key(state, name)
        path, waiting = key_path(folder, name), key_path(folder, name, waiting=True)
        if waiting.is_file():
            following = self.load_key(waiting)
            if following.public == public:
                if path.is_file():
                    path.rename(path.with_name(f"{name}.until-{state.index}.pem"))
                waiting.rename(path)
                return following
        return self.load_key(path)

    def new_key(self, path: Path, suite: str = ED25519.name) -> KeySigner:
        """A new key of a suite, kept in a new file; raises `Usage`, `Malformed`."""
        made = signer.generate(suite)
        self.keep(path, lambda passphrase: signer.save(made, path, passphrase))
        return made

    def keep(self, path: Path, save: Callable[[bytes], None]) -> None:
        """Have ``save`` write a new key file under a new passphrase; raises `Usage`."""
        if path.exists():
            raise Usage("key-file-exists", path=str(path))
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Usage("key-file-unwritable", path=str(path), reason=error.strerror) from error
        save(self.passphrase(path, new=True))

    # --- the ledger ---

    def open(self, folder: Path) -> "Ledger":
        """An existing ledger; raises `Unreadable`."""
        self._stores.append(open_store(folder, self.database))
        return Ledger(self, folder, self._stores[-1])

    def store(self, folder: Path) -> LedgerStore:
        """The store of a ledger, with nothing done about it yet."""
        made = LedgerStore(folder, open_engine(self.database) if self.database else None)
        self._stores.append(made)
        return made

    def new_store(self, folder: Path) -> LedgerStore:
        """The store of a ledger that is to be founded; raises `Usage` if there is one already."""
        try:
            store = self.store(folder)
            store.prepare()
        except OSError as error:
            raise Usage("file-unwritable", path=str(folder), reason=error.strerror) from error
        with store.snapshot() as snapshot:
            if snapshot.head() is not None:
                raise Usage("ledger-exists", path=str(folder))
        return store


class Ledger:
    """A ledger that a command works on."""

    def __init__(self, session: Session, folder: Path, store: LedgerStore) -> None:
        self.session = session
        self.folder = folder
        self.store = store
        self.state = self.read_state()

    def read_state(self) -> State:
        """What the rules know as of the last block; raises `Usage` before the genesis."""
        with self.store.snapshot() as snapshot:
            state = snapshot.state()
        if state is None:
            raise Usage("genesis-missing")
        return state

    @property
    def now(self) -> int:
        """The session's clock, which the ledger's never runs ahead of."""
        return max(self.session.now, self.state.time)

    @property
    def operator(self) -> str:
        """The participant who seals."""
        return self.state.genesis.operator

    @property
    def log_key(self) -> PublicKey:
        """The key that signs checkpoints and receipts."""
        return self.public_key(self.operator)

    def public_key(self, name: str) -> PublicKey:
        """A participant's key as of now; raises `NotAllowed`."""
        return public_key(self.state, name)

    def key_path(self, name: str, *, waiting: bool = False) -> Path:
        """The file of a participant's key, or of the one that is to follow it."""
        return key_path(self.session.keys_folder(self.folder), name, waiting=waiting)

    def signer(self, name: str) -> KeySigner:
        """The key with which a participant signs now; see the module's text."""
        return self.session.signer(self.session.keys_folder(self.folder), name, self.state)

    def operator_keys(self) -> list[Path]:
        """The files of the operator's key, and of the one that is to follow it."""
        self.signer(self.operator)
        paths = [self.key_path(self.operator), self.key_path(self.operator, waiting=True)]
        return [path for path in paths if path.is_file()]

    @functools.cached_property
    def sequencer(self) -> Sequencer:
        """The one that seals, with the operator's key, and the one that is to follow it."""
        return Sequencer(self.store, *map(self.session.load_key, self.operator_keys()))

    def sign(self, kind: str, issuer: str, subject: str, body: dict[str, Any]) -> Statement:
        """A statement for this ledger by ``issuer``."""
        return sign_statement(
            self.signer(issuer),
            kind=kind,
            issuer=issuer,
            subject=subject,
            audience=self.state.genesis.id,
            expires=self.now + STATEMENT_SECONDS,
            payload=body,
        )

    def post(self, statements: Sequence[Statement]) -> list[Answer]:
        """Post statements and seal; raises the `Refusal` of the first that was refused."""
        queue.post(self.store, statements)
        self.seal()
        made = []
        for statement in statements:
            found = answer(self.store, statement)
            if found is None:
                raise Usage("statement-waits", id=statement.id.hex())
            made.append(found)
        return made

    def seal(self) -> list[Head]:
        """Seal what waits now, or wait until the process that leads has done so.

        The blocks made meanwhile.  Raises `Usage` if another process leads, and does not seal.
        """
        with self.store.snapshot() as snapshot:
            waiting, before = snapshot.waiting_numbers(), snapshot.height()
        until = time.monotonic() + LEAD_SECONDS_MAX
        while waiting and self._waits(waiting[1]):
            lead = self.store.lead()
            if lead is not None:
                with lead:
                    self._seal(lead, waiting[1])
            elif time.monotonic() < until:
                time.sleep(LEAD_LOOK_SECONDS)
            else:
                raise Usage("lead-held", seconds=LEAD_SECONDS_MAX)
        self.state = self.read_state()
        with self.store.snapshot() as snapshot:
            return [snapshot.block(height) for height in range(before + 1, snapshot.height() + 1)]

    def _seal(self, lead: Lead, last: int) -> None:
        self.sequencer.lead = lead
        try:
            self._seal_up_to(last)
        except Conflict as error:
            if error.code != "sequencer-overtaken":
                raise
            # It remembered the ledger as of before another process sealed, and has forgotten it.
            self._seal_up_to(last)

    def _seal_up_to(self, last: int) -> None:
        while self._waits(last):
            self.sequencer.seal(self.now)

    def _waits(self, last: int) -> bool:
        """Whether any of the statements up to this number waits for a block."""
        with self.store.snapshot() as snapshot:
            waiting = snapshot.waiting_numbers()
        return waiting is not None and waiting[0] <= last

    def find(self, snapshot: Snapshot, name: str) -> tuple[Place, Reduction]:
        """A recorded reduction, perhaps voided, by its leaf hash or its holder; raises `Usage`."""
        given = parse_hex(name, 32)
        place = snapshot.locate(make_holder("reduction", given)) or snapshot.locate(given)
        if place is None:
            raise Usage("reduction-unknown")
        root = bytes.fromhex(snapshot.statement(place.index).body["root"])
        return place, self.store.reductions(root)[place.position]
