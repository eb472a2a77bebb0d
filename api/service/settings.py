"""What an operator can set of the service; the environment names each TALLY_SERVICE_….

The limits bound what one request, or one member, can make the service do.
"""

from pydantic import Field, HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict

from chain.register import PAGES_CACHED_MAX


class Settings(BaseSettings):
    """The settings of one `tally serve`; the same in all of its processes."""

    model_config = SettingsConfigDict(env_prefix="TALLY_SERVICE_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    workers: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=8, ge=1, le=256)
    """Requests that one worker works on at once; each may use a connection of the database."""

    hosts: list[str] = Field(default=[])
    """The Host fields for which a signed request counts, in small letters; none: whatever it is.

    Whoever passes on what a member has signed for another host is refused."""

    block_seconds: float = Field(default=0.2, gt=0, le=1)
    """How long statements gather before a block is sealed; less if many came."""
    block_statements: int = Field(default=256, ge=1)
    """So many statements that wait are sealed at once."""

    register_pages: int = Field(default=PAGES_CACHED_MAX, ge=1)
    """Pages of the register that the process which seals keeps in memory, some 4 KB each."""

    cosigners: dict[str, HttpUrl] = Field(default={})
    """Addresses of auditors and witnesses, by the names of their keys in the governed policy."""
    final_seconds: float = Field(default=10, ge=0)
    """How long a proof with ``final=true`` waits for the quorum of its block."""
    finals_waiting: int = Field(default=64, ge=1)
    """Proofs that wait for it in one worker; beyond them, 503."""

    body_bytes: int = Field(default=64 * 2**20, ge=2**16)
    """The longest body of a submission, as it is sent."""
    inflated_bytes: int = Field(default=128 * 2**20, ge=2**16)
    """The longest body of a submission, inflated."""
    query_body_bytes: int = Field(default=2**17, ge=2**10)
    """The longest body of any other request."""
    body_seconds: float = Field(default=30, gt=0)
    """How long a body may take to arrive."""
    header_seconds: float = Field(default=10, gt=0)
    """How long a request's head may take to arrive."""

    submissions_in_flight: int = Field(default=256, ge=1)
    """Submissions that one worker reads, admits or waits for; beyond them, 503."""
    bytes_in_flight: int = Field(default=256 * 2**20, ge=2**20)
    """Their bytes, inflated; beyond them, 503."""
    statements_waiting: int = Field(default=20_000, ge=1)
    """Statements that wait for a block; beyond them, 503."""
    connections: int = Field(default=2_048, ge=1)
    """Connections of one worker; beyond them, 503."""
    wait_seconds: float = Field(default=10, ge=0)
    """How long a submission waits for its block before it is answered with 202."""
    wait_seconds_max: float = Field(default=30, ge=0)
    """How long a client may ask it to wait."""

    statements_per_minute: int = Field(default=60_000, ge=1)
    """Statements of one participant that are taken in, for each worker."""
    requests_per_minute: int = Field(default=6_000, ge=1)
    """Signed reads of one member, for each worker."""
    checks_per_minute: int = Field(default=600, ge=1)
    """Claims that one member may ask about, for each worker."""
    checks_per_subject: int = Field(default=20, ge=1)
    """Claims that one member may ask about one line's parts in a minute, for each worker."""
    certificates_per_minute: int = Field(default=60, ge=1)
    """Certificates that are written for everyone together, for each worker."""
    books_per_minute: int = Field(default=60, ge=1)
    """Books, and pages of them, that are read with the tokens for one person, for each worker."""
    pseudonyms_per_minute: int = Field(default=60_000, ge=1)
    """Elements that one platform may have evaluated, for each worker."""

    page_items: int = Field(default=100, ge=1)
    page_items_max: int = Field(default=1_000, ge=1)
    block_age_seconds: int = Field(default=30, ge=1)
    """Statements that wait, and no block for so long: then the service is not ready."""
    stop_seconds: float = Field(default=30, gt=0)
    """How long requests may take to end when the service is stopped."""

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of cosigners as text."""
        return {name: str(url) for name, url in self.cosigners.items()}
