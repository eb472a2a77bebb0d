"""Those who cosign: ordinary witnesses, and the auditor, who audits first.

A *witness* cosigns what goes on from what it has cosigned last (`verifier.witness`).  An *auditor*
is one, and cosigns after this, in this order:

1. An audit up to there passes (`verifier.audit`), by the state of those before.
2. The last seal is not far from the auditor's clock: at most `SEAL_AHEAD_SECONDS_MAX` after it, at
   most `SEAL_BEHIND_SECONDS_MAX` before.
3. Entries and reductions are in the auditor's own folder, at the ledger's paths
   (`verifier.mirror`).

The folder::

    checkpoint, tile/…, submissions/…     the copy of the ledger
    state/audit.db                        the audit's state; one process at a time has it
    state/evidence.json                   what was found wrong

``checkpoint`` is the note that was cosigned last, with the cosignature.  It is on the disk before
the answer, and nothing is cosigned but what goes on from it: so no two roots of one size, and no
size below the last, whenever the process ends.

The log's key is the policy's.  To an auditor, from its first audit on, it is the one that the rules
give the operator; one that comes into force with what is offered is found there.

An entry that is wrong as the log has signed it, or a fork, is written to ``evidence.json``
(`verifier.evidence`).  While that file is there nothing more is cosigned: whoever runs the auditor
takes it away, or does not.  Reductions that are not shown, and tiles that prove nothing, are
refused as long as that is so: whose fault it is, nobody has signed.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from chain.files import Files
from chain.merkle import verify_consistency
from chain.rules import GOVERNANCE_KINDS, replay_governance, seal_body
from chain.state import State
from keys.errors import Busy, Refusal, TallyError, Unreadable, Usage, VerificationError
from keys.notes import (
    Checkpoint,
    NoteKey,
    NoteSignature,
    cosign,
    format_note,
    parse_checkpoint,
    parse_note,
    signed_by,
)
from keys.signer import Signer
from keys.statements import parse_statement
from keys.strict import dump_json, parse_json
from verifier import evidence, witness
from verifier.audit import Audit, Progress, Wrong
from verifier.audit_state import AuditState
from verifier.evidence import EVIDENCE_BYTES_MAX
from verifier.logs import Log
from verifier.mirror import Mirror, Mirroring
from verifier.policy import NONE, Policy, Signed
from verifier.replay import Replay
from verifier.sources import Source
from verifier.witness import RETRY_SECONDS, Answer, Offer, check_offer, parse_offer

SEAL_AHEAD_SECONDS_MAX = 300
SEAL_BEHIND_SECONDS_MAX = 86_400
STATE = "state"
EVIDENCE = "evidence.json"
_FORKED = "checkpoint-forked"
_NOBODY_S = ("reductions-withheld", "seal-signature")
"""What is not the log's fault: what its source withholds, and that a key which the audited entries
have ended still signs them."""


class Witness:
    """An ordinary witness of one log, for one thread but for what says otherwise."""

    mode = "consistency-only"
    state: State | None = None
    """The rules' state where the last audit ended; any thread may read it."""
    note: bytes | None
    """The note that was cosigned last, once it is kept for good; likewise."""

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        signer: Signer,
        name: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """name: of its key.  clock: unix seconds.

        Raises `Malformed` if the key is none for cosignatures, `Usage` if another process has the
        folder or the policy has not one log, `Unreadable` if the folder cannot be used.
        """
        self.folder = folder
        self.key = NoteKey(name, signer.public, cosigner=True)
        self._signer = signer
        self.clock = clock
        origins = {log.name for log in policy.logs}
        if len(origins) != 1:
            raise Usage("auditor-one-log", count=len(origins))
        [self.origin] = origins
        # Whose cosignatures the policy asks for is nothing to a cosigner.
        self._policy = replace(policy, witnesses={}, groups={}, quorum=NONE)
        self._stopping = Event()
        self._mirror = Mirror(folder)
        self._kept = AuditState(folder / STATE)
        self._files = Files(folder / STATE)
        try:
            self.note = self._mirror.checkpoint()
            self.latest = None if self.note is None else _checkpoint(self.note)
            self.refuses = self._found_wrong()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """End what takes long, which may be offered again; any thread may say so."""
        self._stopping.set()

    def close(self) -> None:
        """Let the folder go."""
        self._kept.close()

    def status(self) -> dict[str, Any]:
        """Where it stands, for people and programs; any thread may ask."""
        latest = self.latest
        return {
            "format": "tally-auditor/1",
            "mode": self.mode,
            "name": self.key.name,
            "vkey": self.key.vkey,
            "origin": self.origin,
            "size": latest.size if latest else 0,
            "root": latest.root.hex() if latest else None,
            "refuses": self.refuses,
        }

    # --- what is offered ---

    def add_checkpoint(self, body: bytes) -> Answer:
        """The answer to an offer."""
        try:
            return witness.cosigned(self._accept(parse_offer(body)))
        except TallyError as error:
            return witness.refused(error)
        except OSError as error:
            return witness.refused(Unreadable("auditor-disk", reason=str(error)))

    def _accept(self, offer: Offer) -> NoteSignature:
        try:
            signed = self._signed(offer)
        except VerificationError as error:
            if error.code in ("consistency-invalid", _FORKED) and self.latest is not None:
                self._look_for_fork(offer, self.latest)
            raise
        if self.refuses is not None:
            raise VerificationError("auditor-refuses", reason=self.refuses)
        self._examine(offer, signed)
        note, log = parse_note(offer.note), signed.log
        # A clock that goes back dates nothing before what was cosigned.
        time = max(int(self.clock()), self._cosigned_at())
        mine = cosign(note.text, self.key.name, self._signer, time)
        by_log = (x for x in note.signatures if (x.name, x.key_id) == (log.name, log.key_id))
        made = format_note(replace(note, signatures=(*by_log, mine)))
        self._mirror.keep_checkpoint(made)
        self.note, self.latest = made, signed.checkpoint
        return mine

    def _cosigned_at(self) -> int:
        """The time of the last cosignature; 0 before the first with this key."""
        return 0 if self.note is None else signed_by(parse_note(self.note), self.key) or 0

    def _signed(self, offer: Offer) -> Signed:
        """What a witness asks; raises as `check_offer` does."""
        return check_offer(offer, self._policy, self.latest)

    def _examine(self, offer: Offer, signed: Signed) -> None:
        """What more is asked; raises if it is not so."""

    # --- what is wrong ---

    def _look_for_fork(self, offer: Offer, latest: Checkpoint) -> None:
        """Keep the evidence if an offer, signed by the log, is shown to be of another history."""
        later = _checkpoint(offer.note)
        if later.size == latest.size and later.root != latest.root:
            self._found_fork(offer, later.root, [])

    def _found_fork(self, offer: Offer, root: bytes, path: list[bytes]) -> None:
        if self.note is not None:
            self._stop_for(evidence.fork(self.note, offer.note, root, path), _FORKED)

    def _stop_for(self, found: dict[str, Any], code: str) -> None:
        """Keep the first evidence, and cosign no more."""
        if self.refuses is None:
            self._files.write({EVIDENCE: dump_json(found)})
            self.refuses = code

    def _found_wrong(self) -> str | None:
        """The code of what was found wrong, if anything was; raises if it cannot be read."""
        if not self._files.exists(EVIDENCE):
            return None
        found = parse_json(self._files.read(EVIDENCE), bytes_max=EVIDENCE_BYTES_MAX)
        return evidence.read(found).code or _FORKED


class Auditor(Witness):
    """An auditor of one ledger; see the module's text."""

    mode = "auditor"

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        signer: Signer,
        name: str,
        source: Source,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """source: of the ledger.  The others, and what is raised: as those of a witness."""
        super().__init__(folder, policy, signer, name, clock)
        self._source = Mirroring(source, self._mirror)
        try:
            with self._kept.entering():
                self.state = Replay(self._kept, self._source).state
        except BaseException:
            self.close()
            raise
        if self.state is not None:
            self._policy = self._policy_of(self.state, self.state.index - 1) or self._policy
        self._audit = Audit(self._source, self._policy, self._kept)

    def _signed(self, offer: Offer) -> Signed:
        try:
            return super()._signed(offer)
        except VerificationError as error:
            if error.code != "checkpoint-log-unknown":
                raise
            following = self._following(offer)
            if following is None:
                raise
            return check_offer(offer, following, self.latest)

    def _following(self, offer: Offer) -> Policy | None:
        """The policy of the key that the entries of an offer bring into force, if they can be read.

        Nothing is known of them yet but that they are those of the checkpoint.
        """
        state, checkpoint = self.state, _checkpoint(offer.note)
        if state is None:
            return None
        clock = state.time
        try:
            entries = Log(self._source, checkpoint).entries(state.index)
            for index, statement in enumerate(map(parse_statement, entries), state.index):
                self._go_on()
                if statement.kind == "seal":
                    clock = int(seal_body(statement)["time"])
                elif statement.kind in GOVERNANCE_KINDS:
                    state = replay_governance(state, statement, index, clock)
        except (Refusal, VerificationError):
            return None
        return self._policy_of(state, checkpoint.size - 1)

    def _examine(self, offer: Offer, signed: Signed) -> None:
        self._source.note = offer.note
        is_known = signed.log in self._policy.logs
        self._audit.policy = replace(self._policy, logs=(signed.log,))
        wrong = self._audit.run(self._go_on).wrong
        if wrong is not None:
            if is_known:
                self._look_at(wrong)
            details = {"entry": wrong.index, **wrong.error.details}
            raise VerificationError(wrong.error.code, **details)
        self._policy, self.state = self._audit.policy, self._audit.state
        sealed, now = self._kept.head().time, int(self.clock())
        if not now - SEAL_BEHIND_SECONDS_MAX <= sealed <= now + SEAL_AHEAD_SECONDS_MAX:
            raise VerificationError("auditor-seal-time", time=sealed, now=now)
        self._source.keep(Log(self._source, signed.checkpoint), self.latest)

    def _look_at(self, wrong: Wrong) -> None:
        """Keep the evidence if the log has signed what is wrong, whoever gave it."""
        found, code = wrong.evidence, wrong.error.code
        if found is not None and found["entry"] is not None and code not in _NOBODY_S:
            self._stop_for(found, code)

    def _go_on(self, progress: Progress | None = None) -> None:
        if self._stopping.is_set():
            raise Busy("auditor-stopping", retry_after=RETRY_SECONDS)

    def _look_for_fork(self, offer: Offer, latest: Checkpoint) -> None:
        super()._look_for_fork(offer, latest)
        later = _checkpoint(offer.note)
        # What the source cannot show now decides nothing.
        with suppress(TallyError):
            log = Log(self._source, later)
            root, path = log.root_at(latest.size), log.consistency(latest.size)
            verify_consistency(latest.size, root, later.size, later.root, path)
            if root != latest.root:
                self._found_fork(offer, root, path)

    def _policy_of(self, state: State, index: int) -> Policy | None:
        """The policy of the key that signs checkpoints whose last entry is at ``index``."""
        key = state.participants[state.genesis.operator].key_at(index)
        if key is None:
            return None
        log = NoteKey(state.genesis.origin, key.public, cosigner=False)
        return replace(self._policy, logs=(log,))


def _checkpoint(note: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)
