"""Running the service: ready or not, what it counts, what it logs, what it traces."""

import errno
import io
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import DataError, OperationalError
from support.city import NOON, City, pseudonym
from support.service import Served, served

from api.service import logs, tracing
from api.service.limits import Stall
from api.service.logs import LOG, JsonLines
from api.service.service import Service
from api.service.settings import Settings
from chain.admission import Admitted
from keys.errors import Fault
from keys.strict import dump_json


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city")


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """The lines that are logged meanwhile, as this process would write them."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    root, level = logging.getLogger(), LOG.level
    root.addHandler(handler)
    LOG.setLevel(logging.INFO)
    lines: list[dict[str, Any]] = []
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        LOG.setLevel(level)
        lines += [json.loads(line) for line in written.getvalue().splitlines()]


def measures(client: Served) -> dict[tuple[str, tuple[str, ...]], float]:
    """The samples of /metrics, by name and the values of their labels in the order of the names."""
    response = client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


# --- ready ---


def test_it_is_ready_while_it_seals(city: City) -> None:
    with served(city) as client:
        client.submit(city.admit([city.ride("ann", NOON)]))
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert client.get("/livez").json() == {"status": "ok"}
        # A ledger at rest is ready, however long ago its last block was.
        city.now += 86_400
        assert client.get("/readyz").json()["block_age"] == 86_400


def test_it_is_not_ready_while_sealing_stalls(city: City) -> None:
    with served(city, Settings(block_age_seconds=30), sealing=False) as client:
        city.now += 86_400
        client.submit(city.admit([city.ride("ann", NOON)]), params={"wait": 0})
        assert client.get("/readyz").status_code == 200
        city.now += 31
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "sealing-stalled")
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/livez").status_code == 200
        city.sequencer.seal_all(city.now)
        assert client.get("/readyz").status_code == 200


def test_a_stall_ends_with_each_block_and_with_what_waits() -> None:
    stall = Stall()
    asked = [(1, 5, 0.0), (1, 9, 20.0), (2, 9, 30.0), (2, 1, 45.0), (2, 0, 50.0), (2, 1, 90.0)]
    assert [stall.seconds(*one) for one in asked] == [0, 20, 0, 15, 0, 0]


def test_it_is_not_ready_without_the_key_of_the_operator(city: City) -> None:
    with served(city) as client:
        key = city.state.participants["operator"].keys[0].public
        client.service.sealed_by = frozenset([key.kid])
        assert client.get("/readyz").status_code == 200
        client.service.sealed_by = frozenset([bytes(32)])
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "service-without-key")


def test_it_is_not_ready_while_the_database_is_away(city: City, tmp_path: Path) -> None:
    with served(city, sealing=False) as client:
        city.store.engine.dispose()
        aside = city.folder.rename(tmp_path / "aside")
        city.folder.mkdir()
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "service-busy")
        assert client.get("/livez").status_code == 200
        # What was counted is told all the same, but not how the ledger stands.
        found = measures(client)
        assert ("tally_requests_total", ("GET", "/readyz", "503")) in found
        assert ("tally_pending_statements", ()) not in found
        city.store.engine.dispose()
        (city.folder / "ledger.db").unlink(missing_ok=True)
        for left in city.folder.iterdir():
            left.unlink()
        city.folder.rmdir()
        aside.rename(city.folder)
        assert client.get("/readyz").status_code == 200


# --- limits ---


def test_a_participant_is_taken_in_so_often(city: City) -> None:
    with served(city, Settings(statements_per_minute=2)) as client:
        made = [city.admit([city.ride(f"person {n}", NOON)]) for n in range(3)]
        answers = [client.submit(one) for one in made]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) >= 1
        # What is known already costs nothing, and another platform goes on.
        assert client.submit(made[0]).json() == answers[0].json()
        other = city.admit([city.ride("bob", NOON)], "pay-app")
        assert client.submit(other).status_code == 200
        city.now += 60
        assert client.submit(made[2]).status_code == 200


def test_no_more_is_taken_in_while_too_much_waits(city: City) -> None:
    with served(city, Settings(statements_waiting=2), sealing=False) as client:
        made = [city.admit([city.ride(f"person {n}", NOON)]) for n in range(3)]
        answers = [client.submit(one, params={"wait": 0}) for one in made]
        assert [answer.status_code for answer in answers] == [202, 202, 503]
        assert answers[2].json()["code"] == "service-busy"
        assert int(answers[2].headers["retry-after"]) >= 1
        city.sequencer.seal_all(city.now)
        assert client.submit(made[2], params={"wait": 0}).status_code == 202


def test_a_full_disk_passes(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/where/it/was")

    admitted = city.admit([city.ride("ann", NOON)])
    with served(city) as client, logged() as lines:
        with monkeypatch.context() as patched:
            patched.setattr(city.store, "enqueue", full)
            answer = client.submit(admitted)
            assert (answer.status_code, answer.json()["code"]) == (503, "service-busy")
        assert client.submit(admitted).json()["recorded"] == 1
    [line] = [line for line in lines if line["event"] == "enqueue"]
    assert line["reason"] == os.strerror(errno.ENOSPC)


# --- measures ---


def test_what_it_counts(city: City) -> None:
    with served(city) as client:
        before = measures(client)
        client.submit(city.admit([city.ride("ann", NOON), city.ride("bob", NOON)]))
        client.submit(city.admit([city.ride("ann", NOON)], "pay-app"))
        client.get("/nowhere/of/note")
        after = measures(client)

    def grown(name: str, *labels: str) -> float:
        return after[name, labels] - before.get((name, labels), 0)

    assert grown("tally_requests_total", "POST", "/v1/submissions", "200") == 2
    assert grown("tally_requests_total", "GET", "-", "404") == 1
    assert grown("tally_request_seconds_count", "/v1/submissions") == 2
    assert grown("tally_problems_total", "route-unknown") == 1
    assert grown("tally_reductions_total", "recorded") == 2
    assert grown("tally_reductions_total", "refused") == 1
    assert grown("tally_refusals_total", "span-taken") == 1
    for stage in ("read", "admit", "enqueue", "wait", "answer"):
        assert grown("tally_stage_seconds_count", stage) >= 2
    assert after["tally_submissions_in_flight", ()] == 0
    assert after["tally_pending_statements", ()] == 0
    assert after["tally_block_age_seconds", ()] == 0
    assert after["tally_block_height", ()] == 2


def test_what_waits_and_since_when_is_measured_when_it_is_asked(city: City) -> None:
    with served(city, sealing=False) as client:
        client.submit(city.admit([city.ride("ann", NOON)]), params={"wait": 0})
        city.now += 75
        found = measures(client)
        assert found["tally_pending_statements", ()] == 1
        assert found["tally_block_age_seconds", ()] == 75


# --- the log ---


def _asked(client: Served, city: City, admitted: Admitted) -> None:
    """Requests of all kinds, with names, pseudonyms, ids and addresses wherever one may stand."""
    whose, name = pseudonym("traveller", "ann"), admitted.entry.statement.id.hex()
    member = client.by("verifier")
    client.submit(admitted, headers={"User-Agent": "the-telephone-of-ann"})
    client.submit(city.admit([city.ride("ann", NOON + 60)], "pay-app"))
    client.post("/v1/submissions", content=dump_json({"statement": whose}) + b"\n" + b"{}")
    client.post("/v1/submissions", content=whose.encode(), headers={"Content-Encoding": whose})
    client.post("/v1/statements", content=whose.encode())
    client.post(
        "/v1/claims/check",
        content=dump_json({"class": "traveller", "parts": [whose], "start": NOON, "end": NOON + 1}),
        auth=client.by("metro-app"),
    )
    for path in (
        f"/v1/statements/{name}",
        f"/v1/statements/{whose}",
        f"/{whose}?subject={whose}",
        f"/v1/reductions?cursor={whose}",
        f"/v1/reductions?platform={whose}",
        f"/v1/reductions/{admitted.entry.reductions[0].leaf.hex()}/bundle?disclose=true",
        f"/v1/lines/{whose}/spans",
        f"/activities/{admitted.root.hex()[:2]}/{admitted.root.hex()}.ndjson",
        f"/v1/book?subject={whose}",
    ):
        client.get(path)
        client.get(path, auth=member)
        client.get(path, headers={"Authorization": f"Bearer {whose}", "Accept-Language": whose})


def test_the_log_names_requests_and_nobody(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    admitted = city.admit([city.ride("ann", NOON, ticket="ticket-of-ann")])
    whose = pseudonym("traveller", "ann")

    def fails(*_: object, **__: object) -> None:
        try:
            raise ValueError(whose)
        except ValueError as error:
            raise KeyError(f"ann {whose}") from error

    with logged() as lines, served(city) as client:
        _asked(client, city, admitted)
        monkeypatch.setattr(Service, "reading", fails)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (500, "service-fault")
        name = answer.headers["x-request-id"]
        logging.getLogger("another").warning("it failed for %s\nof %s", whose, "ann")
    assert len(lines) > 30
    written = json.dumps(lines)
    [line] = admitted.activities.splitlines()
    named = [value for value in json.loads(line).values() if isinstance(value, str)]
    for secret in (whose, whose[:12], "ann", "telephone", "testclient", "subject=", *named):
        assert secret not in written.replace("scenario", ""), secret
    requests = [line for line in lines if line["event"] == "request"]
    assert len({line["request"] for line in requests}) == len(requests)
    assert {"time", "level", "method", "route", "status", "seconds"} <= set(requests[0])
    # What nobody foresaw is found by the id that the answer gave, with where it came from.
    [failed] = [line for line in lines if line["event"] == "unexpected"]
    assert failed["request"] == name
    assert failed["error"] == "KeyError < ValueError"
    assert "test_operations.py" in failed["trace"][-1]
    [other] = [line for line in lines if line.get("logger") == "another"]
    assert other["event"] == "it failed for %s"


def test_of_an_error_only_what_holds_no_value_is_said() -> None:
    away = OperationalError("SELECT 1", {}, Exception("connection refused\nof ann"))
    assert logs.reason_of(away) == "connection refused"
    assert logs.reason_of(DataError("SELECT 1", {}, ValueError("ann"))) == "ValueError"
    assert logs.reason_of(Fault("span-not-there", key="ann")) == "span-not-there"


# --- traces ---


class Spans:
    """What OpenTelemetry's tracer is to the service: it remembers its spans."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.ended: list[tuple[str, Mapping[str, str | int]]] = []

    @contextmanager
    def start_as_current_span(
        self, name: str, *, record_exception: bool, set_status_on_exception: bool
    ) -> Iterator["Span"]:
        assert not record_exception
        assert not set_status_on_exception
        span = Span(name)
        yield span
        self.ended.append((span.name, span.attributes))


class Span:
    def __init__(self, name: str) -> None:
        self.name = name
        self.attributes: dict[str, str | int] = {}

    def update_name(self, name: str) -> None:
        self.name = name

    def set_attributes(self, attributes: Mapping[str, str | int]) -> None:
        self.attributes.update(attributes)


def test_requests_and_stages_are_traced_where_somebody_does(city: City) -> None:
    spans = Spans()
    with served(city) as client:
        client.get("/livez")
        with tracing.tracing(spans):
            client.submit(city.admit([city.ride("ann", NOON)]))
            client.get("/nowhere")
    names = [name for name, _ in spans.ended]
    assert {"read", "admit", "enqueue", "wait", "answer"} <= set(names)
    assert "GET /livez" not in names
    attributes = dict(spans.ended)
    assert attributes["POST /v1/submissions"] == {
        "tally.method": "POST",
        "tally.route": "/v1/submissions",
        "tally.status": 200,
    }
    assert attributes["GET -"]["tally.code"] == "route-unknown"


def test_without_a_collector_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    tracing.install()
    with tracing.span("request") as span:
        assert span is None


# --- the document ---


def test_the_settings_are_those_of_the_document() -> None:
    text = (Path(__file__).parents[3] / "docs" / "operating.md").read_text("utf-8")
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `TALLY_SERV")]
    described = {name.strip(" `"): value.strip(" `").replace(",", "") for name, value in rows}
    assert described == {
        f"TALLY_SERVICE_{name.upper()}": str(field.default)
        for name, field in Settings.model_fields.items()
    }


def test_the_document_names_the_measures_that_there_are(city: City) -> None:
    text = (Path(__file__).parents[3] / "docs" / "operating.md").read_text("utf-8")
    with served(city) as client:
        client.submit(city.admit([city.ride("ann", NOON)]))
        families = text_string_to_metric_families(client.get("/metrics").text)
        names = {family.name for family in families}
    there = {n for n in names if n.startswith("tally_") and not n.endswith("_created")}
    described = set(re.findall(r"^\| `(tally_\w+?)(?:_total)?(?:{.*})?` \|", text, re.MULTILINE))
    assert described == there
