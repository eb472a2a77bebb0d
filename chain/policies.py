"""Witness policies: whose cosignatures make a checkpoint final, as governance has decided.

A policy is a strict JSON document; the action ``policy`` puts it in force (`chain.governance`)::

    format     1
    auditors   keys: verifier keys of cosigners (`keys.notes`); quorum: how many of them must
               have cosigned; faults: how many of them may lie
    witnesses  optional: keys, quorum, likewise; ordinary witnesses, beside the auditors

Auditors replay every block before they cosign; ordinary witnesses check consistency only.  With n
auditors, a quorum q withstands f that lie if ``2q > n + f``: two checkpoints that contradict each
other would need more than f auditors that signed both.  A policy that breaks this is refused.
Nobody counts twice: no key and no name stands twice, in either list or both.  There are few enough
of them that a note has room for the cosignatures of two policies (`keys.notes`).

A checker's trust policy (`verifier.policy`) names each cosigner as its key does; so a name is
printable ASCII, and none that the groups have there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chain.spans import make_holder
from keys.errors import Malformed
from keys.notes import NoteKey, parse_vkey
from keys.strict import fields, parse_json

COSIGNERS_MAX = 32
GROUP_NAMES = ("none", "auditors", "witnesses", "both")
_NAME = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True)
class Cosigners:
    """Keys that cosign, and how many of them are enough; a quorum of 0 asks for none."""

    keys: tuple[NoteKey, ...] = ()
    quorum: int = 0


class WitnessPolicy:
    """A witness policy, read from its document; raises `Malformed`."""

    def __init__(self, document: bytes) -> None:
        self.document = document
        given = fields(
            parse_json(document),
            "policy",
            {"format": int, "auditors": dict},
            {"witnesses": dict},
        )
        if given["format"] != 1:
            raise Malformed("format-unknown", where="policy", format=given["format"])
        auditors = fields(
            given["auditors"], "auditors", {"keys": list, "quorum": int, "faults": int}
        )
        self.faults: int = auditors["faults"]
        self.auditors = _read_cosigners(auditors)
        self.witnesses = Cosigners()
        if "witnesses" in given:
            self.witnesses = _read_cosigners(
                fields(given["witnesses"], "witnesses", {"keys": list, "quorum": int})
            )
        self._check()

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        """All cosigners."""
        return (*self.auditors.keys, *self.witnesses.keys)

    @cached_property
    def holder(self) -> bytes:
        """What stands on the line "policy" while the policy is in force."""
        return make_holder("policy", self.document)

    def _check(self) -> None:
        count, quorum = len(self.auditors.keys), self.auditors.quorum
        if self.faults < 0 or quorum > count or 2 * quorum <= count + self.faults:
            raise Malformed("policy-quorum", quorum=quorum, count=count, faults=self.faults)
        count, quorum = len(self.witnesses.keys), self.witnesses.quorum
        if not 0 <= quorum <= count:
            raise Malformed("policy-witness-quorum", quorum=quorum, count=count)
        if len(self.keys) > COSIGNERS_MAX:
            raise Malformed("policy-cosigners", count=len(self.keys), most=COSIGNERS_MAX)
        taken: set[object] = set()
        for key in self.keys:
            if not key.cosigner:
                raise Malformed("policy-not-cosigner", name=key.name)
            if key.name in GROUP_NAMES or not _NAME.fullmatch(key.name):
                raise Malformed("policy-name", name=key.name)
            if taken & {key.name, key.public}:
                raise Malformed("policy-cosigner-twice", name=key.name)
            taken |= {key.name, key.public}


def _read_cosigners(given: Mapping[str, Any]) -> Cosigners:
    if not all(isinstance(key, str) for key in given["keys"]):
        raise Malformed("field-type", where="policy", field="keys", expected="verifier keys")
    return Cosigners(tuple(map(parse_vkey, given["keys"])), given["quorum"])
