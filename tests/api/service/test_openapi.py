"""The description at /openapi.json holds: what is asked by it is answered by it."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.city import NOON, City
from support.service import served

from api.service.access import Reader, signed_by
from keys.participants import Role

EVERYTHING = Reader("metro-app", frozenset(Role))


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    """The service of a city with some reductions, read by somebody who may read everything."""
    city = City.found(tmp_path_factory.mktemp("city"))
    city.submit([city.ride("ann", NOON), city.ride("bob", NOON)])
    with served(city, sealing=False) as client:
        app: Any = client.app
        app.dependency_overrides[signed_by] = lambda: EVERYTHING
        # It runs already; whoever calls it here does not start it again.
        app.router.lifespan_context = lambda _: nullcontext()
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


@schemathesis.serializer("application/x-ndjson", "application/cose")
def as_bytes(_: object, value: object) -> bytes:
    """A body of a format of its own: any bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_what_is_asked_by_the_description_is_answered_by_it(
    described: schemathesis.BaseSchema,
) -> None:
    failed = []
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(max_examples=5)
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        try:
            check()
        except FailureGroup as group:
            failed += [f"{operation.label}: {one.title}: {one.message}" for one in group.exceptions]
    assert not failed, "\n".join(failed)


def test_every_operation_tells_what_it_is_for(described: schemathesis.BaseSchema) -> None:
    for path, operations in described.raw_schema["paths"].items():
        for method, one in operations.items():
            assert one["summary"] and one["description"], (path, method)
            for parameter in one.get("parameters", []):
                assert parameter.get("description"), (path, parameter["name"])
            assert {"4XX", "5XX"} <= one["responses"].keys(), (path, method)


@pytest.mark.parametrize(
    ("path", "security"),
    [
        ("/v1/blocks", []),
        ("/v1/reductions", [{"signature": []}]),
        ("/activities/{folder}/{root}.ndjson", [{"signature": []}, {"signature": [], "token": []}]),
    ],
)
def test_it_says_who_must_sign(
    described: schemathesis.BaseSchema, path: str, security: list[dict[str, list[str]]]
) -> None:
    assert described.raw_schema["paths"][path]["get"]["security"] == security
