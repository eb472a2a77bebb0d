"""Bundle files: one JSON document from which one fact is checked offline, with a policy alone.

Hashes are lower-case hexadecimal, signed statements base64, documents and the activity text.  A
*logged* statement is ``{"index", "data", "path"}``: its place in the log, its bytes, and its
inclusion path (RFC 9162, section 2.1.3) under the checkpoint.  Proofs of spans are those of
`chain.proofs`, all under the register root of the seal.  The fields::

    format      "tally-bundle/1"
    kind        "reduction", "span" or "free"
    checkpoint  the signed note: origin, size, root, the log's signature, cosignatures
    genesis     logged, at index 0
    seal        logged, at index size - 1
    rules       held: the version of the rules in force, at the submission if there is one
    classes     {"document", "held"}: the registry of classes in force at the end of the log
    books       held: the days that are closed; null if none is
    policies    {"governed", "free", "links"}: the witness policies (`verifier.policies`)

and for a *reduction*, and without ``reduction``, ``scenario``, ``methodology``, ``claims`` and
``activity`` for a *span*::

    submission  logged
    signer      {"key": {"alg", "public"}, "key_held", "role_held"}: the platform's key and role
    reduction   {"position", "data" (base64), "path"}: its place in the submission's tree
    scenario    {"document", "held"}
    methodology {"document", "held"}
    claims      held, for each claim of the reduction in order
    activity    its one line, verbatim, if it is disclosed; otherwise null

for a *span*, further ``leaf`` {"position", "hash", "path"}, the leaf hash of the reduction that
holds it, and ``held``; for *free*, neither submission nor signer, but ``free``.
"""

from dataclasses import dataclass
from typing import Any

from chain.proofs import Free, Held
from chain.reductions import SUBMISSION_COUNT_MAX
from keys.errors import Malformed
from keys.notes import Note, parse_note
from keys.statements import Statement, parse_statement
from keys.strict import FieldTypes, fields, parse_base64, parse_hex, parse_json
from keys.suites import PublicKey

FORMAT = "tally-bundle/1"
BUNDLE_BYTES_MAX = 16_777_216
BUNDLE_DEPTH_MAX = 9
FILE_BYTES_MAX = 268_435_456
"""Of a file of a lot, or of a book, which hold many reductions."""

POLICIES_MAX = 1_024
"""Of witness policies that a file shows, and of links between them."""

ANCHORS: FieldTypes = {
    "format": str,
    "checkpoint": str,
    "genesis": dict,
    "seal": dict,
    "rules": dict,
    "classes": dict,
    "books": (dict, type(None)),
    "policies": dict,
}
"""What every file of evidence has: from the checkpoint to the register."""
_COMMON: FieldTypes = {**ANCHORS, "kind": str}
_SUBMITTED: FieldTypes = {"submission": dict, "signer": dict}
_KINDS: dict[str, FieldTypes] = {
    "reduction": {
        **_COMMON,
        **_SUBMITTED,
        "reduction": dict,
        "scenario": dict,
        "methodology": dict,
        "claims": list,
        "activity": (str, type(None)),
    },
    "span": {**_COMMON, **_SUBMITTED, "leaf": dict, "held": dict},
    "free": {**_COMMON, "free": dict},
}


@dataclass(frozen=True)
class Logged:
    """A statement with its place in the log and its inclusion path."""

    index: int
    statement: Statement
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Document:
    """A governed document and the span that shows it in force."""

    data: bytes
    held: Held


@dataclass(frozen=True)
class Signer:
    """Who signed a submission: the key, and the spans that show key and role valid."""

    public: PublicKey
    key_held: Held
    role_held: Held


@dataclass(frozen=True)
class Link:
    """A link of the chain of policies (`verifier.policies`)."""

    checkpoint: Note
    seal: Logged
    policy: Held
    key: PublicKey
    key_held: Held
    path: tuple[bytes, ...]
    """The consistency path to the file's checkpoint."""


@dataclass(frozen=True)
class Policies:
    """What governance has decided about cosigners, and how one policy leads to the next; see
    `verifier.policies`."""

    governed: tuple[Document, ...]
    free: Free | None
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Placed:
    """A reduction (bytes), or only its leaf hash, with its place in the submission's tree."""

    position: int
    data: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Bundle:
    """A bundle, read; what its kind does not have is None."""

    kind: str
    checkpoint: Note
    genesis: Logged
    seal: Logged
    rules: Held
    classes: Document
    books: Held | None
    policies: Policies
    submission: Logged | None = None
    signer: Signer | None = None
    reduction: Placed | None = None
    scenario: Document | None = None
    methodology: Document | None = None
    claims: tuple[Held, ...] = ()
    activity: bytes | None = None
    leaf: Placed | None = None
    held: Held | None = None
    free: Free | None = None


def parse_file(data: bytes) -> dict[str, Any]:
    """Read a file of evidence as far as the object that it is; raises `Malformed`."""
    value = parse_json(data, bytes_max=FILE_BYTES_MAX, depth_max=BUNDLE_DEPTH_MAX)
    if not isinstance(value, dict):
        raise Malformed("format-unknown", where="bundle", format=str(value)[:40])
    return value


def read_bundle(value: dict[str, Any]) -> Bundle:
    """Read a bundle; raises `Malformed`."""
    if value.get("format") != FORMAT:
        raise Malformed("format-unknown", where="bundle", format=str(value.get("format"))[:40])
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise Malformed("format-unknown", where="bundle", format=str(kind)[:40])
    given = fields(value, "bundle", _KINDS[kind])
    common: dict[str, Any] = {"kind": kind, **read_anchors(given)}
    if kind == "free":
        return Bundle(**common, free=Free.from_json(given["free"]))
    common |= {
        "submission": read_logged(given["submission"], "submission"),
        "signer": read_signer(given["signer"]),
    }
    if kind == "span":
        leaf = fields(given["leaf"], "leaf", {"position": int, "hash": str, "path": list})
        return Bundle(
            **common,
            leaf=Placed(leaf["position"], parse_hex(leaf["hash"], 32), read_path(leaf["path"])),
            held=Held.from_json(given["held"]),
        )
    placed = fields(given["reduction"], "reduction", {"position": int, "data": str, "path": list})
    activity = given["activity"]
    return Bundle(
        **common,
        reduction=Placed(
            placed["position"], parse_base64(placed["data"]), read_path(placed["path"])
        ),
        scenario=read_document(given["scenario"], "scenario"),
        methodology=read_document(given["methodology"], "methodology"),
        claims=tuple(map(Held.from_json, given["claims"])),
        activity=None if activity is None else activity.encode(),
    )


def read_anchors(given: dict[str, Any]) -> dict[str, Any]:
    """What bundles and certificates have in common."""
    books = given["books"]
    return {
        "checkpoint": parse_note(given["checkpoint"].encode()),
        "genesis": read_logged(given["genesis"], "genesis"),
        "seal": read_logged(given["seal"], "seal"),
        "rules": Held.from_json(given["rules"]),
        "classes": read_document(given["classes"], "classes"),
        "books": None if books is None else Held.from_json(books),
        "policies": _read_policies(given["policies"]),
    }


def _read_policies(value: object) -> Policies:
    given = fields(value, "policies", {"governed": list, "free": (dict, type(None)), "links": list})
    free = given["free"]
    for name in ("governed", "links"):
        if len(given[name]) > POLICIES_MAX:
            raise Malformed("policies-many", field=name, most=POLICIES_MAX)
    return Policies(
        tuple(read_document(one, "governed") for one in given["governed"]),
        None if free is None else Free.from_json(free),
        tuple(map(_read_link, given["links"])),
    )


def _read_link(value: object) -> Link:
    given = fields(
        value,
        "links",
        {"checkpoint": str, "seal": dict, "policy": dict, "operator": dict, "path": list},
    )
    operator = fields(given["operator"], "operator", {"key": dict, "key_held": dict})
    return Link(
        parse_note(given["checkpoint"].encode()),
        read_logged(given["seal"], "seal"),
        Held.from_json(given["policy"]),
        PublicKey.from_json(operator["key"]),
        Held.from_json(operator["key_held"]),
        read_path(given["path"]),
    )


def read_path(value: list[Any]) -> tuple[bytes, ...]:
    """A list of hashes.  Raises `Malformed`."""
    return tuple(parse_hex(item, 32) for item in value)


def read_logged(value: object, where: str) -> Logged:
    """A logged statement.  Raises `Malformed`."""
    given = fields(value, where, {"index": int, "data": str, "path": list})
    statement = parse_statement(parse_base64(given["data"]))
    return Logged(given["index"], statement, read_path(given["path"]))


def read_document(value: object, where: str) -> Document:
    """A document and its proof.  Raises `Malformed`."""
    given = fields(value, where, {"document": str, "held": dict})
    return Document(given["document"].encode(), Held.from_json(given["held"]))


def read_signer(value: object) -> Signer:
    """A key, and the proofs of its right.  Raises `Malformed`."""
    given = fields(value, "signer", {"key": dict, "key_held": dict, "role_held": dict})
    return Signer(
        PublicKey.from_json(given["key"]),
        Held.from_json(given["key_held"]),
        Held.from_json(given["role_held"]),
    )


def read_submission(statement: Statement) -> dict[str, Any]:
    """What a submission says; raises `Malformed`."""
    body = fields(
        statement.body,
        "submission",
        {"format": int, "scenario": str, "root": str, "count": int, "grams": int},
    )
    if body["format"] != 1:
        raise Malformed("format-unknown", where="submission", format=body["format"])
    count = body["count"]
    if not 1 <= count <= SUBMISSION_COUNT_MAX:
        raise Malformed("submission-count", stated=count, given=count)
    return body
