"""Blocks: a run of statements, ended by the operator's seal, and the checkpoint over them.

A *seal* is a statement of kind "seal" (`chain.rules.seal_body`).  It is the last entry of its
block, so a checkpoint is only ever at a size that ends with one, and its register root is the one
after everything below it.  The *checkpoint* is a C2SP signed note over origin, size and root,
without extension lines, by the operator's key under the log's origin as its name.
"""

from chain.merkle import Frontier
from chain.state import State
from keys.notes import Checkpoint, Note, NoteKey, format_note, sign_note
from keys.signer import Signer
from keys.statements import Statement, sign_statement
from keys.suites import PublicKey

SEAL_EXPIRES_SECONDS = 86_400


def make_seal(state: State, signer: Signer, register_root: bytes, time: int) -> Statement:
    """The seal over what ``state`` and the register hold; ``time`` in unix seconds."""
    body = {
        "format": 1,
        "height": state.height + 1,
        "time": time,
        "previous": state.previous.hex(),
        "register": register_root.hex(),
    }
    return sign_statement(
        signer,
        kind="seal",
        issuer=state.genesis.operator,
        subject=f"block/{state.height + 1}",
        audience=state.genesis.id,
        expires=time + SEAL_EXPIRES_SECONDS,
        payload=body,
    )


def make_checkpoint(origin: str, frontier: Frontier, signer: Signer) -> bytes:
    """The signed checkpoint of a log whose tree is ``frontier``."""
    text = Checkpoint(origin, frontier.size, frontier.root()).text
    return format_note(Note(text, (sign_note(text, origin, signer),)))


def log_key(origin: str, public: PublicKey) -> NoteKey:
    """The key by which a policy knows the log."""
    return NoteKey(origin, public, cosigner=False)
