"""Chains of policies for the tests: a ledger whose policy and operator's key have changed, and
what a forger makes of its links."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from support.auditors import govern_policy, make_final, policy_document, vkeys
from support.bundles import Json, rotation
from support.city import NOON, ORIGIN, City, key

from api.proving import complete, prove_reduction
from chain.policies import WitnessPolicy
from chain.sequencer import Sequencer
from keys.notes import cosign, format_note, parse_note, sign_note
from verifier.policies import policy_text

A, B, C = (tuple(f"{letter}-{n}" for n in range(1, 5)) for letter in "abc")


class Chain(NamedTuple):
    """A ledger whose policy was A, then B, then C with another key of the operator's."""

    city: City
    bundles: list[Json]
    """A reduction's, as of a block under A, under B, and under C."""
    policies: list[str]
    """The trust policies of the three, and last the log's key alone."""


def document(names: tuple[str, ...]) -> bytes:
    return policy_document(vkeys(*names), 3, 1)


def trust(names: tuple[str, ...], operator: str = "operator") -> str:
    return policy_text(ORIGIN, key(operator).public, WitnessPolicy(document(names)))


def build(folder: Path, first: str = "ann") -> Chain:
    city = City.found(folder)
    leaves, bundles = [], []

    def prove(*names: str) -> None:
        line = city.ride(f"{first}-{len(leaves)}", NOON)
        leaves.append(city.reduce([line])[0].leaf)
        city.submit([line])
        make_final(city, *names)
        made = prove_reduction(city.store, leaves[0])
        assert complete(city.store, made)
        bundles.append(made)

    govern_policy(city, document(A))
    prove(*A[:3])
    govern_policy(city, document(B))
    make_final(city, *A[1:])
    prove(*B[:3])
    govern_policy(city, document(C))
    make_final(city, *B[1:])
    rotate(city)
    make_final(city, *C[:3])
    prove(*C[1:])
    policies = [trust(A), trust(B), trust(C), policy_text(ORIGIN, key("operator").public)]
    return Chain(city, bundles, policies)


def rotate(city: City) -> None:
    """Give the operator another key."""
    city.sequencer = Sequencer(city.store, key("operator"), key("operator/2"))
    city.govern(rotation("operator", key("operator"), key("operator/2")))


def changed(chain: Chain, change: Callable[[list[Any]], object], of: str = "links") -> Json:
    """The last bundle with a change of its links, or of the policies that it shows."""
    made: Json = copy.deepcopy(chain.bundles[-1])
    change(made["policies"][of])
    return made


def cosigned(of: Json, *names: str, signer: str | None = None, origin: str = ORIGIN) -> None:
    """Replace the cosignatures under a link or a file, and perhaps the log's line."""
    note = parse_note(of["checkpoint"].encode())
    log = note.signatures[0]
    if signer is not None:
        log = sign_note(note.text, origin, key(signer))
    lines = [cosign(note.text, f"{name}.example", key(name), NOON) for name in names]
    of["checkpoint"] = format_note(replace(note, signatures=(log, *lines))).decode()


def stranger(link: Json) -> None:
    """Somebody else's key in the place of the operator's."""
    cosigned(link, *A[:3], signer="stranger")
    link["operator"]["key"] = key("stranger").public.as_json()


NOT_KNOWN = "checkpoint: checkpoint-log-unknown"
"""Nothing was followed far enough: the last checkpoint is by a key that the policy lacks."""
FORGED: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    "the first link is left out": (lambda links: links.pop(0), NOT_KNOWN),
    "the second link is left out": (lambda links: links.pop(1), NOT_KNOWN),
    "the last link is left out": (lambda links: links.pop(), NOT_KNOWN),
    "all are left out": (lambda links: links.clear(), NOT_KNOWN),
    "two are swapped": (lambda links: links.reverse(), "policies: link-order"),
    "the last two are swapped": (
        lambda links: links.append(links.pop(1)),
        "policies: link-order",
    ),
    "the first is final under nothing": (lambda links: cosigned(links[0]), NOT_KNOWN),
    "the first is final under the next policy": (
        lambda links: cosigned(links[0], *B),
        NOT_KNOWN,
    ),
    "the second is final under the first policy": (
        lambda links: cosigned(links[1], *A),
        NOT_KNOWN,
    ),
    "the second is final under the first policy, and alone": (
        lambda links: (cosigned(links[1], *A), links.pop(0)),
        NOT_KNOWN,
    ),
    "the first lacks one cosignature": (lambda links: cosigned(links[0], *A[:2]), NOT_KNOWN),
    "the operator's key has not signed": (
        lambda links: cosigned(links[0], *A[:3], signer="stranger"),
        "policies: checkpoint-log-unknown",
    ),
    "the key is another's": (lambda links: stranger(links[0]), "policies: seal-signature"),
    "the key is not held by the operator": (
        lambda links: links[2]["operator"].update(key_held=links[1]["operator"]["key_held"]),
        "policies: held-other-holder",
    ),
    "the key's span is the policy's": (
        lambda links: links[0]["operator"].update(key_held=links[0]["policy"]),
        "policies: held-other-line",
    ),
    "the policy is another, which was in force": (
        lambda links: links[0]["policy"].update(start=links[1]["policy"]["start"]),
        # It would be one for which the policy between has not spoken.
        NOT_KNOWN,
    ),
    "the policy is another, and its cosigners agree": (
        lambda links: (
            links[0]["policy"].update(start=links[1]["policy"]["start"]),
            cosigned(links[0], *A, *B),
        ),
        "policies: held-other-holder",
    ),
    "the policy was never in force": (
        lambda links: links[0]["policy"].update(start=links[0]["policy"]["start"] + 1),
        "policies: link-policy",
    ),
    "the policy's span is not held": (
        lambda links: links[0]["policy"].update(end=links[0]["policy"]["end"] - 1),
        "policies: held-root-differs",
    ),
    "the policy's span is of another link": (
        lambda links: links[1].update(policy=links[2]["policy"]),
        "policies: held-root-differs",
    ),
    "the seal is another's": (
        lambda links: links[1].update(seal=links[0]["seal"]),
        "policies: seal-not-last",
    ),
    "the seal's path is another": (
        lambda links: links[1]["seal"].update(path=links[0]["seal"]["path"]),
        "policies: inclusion-invalid",
    ),
    "the path is another": (
        lambda links: links[0].update(path=links[1]["path"]),
        "policies: consistency-invalid",
    ),
    "one stands twice": (lambda links: links.append(links[2]), "policies: link-order"),
    "a field is left out": (lambda links: links[0].pop("seal"), "form: field-missing"),
    "a field is added": (lambda links: links[0].update(more=1), "form: field-unknown"),
}
HIDDEN: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    # Where its own policy is not shown, a checker follows nothing but keys.
    "the first is left out": (lambda governed: governed.pop(0), NOT_KNOWN),
    "the last is left out": (lambda governed: governed.pop(), "policies: link-policy"),
    "two are swapped": (lambda governed: governed.insert(0, governed.pop(1)), NOT_KNOWN),
    "one stands twice": (lambda governed: governed.append(governed[-1]), "governed: policies-gap"),
    "one is another": (
        lambda governed: governed[1].update(document=document(C).decode()),
        "policies: held-other-holder",
    ),
    "one is no policy": (
        lambda governed: governed[0].update(document="{}"),
        "policies: field-missing",
    ),
    "the last has ended": (
        lambda governed: governed[-1]["held"].update(end=governed[-1]["held"]["end"] - 1),
        "governed: held-root-differs",
    ),
    "one has another end": (
        lambda governed: governed[0]["held"].update(end=governed[0]["held"]["end"] - 1),
        "governed: held-root-differs",
    ),
}
"""What a forger makes of the policies that are shown, and where the first policy leads then."""
