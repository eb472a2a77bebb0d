"""Who may read what: every route, asked by every kind of reader.

`ROUTES` names every route of the service, what it is asked with, and whom it shows reductions or
activities.  Whatever any other reader is answered is searched for what only those may see: leaf
hashes, holders and claims of reductions, pseudonyms, ids and digests of activities; also within the
base64 that an answer holds.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from support.auditors import govern_policy, make_final, policy_document, vkeys
from support.books import DAY
from support.certified import PLATFORM, SCENARIO, CertifiedCity
from support.city import NOON, TODAY, key, pseudonym
from support.service import Served, Signing, served

from api.access_tokens import Access, make_token
from api.service import signatures
from api.service.settings import Settings
from chain.genesis import enrol
from keys.participants import Role, key_holder
from keys.statements import Statement
from keys.strict import dump_date, dump_json

OTHER = "pay-app"
REFUSED = {401, 403, 404}


class Told(NamedTuple):
    """What the tests know of the ledger that is read."""

    city: CertifiedCity
    statement: Statement
    refused: Statement
    """A submission of the other platform, in whose first place a reduction was refused."""
    leaf: str
    holder: str
    line: str
    start: int
    root: str
    lot: str
    secrets: list[bytes]


# --- readers ---

Asking = Callable[[Served, Told], Mapping[str, Any]]


class Stranger(Signing):
    """Signs for another ledger."""

    def auth_flow(self, request: httpx2.Request) -> Iterator[httpx2.Request]:
        of = signatures.Request(
            request.method,
            request.url.raw_path.decode(),
            request.headers.multi_items(),
            request.content,
        )
        request.headers.update(
            signatures.sign(
                of, key("auditor"), participant="auditor", ledger=bytes(32), now=self._city.now
            )
        )
        yield request


def signed(name: str) -> Asking:
    return lambda client, told: {"auth": client.by(name)}


def token(city: CertifiedCity, platform: str = PLATFORM, hours: int = 1, **more: Any) -> str:
    access = Access(platform, **more)
    expires = city.now + hours * 3600
    return make_token(key(platform), access, ledger=city.state.genesis.id, expires=expires)


def bearing(name: str | None, platform: str = PLATFORM, hours: int = 1, **more: Any) -> Asking:
    def ask(client: Served, told: Told) -> Mapping[str, Any]:
        made = token(told.city, platform, hours, **more)
        asked: dict[str, Any] = {"headers": {"Authorization": f"Bearer {made}"}}
        return asked if name is None else {**asked, "auth": client.by(name)}

    return ask


ANN = pseudonym("traveller", "ann")
READERS: Mapping[str, Asking] = {
    "nobody": lambda client, told: {},
    "holder": signed("holder-1"),
    "own platform": signed(PLATFORM),
    "other platform": signed(OTHER),
    "exchange": signed("exchange-1"),
    "auditor": signed("auditor"),
    "verifier": signed("verifier"),
    "verifier with a token": bearing("verifier", reader="verifier"),
    "verifier with an expired token": bearing("verifier", hours=-1, reader="verifier"),
    "verifier with another platform's token": bearing("verifier", OTHER, reader="verifier"),
    "verifier with a token of other days": bearing("verifier", reader="verifier", until=TODAY - 99),
    "verifier with another's token": bearing("verifier", reader="verifier-2"),
    "verifier with a token of a subject": bearing("verifier", subjects=(ANN,)),
    "holder with a token": bearing("holder-1", reader="holder-1"),
    "other platform with a token": bearing(OTHER, reader=OTHER),
    "bearer for a subject": bearing(None, subjects=(ANN,)),
    "bearer for a subject elsewhere": bearing(None, OTHER, subjects=(ANN,)),
    "revoked key": signed("gone"),
    "signature for another ledger": lambda client, told: {"auth": Stranger(told.city, "auditor")},
}
MEMBERS = {
    "exchange",
    "auditor",
    "verifier",
    "verifier with a token",
    "verifier with another platform's token",
    "verifier with a token of other days",
    "verifier with a token of a subject",
}
"""Who may see all reductions, with the token that it shows."""
EXPIRED = {"verifier with an expired token", "verifier with another's token"}
"""Who may, but shows a token that opens nothing; it is refused where a token is looked at."""
OWN = {"own platform"}
DISCLOSED = OWN | {"verifier with a token"}
SUBJECT = {"bearer for a subject", "verifier with a token of a subject"}
PLATFORMS = OWN | {"other platform", "other platform with a token"}
EVERYBODY = set(READERS)


# --- routes ---


class Route(NamedTuple):
    """How a route is asked, who is answered, and who may see reductions or activities there."""

    ask: Callable[[Told], str]
    answered: set[str]
    shown: set[str]
    body: Callable[[Told], bytes] | None = None


def is_open(path: str) -> Route:
    """A route that answers anyone, and shows nobody a reduction."""
    return Route(lambda told: path, EVERYBODY, set())


def submitted(told: Told) -> str:
    return f"submissions/{told.root[:2]}/{told.root}"


def of_day(told: Told) -> str:
    return f"/v1/lots/{PLATFORM}/{SCENARIO}/{dump_date(TODAY - 1)}"


def claim(told: Told) -> bytes:
    end = told.start + 60
    return dump_json({"class": "traveller", "parts": [ANN], "start": told.start, "end": end})


SEEING = MEMBERS | EXPIRED | OWN
ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "/v1/submissions"): Route(
        # The statement is anyone's to read; without the activities it says nothing.
        lambda told: "/v1/submissions",
        set(),
        set(),
        lambda told: dump_json({"statement": base64.b64encode(told.refused.data).decode()}) + b"\n",
    ),
    ("POST", "/v1/statements"): Route(
        lambda told: "/v1/statements", set(), set(), lambda told: told.refused.data
    ),
    ("GET", "/v1/statements/{identity}"): Route(
        lambda told: f"/v1/statements/{told.refused.id.hex()}",
        EVERYBODY - {"revoked key", "signature for another ledger"},
        # They were refused to the other platform.
        MEMBERS | EXPIRED | PLATFORMS - OWN,
    ),
    ("POST", "/v1/claims/check"): Route(lambda told: "/v1/claims/check", PLATFORMS, set(), claim),
    ("POST", "/v1/pseudonyms/evaluate"): Route(
        lambda told: "/v1/pseudonyms/evaluate", set(), set(), lambda told: b"{}"
    ),
    ("GET", "/v1/pseudonyms/keys"): is_open("/v1/pseudonyms/keys"),
    ("GET", "/v1/reductions"): Route(
        lambda told: f"/v1/reductions?platform={PLATFORM}", SEEING, SEEING
    ),
    ("GET", "/v1/reductions/{leaf}"): Route(
        lambda told: f"/v1/reductions/{told.leaf}", SEEING, SEEING
    ),
    ("GET", "/v1/reductions/{leaf}/bundle"): Route(
        lambda told: f"/v1/reductions/{told.leaf}/bundle?disclose=true", DISCLOSED, DISCLOSED
    ),
    ("GET", "/v1/lines/{line}/spans"): Route(
        lambda told: f"/v1/lines/{told.line}/spans", SEEING - OWN, SEEING - OWN
    ),
    ("GET", "/v1/proofs/held"): Route(
        lambda told: f"/v1/proofs/held?line={told.line}&start={told.start}",
        SEEING - OWN,
        SEEING - OWN,
    ),
    ("GET", "/v1/proofs/free"): Route(
        lambda told: f"/v1/proofs/free?line={told.line}&start=0&end=1", set(), SEEING - OWN
    ),
    ("GET", "/v1/submissions/{identity}/refusals/{position}/bundle"): Route(
        lambda told: f"/v1/submissions/{told.refused.id.hex()}/refusals/0/bundle",
        MEMBERS | EXPIRED | PLATFORMS - OWN,
        MEMBERS | EXPIRED | PLATFORMS - OWN,
    ),
    ("GET", "/v1/proofs/inclusion"): is_open("/v1/proofs/inclusion?index=1&size=3"),
    ("GET", "/v1/proofs/consistency"): is_open("/v1/proofs/consistency?first=1&second=3"),
    ("GET", "/v1/lots"): is_open("/v1/lots"),
    ("GET", "/v1/lots/{platform}/{scenario}/{day}"): Route(of_day, EVERYBODY, set()),
    ("GET", "/v1/lots/{platform}/{scenario}/{day}/file"): Route(
        lambda told: f"{of_day(told)}/file", SEEING, SEEING
    ),
    ("GET", "/v1/certifications"): is_open("/v1/certifications"),
    ("GET", "/v1/issuances"): is_open("/v1/issuances"),
    ("GET", "/v1/holdings"): is_open("/v1/holdings"),
    # A certificate shows a sample of reductions, so that anyone can check what the units are of.
    ("GET", "/v1/certificates"): Route(
        lambda told: (
            f"/v1/certificates?registry=ledger-example-city&series={SCENARIO}_{PLATFORM}_2026"
            "&first=1&end=2"
        ),
        EVERYBODY,
        EVERYBODY,
    ),
    ("GET", "/v1/book"): Route(
        # That of the other platform has nothing in it.
        lambda told: "/v1/book",
        SUBJECT | {"bearer for a subject elsewhere"},
        SUBJECT,
    ),
    ("GET", "/v1/book/file"): Route(lambda told: "/v1/book/file", SUBJECT, SUBJECT),
    ("GET", "/v1/statistics"): is_open("/v1/statistics"),
    ("GET", "/submissions/{folder}/{root}"): Route(
        lambda told: f"/{submitted(told)}", SEEING, SEEING
    ),
    ("GET", "/lots/{folder}/{root}"): Route(
        lambda told: f"/lots/{told.lot[:2]}/{told.lot}", SEEING, SEEING
    ),
    ("GET", "/activities/{folder}/{root}.ndjson"): Route(
        lambda told: f"/activities/{told.root[:2]}/{told.root}.ndjson",
        DISCLOSED | {"verifier with a token of other days"},
        DISCLOSED,
    ),
    ("GET", "/v1/ledger"): is_open("/v1/ledger"),
    ("GET", "/v1/policy"): is_open("/v1/policy"),
    ("GET", "/v1/governance"): is_open("/v1/governance"),
    ("GET", "/v1/blocks"): is_open("/v1/blocks"),
    ("GET", "/v1/blocks/{height}"): is_open("/v1/blocks/1"),
    ("GET", "/v1/blocks/{height}/checkpoint"): is_open("/v1/blocks/1/checkpoint"),
    ("GET", "/checkpoint"): is_open("/checkpoint"),
    ("GET", "/checkpoint/final"): is_open("/checkpoint/final"),
    ("GET", "/checkpoint.final"): is_open("/checkpoint.final"),
    ("GET", "/tile/{rest:path}"): Route(
        lambda told: f"/tile/entries/000.p/{told.city.state.index}", EVERYBODY, set()
    ),
    ("POST", "/entries"): Route(
        lambda told: "/entries", set(), set(), lambda told: told.refused.data
    ),
    ("GET", "/entries/{entry}"): Route(
        lambda told: f"/entries/{told.refused.id.hex()}", EVERYBODY, set()
    ),
    ("GET", "/.well-known/scitt-keys"): is_open("/.well-known/scitt-keys"),
    ("GET", "/.well-known/scitt-keys/{kid}"): Route(
        lambda told: "/.well-known/scitt-keys/none", set(), set()
    ),
    ("GET", "/livez"): is_open("/livez"),
    ("GET", "/readyz"): is_open("/readyz"),
    ("GET", "/metrics"): is_open("/metrics"),
    ("GET", "/errors"): is_open("/errors"),
    ("GET", "/errors/{code}"): is_open("/errors/read-not-allowed"),
    ("GET", "/openapi.json"): is_open("/openapi.json"),
}
TOKENS = {
    "/v1/reductions/{leaf}/bundle",
    "/activities/{folder}/{root}.ndjson",
    "/v1/book",
    "/v1/book/file",
}
"""Where a token is looked at: one that opens nothing is refused there."""


# --- the ledger that is read ---


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    city = CertifiedCity.open(tmp_path_factory.mktemp("city"))
    rides = [
        city.ride(person, NOON - DAY + 3600 * hour)
        for person in ("ann", "bob")
        for hour in range(7)
    ]
    admitted = city.admit(rides)
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(city.now)
    # The other platform reports one of them again.
    taken = city.ride("ann", NOON - DAY, "another ticket")
    again = city.admit([taken, city.ride("carl", NOON - DAY)], OTHER)
    city.sequencer.submit([again])
    city.sequencer.seal_all(city.now)
    assert city.answer(again.entry.statement).refusals
    city.shut(TODAY)
    city.issue(city.certify(TODAY - 1, TODAY))
    gone = enrol("gone", "Gone", [Role.VERIFIER], key("gone").public)
    city.govern(gone, enrol("auditor", "Auditor", [Role.AUDITOR], key("auditor").public))
    consumed = key_holder(key("gone").public).hex()
    city.govern({"action": "revoke", "participant": "gone", "consumes": consumed})
    govern_policy(city, policy_document(vkeys("a-1"), 1))
    make_final(city, "a-1")
    first, statement = admitted.entry.reductions[0], admitted.entry.statement
    with city.store.snapshot() as snapshot:
        lot = snapshot.lot(PLATFORM, SCENARIO, TODAY - 1)
    secrets = [ANN.encode()]
    for line in [*rides, *again.activities.splitlines()]:
        secrets.append(city.activity(line).digest)
        secrets.append(b'"%s"' % city.activity(line).fields["id"].encode())
    for one in [*admitted.entry.reductions, *again.entry.reductions]:
        secrets += [one.leaf, one.holder, *(of.line[2:] for of in one.claims)]
    return Told(
        city,
        statement,
        again.entry.statement,
        first.leaf.hex(),
        first.holder.hex(),
        first.claims[0].line.hex(),
        first.claims[0].start or 0,
        statement.body["root"],
        lot.root.hex(),
        secrets,
    )


@pytest.fixture(scope="module")
def client(told: Told) -> Iterator[Served]:
    with served(told.city, sealing=False) as client:
        yield client


BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")


def leaks(told: Told, content: bytes) -> list[bytes]:
    """What of the secrets an answer holds: as bytes, in hexadecimal, or within its base64."""
    texts = [content]
    for found in BASE64.findall(content):
        digits = found.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        texts.append(base64.b64decode(digits[: len(digits) // 4 * 4]))
    whole = b"\n".join(texts)
    return [one for one in told.secrets if one in whole or one.hex().encode() in whole]


def served_routes(client: Served) -> set[tuple[str, str]]:
    app: Any = client.app
    found = {(method, of.path) for of in iter_route_contexts(app.routes) for method in of.methods}
    # The description is a plain route, which answers HEAD as well, with nothing.
    return found - {("HEAD", "/openapi.json")}


def test_the_table_names_every_route(client: Served) -> None:
    assert served_routes(client) == set(ROUTES)


def test_the_document_names_every_route() -> None:
    document = (Path(__file__).resolve().parents[3] / "docs" / "http.md").read_text("utf-8")
    named = re.findall(r"^\| `(GET|POST) (/[^` ]+)` \| (\S[^|]*) \|", document, re.M)
    assert sorted((method, path) for method, path, _ in named) == sorted(ROUTES)
    for method, path, who in named:
        is_open = ROUTES[method, path].answered >= {"nobody"}
        assert method == "POST" or is_open == (who == "anyone") or path.endswith("{kid}")


@pytest.mark.parametrize("name", sorted(ROUTES), ids=" ".join)
def test_who_may_read_it(client: Served, told: Told, name: tuple[str, str]) -> None:
    method, path = name
    route = ROUTES[name]
    refused_here = EXPIRED if path in TOKENS else set()
    for reader, asking in READERS.items():
        response = client.request(
            method,
            route.ask(told),
            content=route.body(told) if route.body else None,
            **asking(client, told),
        )
        status = response.status_code
        assert status < 500, (reader, response.text)
        if reader in route.answered - refused_here:
            assert status == 200, (reader, response.text)
        elif method == "GET" and reader not in route.shown - refused_here:
            # As if nothing were there, or as if it were nobody's to see.
            assert status in REFUSED, (reader, response.text)
        if reader not in route.shown - refused_here:
            assert not leaks(told, response.content), (reader, response.text)
        elif status == 200 and path != "/v1/certificates":
            assert leaks(told, response.content), (reader, response.text)


def test_a_token_opens_only_its_days_and_the_other_lines_are_empty(
    client: Served, told: Told
) -> None:
    path = ROUTES["GET", "/activities/{folder}/{root}.ndjson"].ask(told)
    within = bearing("verifier", reader="verifier", start=TODAY - 1, until=TODAY)
    whole = client.get(path, auth=client.by(PLATFORM)).content
    assert client.get(path, **within(client, told)).content == whole
    beyond = bearing("verifier", reader="verifier", start=TODAY)
    assert client.get(path, **beyond(client, told)).content == b"\n" * whole.count(b"\n")


def test_a_platform_sees_its_own_reductions_alone(client: Served, told: Told) -> None:
    own = client.get("/v1/reductions", auth=client.by(PLATFORM)).json()["items"]
    others = client.get("/v1/reductions", auth=client.by(OTHER)).json()["items"]
    assert {one["platform"] for one in own} == {PLATFORM}
    assert {one["platform"] for one in others} == {OTHER}
    wanted = {"platform": OTHER}
    asked = client.get("/v1/reductions", params=wanted, auth=client.by(PLATFORM))
    assert asked.status_code == 403


@pytest.mark.parametrize(("host", "status"), [("ledger.example", 200), ("other.example", 403)])
def test_what_is_signed_for_another_host_counts_for_nothing(
    told: Told, host: str, status: int
) -> None:
    with served(told.city, Settings(hosts=[host]), sealing=False) as named:
        response = named.get("/v1/reductions", auth=named.by("verifier"))
    assert response.status_code == status
    if status != 200:
        assert response.json()["code"] == "request-other-host"
        assert not leaks(told, response.content)
