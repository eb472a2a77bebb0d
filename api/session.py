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

from api.values import parse_time
from chain.reductions import Reduction
from chain.sequencer import Sequencer
from chain.spans import make_holder
from chain.state import State
from chain.store.answers import Answer
from chain.store.database import open_engine
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
SEAL_ATTEMPTS_MAX = 5
STATEMENT_SECONDS = 86_400
"""For how long a statement made here may wait to be sealed."""


def default_language() -> str:
    """The language of the environment: Chinese if LC_ALL or LANG says so, else English."""
    name = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if name.startswith("zh") else "en"


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
        self.now = parse_time(now) if now else int(time.time())
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

    def new_key(self, path: Path, suite: str = ED25519.name) -> KeySigner:
        """A new key of a suite, kept in a new file; raises `Usage`, `Malformed`."""
        if path.exists():
            raise Usage("key-file-exists", path=str(path))
        made = signer.generate(suite)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Usage("key-file-unwritable", path=str(path), reason=error.strerror) from error
        signer.save(made, path, self.passphrase(path, new=True))
        return made

    # --- the ledger ---

    def open(self, folder: Path) -> "Ledger":
        """An existing ledger; raises `Unreadable`."""
        self._stores.append(open_store(folder, self.database))
        return Ledger(self, folder, self._stores[-1])

    def new_store(self, folder: Path) -> LedgerStore:
        """The store of a ledger that is to be founded; raises `Usage` if there is one already."""
        try:
            store = LedgerStore(folder, open_engine(self.database) if self.database else None)
            self._stores.append(store)
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
        participant = self.state.participants.get(name)
        if participant is None:
            raise NotAllowed("participant-unknown", participant=name)
        key = participant.key_at(self.state.index)
        if key is None:
            raise NotAllowed("signature-invalid", participant=name, index=self.state.index)
        return key.public

    def key_path(self, name: str, *, waiting: bool = False) -> Path:
        """The file of a participant's key, or of the one that is to follow it."""
        folder = self.session.keys_folder(self.folder)
        return folder / f"{name}{'.next' if waiting else ''}.pem"

    def signer(self, name: str) -> KeySigner:
        """The key with which a participant signs now; see the module's text."""
        public = self.public_key(name)
        path, waiting = self.key_path(name), self.key_path(name, waiting=True)
        if waiting.is_file():
            following = self.session.load_key(waiting)
            if following.public == public:
                if path.is_file():
                    path.rename(path.with_name(f"{name}.until-{self.state.index}.pem"))
                waiting.rename(path)
                return following
        return self.session.load_key(path)

    def sequencer(self) -> Sequencer:
        """The one that seals, with the operator's key, and the one that is to follow it."""
        signers = [self.signer(self.operator)]
        waiting = self.key_path(self.operator, waiting=True)
        if waiting.is_file():
            signers.append(self.session.load_key(waiting))
        return Sequencer(self.store, *signers)

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
        sequencer = self.sequencer()
        sequencer.post(statements)
        self.seal(sequencer)
        answers = []
        for statement in statements:
            answer = sequencer.answer(statement)
            if answer is None:
                raise Usage("statement-waits", id=statement.id.hex())
            answers.append(answer)
        return answers

    def seal(self, sequencer: Sequencer) -> list[Head]:
        """Seal until nothing waits; begins again where another process was faster."""
        made: list[Head] = []
        for chances in reversed(range(SEAL_ATTEMPTS_MAX)):
            try:
                while (head := sequencer.seal(self.now)) is not None:
                    made.append(head)
                break
            except Conflict as error:
                if error.code != "sequencer-overtaken" or not chances:
                    raise
        self.state = sequencer.state
        return made

    def find(self, snapshot: Snapshot, name: str) -> tuple[Place, Reduction]:
        """A recorded reduction, perhaps voided, by its leaf hash or its holder; raises `Usage`."""
        given = parse_hex(name, 32)
        place = snapshot.locate(make_holder("reduction", given)) or snapshot.locate(given)
        if place is None:
            raise Usage("reduction-unknown")
        root = bytes.fromhex(snapshot.statement(place.index).body["root"])
        return place, self.store.reductions(root)[place.position]
