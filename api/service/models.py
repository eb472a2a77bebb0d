"""The answers of the service as its description (OpenAPI) tells them, and only for that."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from keys.oprf import ELEMENTS_MAX

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="32 bytes in hexadecimal.")]
Line = Annotated[str, Field(pattern="^[0-9a-f]{48}$", description="A line, 24 bytes.")]
Date = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Base64 = Annotated[str, Field(pattern="^[A-Za-z0-9+/]*={0,2}$")]
Count = Annotated[int, Field(ge=0)]
Grams = Annotated[int, Field(description="Whole grams of CO2 equivalent.")]
Time = Annotated[int, Field(description="Unix seconds.")]
_FINAL = "Whether the quorum has cosigned the block's checkpoint, or a later one, by now."


class Answer(BaseModel):
    """An answer: exactly these fields."""

    model_config = ConfigDict(extra="forbid")


Item = TypeVar("Item")


class Paged(Answer, Generic[Item]):
    """A page of a list over the log of one size."""

    size: Annotated[int, Field(ge=0, description="The log's size as of which the list is told.")]
    items: list[Item]
    next: Annotated[str | None, Field(description="The cursor of the next page, if there is one.")]


class Problem(Answer):
    """Problem details (RFC 9457)."""

    type: Annotated[str, Field(pattern="^/errors/[a-z0-9-]+$", description="A page says more.")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(description="In the language that the request accepts.")]
    code: Annotated[str, Field(description="Stable; programs go by it.")]
    details: Annotated[dict[str, str], Field(description="What the text names.")]


def takes(media_type: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the description says of an operation with a body that it reads itself."""
    content = {media_type: {} if schema is None else {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


# --- sending ---


class Met(Answer):
    """The span that a claim met."""

    line: Line
    start: Count
    end: Count
    holder: Hash


class Refused(Answer):
    """A reduction that was not recorded, and why."""

    position: Count
    leaf: Hash
    code: Annotated[str, Field(description="Stable; programs go by it.")]
    text: Annotated[str, Field(description="In the language that the request accepts.")]
    class_name: Annotated[str, Field(alias="class", description="Of the line of the claim.")]
    claim: Annotated[int, Field(ge=0, description="Which of its claims was refused.")]
    day: Date
    met: Met | None
    platform: Annotated[str | None, Field(description="Who submitted what it met.")]


class Answered(Answer):
    """What became of a statement.  What has a default is there when it is recorded, from `scenario`
    on when it is a submission; `error` when it was refused as a whole."""

    id: Hash
    status: Literal["waiting", "recorded", "refused"]
    kind: str = ""
    index: Count = 0
    height: Count = 0
    time: Time = 0
    receipt: Base64 = ""
    final: Annotated[bool, Field(description=_FINAL)] = False
    credited: Annotated[
        bool, Field(description="Of an import alone: only on a final checkpoint is it credited.")
    ] = False
    scenario: str = ""
    count: Count = 0
    recorded: Count = 0
    grams: Grams = 0
    refused: Annotated[
        list[Refused] | None, Field(description="Null to whoever may not see the reductions.")
    ] = None
    error: Problem | None = None


# --- operating ---


class Alive(Answer):
    """The process answers."""

    status: Literal["ok"]


class Ready(Alive):
    """The service can do its work."""

    height: Count
    waiting: Annotated[int, Field(ge=0, description="Statements that wait for a block.")]
    block_age: Annotated[int, Field(ge=0, description="Seconds since the last block.")]


class Texts(Answer):
    """The text of a code, in English and Chinese; in braces stands what a case names."""

    en: str
    zh: str


class Code(Answer):
    """A stable code."""

    code: str
    text: Texts


# --- the ledger ---


class Key(Answer):
    """A public key: its algorithm's number in COSE, and its bytes."""

    alg: int
    public: Base64


class Ledger(Answer):
    """The ledger's identity, its constants, and where it stands."""

    id: Hash
    origin: str
    operator: str
    log_key: Key | None
    utc_offset: Annotated[int, Field(description="Seconds east of UTC.")]
    first_day: Date
    acceptance_days: int
    unit_grams: int
    rules: int
    closed_until: Date
    size: Count
    height: Count
    time: Time
    register_root: Annotated[Hash | None, Field(alias="register")]
    recorded: Count
    refused: Count
    grams: Grams
    final: Annotated[bool, Field(description="Whether all of the log is final by now.")]
    final_height: Annotated[int | None, Field(description="Of the last final block.")]


class Governed(Answer):
    """A statement of governance."""

    index: Count
    clock: Annotated[int, Field(description="The rules' clock when it was judged, unix seconds.")]
    statement: Base64
    receipt: Base64


class Governance(Answer):
    """Statements of governance in the order of the log."""

    size: Count
    items: list[Governed]
    next: Annotated[int | None, Field(description="The index to go on from, if there is more.")]


class Block(Answer):
    """A block of the log."""

    height: Count
    size: Count
    time: Time
    seal: Hash
    register_root: Annotated[Hash, Field(alias="register")]
    root: Hash
    recorded: Annotated[int, Field(description="Reductions so far, less voided.")]
    refused: Count
    grams: Grams
    final: Annotated[bool, Field(description=_FINAL)]


class Entry(Answer):
    """A statement of a block."""

    index: Count
    kind: str
    issuer: str


class WholeBlock(Block):
    """A block, its checkpoint and its statements."""

    checkpoint: str
    statements: list[Entry]


Blocks = Paged[Block]


# --- reductions and proofs ---


class Claim(Answer):
    """A stretch of a line; of a cap, where the rules choose the seat, both ends are null."""

    class_name: Annotated[str, Field(alias="class")]
    line: Line
    start: int | None
    end: int | None


class Reduction(Answer):
    """A reduction with its claims, and where it was recorded."""

    leaf: Hash
    index: Annotated[int, Field(ge=0, description="The log index of its submission.")]
    position: Count
    platform: str
    scenario: str
    version: int
    day: Date
    grams: Grams
    claims: list[Claim]
    digest: Annotated[Hash, Field(description="Of its activity.")]
    data: Annotated[Base64, Field(description="Its bytes, of which `leaf` is the leaf hash.")]
    stands: Annotated[bool, Field(description="Whether it stands here, now.")]


Reductions = Paged[Reduction]


class Bundle(BaseModel):
    """A bundle that `tally-verify check` takes; docs/spec.md says what else is in it."""

    format: str
    kind: str
    checkpoint: str


class Span(Answer):
    """A live span, and the platform that submitted it, if a reduction holds it."""

    line: Line
    start: Count
    end: Count
    holder: Hash
    platform: str | None


class Spans(Answer):
    """The live spans on a line."""

    size: Count
    class_name: Annotated[str, Field(alias="class")]
    items: list[Span]
    next: Annotated[int | None, Field(description="Where to start for those that follow.")]


class Inclusion(Answer):
    """The inclusion path of an entry."""

    index: Count
    size: Count
    path: list[Hash]


class Consistency(Answer):
    """The path from one size of the log to another."""

    first: Count
    second: Count
    path: list[Hash]


class Free(Answer):
    """Whether a claim would be free."""

    free: bool


CLAIM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["class", "parts"],
    "additionalProperties": False,
    "properties": {
        "class": {"type": "string"},
        "parts": {"type": "array", "items": {"type": "string"}},
        "start": {"type": "integer"},
        "end": {"type": "integer"},
        "day": {"type": "string", "format": "date"},
        "seats": {"type": "integer", "minimum": 1},
    },
}


# --- pseudonyms ---

_Element = Annotated[str, Field(pattern="^[A-Za-z0-9+/]{43}=$", description="32 bytes.")]


class PseudonymKey(Answer):
    """A public key of pseudonyms, and the first day of its epoch."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    since: Annotated[Date, Field(alias="from")]
    key: Hash


class PseudonymKeys(Answer):
    """The public keys that stand in the ledger."""

    keys: list[PseudonymKey]


class Evaluation(Answer):
    """What blinded elements became, in their order, and the proof of all of them."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    since: Annotated[Date, Field(alias="from")]
    elements: list[_Element]
    proof: Base64


EVALUATION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["from", "elements"],
    "additionalProperties": False,
    "properties": {
        "from": {"type": "string", "format": "date", "description": "The epoch's first day."},
        "elements": {
            "type": "array",
            "minItems": 1,
            "maxItems": ELEMENTS_MAX,
            "items": {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"},
        },
    },
}


# --- lots and units ---


class Lot(Answer):
    """The record of a lot."""

    platform: str
    scenario: str
    day: Date
    count: Annotated[int, Field(ge=1)]
    grams: Grams
    root: Hash


Lots = Paged[Lot]


class LotFile(BaseModel):
    """A `tally-lot/1`; docs/spec.md says what else is in it."""

    format: str
    checkpoint: str


class Certification(Answer):
    """The record of a certification, and whether it stands now."""

    index: Count
    statement: Hash
    verifier: str
    platform: str
    scenario: str
    since: Annotated[Date, Field(alias="from")]
    until: Date
    count: Count
    grams: Grams
    opinion: str
    day: Date
    stands: bool


Certifications = Paged[Certification]


class Issuance(Answer):
    """The record of an issuance."""

    index: Count
    statement: Hash
    certification: Hash
    platform: str
    scenario: str
    since: Annotated[Date, Field(alias="from")]
    until: Date
    count: Count
    certified: Grams
    carried_in: Grams
    units: Count
    carried_out: Grams
    registry: str
    series: str
    first: Count


Issuances = Paged[Issuance]


class Units(Answer):
    """A range of serial numbers, half-open."""

    registry: str
    series: str
    first: Count
    end: Count


class Holding(Answer):
    """The record of whose units are."""

    origin: Hash
    issuer: str
    owner: str
    account: str
    status: str
    statement: Hash
    exchange: str
    nonce: str
    expires: int


class Held(Answer):
    """Units, and the record that stands for them."""

    units: Units
    holding: Holding


Holdings = Paged[Held]


class Certificate(BaseModel):
    """A `tally-certificate/1`; docs/spec.md says what else is in it."""

    format: str
    checkpoint: str


# --- books and statistics ---


class Sum(Answer):
    """How many reductions, their grams and their points."""

    count: Count
    grams: Grams
    points: int


class Behaviour(Sum):
    """What a scenario and a methodology add up to."""

    scenario: str
    methodology: str


class Month(Sum):
    """What a month adds up to."""

    month: Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$")]


class Totals(Sum):
    """What a book adds up to, less what was voided."""

    behaviours: list[Behaviour]
    months: list[Month]


class Booked(Answer):
    """A reduction of a book."""

    day: Date
    scenario: str
    methodology: str
    grams: Grams
    points: int
    leaf: Hash
    index: Annotated[int, Field(ge=0, description="The log index of its submission.")]
    position: Count
    status: Annotated[str, Field(pattern="^(?:final|provisional|voided)$")]


class Book(Paged[Booked]):
    """A page of a book."""

    totals: Annotated[Totals | None, Field(description="On the first page.")]


class BookFile(BaseModel):
    """A `tally-book/1`; docs/spec.md says what else is in it."""

    format: str
    platform: str
    checkpoint: str


class Statistic(Answer):
    """The reductions of a day, a platform or a scenario that stand, and their grams."""

    key: Annotated[str, Field(description="A date, or the id of a platform or a scenario.")]
    count: Count
    grams: Grams


Statistics = Paged[Statistic]
