"""How the property tests run: the same examples every time, or many more in the long runs; and on
which databases the tests of a ledger run: on each."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from support import postgres

# Timing decides no test: neither a deadline nor a slow generator fails one.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=30,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    deadline=None,
    max_examples=2_000,
    print_blob=True,
    stateful_step_count=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")


#: What runs on PostgreSQL in the ordinary suite as well; all else does in the long runs.
ON_BOTH = frozenset(
    {
        "test_backup",
        "test_crashes",
        "test_leading",
        "test_processes",
        "test_races",
        "test_roles",
        "test_statistics",
        "test_succession",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if params.get("database") == "postgresql" and item.path.stem not in ON_BOTH:
            item.add_marker("long")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server, started when the first test wants it."""
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The database in which the ledgers of a module's tests are: each of the two in turn."""
    if request.param == "sqlite":
        yield request.param
    else:
        server: postgres.Server = request.getfixturevalue("postgres_server")
        with server.use():
            yield request.param


@pytest.fixture(autouse=True)
def databases() -> Iterator[None]:
    """A test's databases in PostgreSQL go with it, and its connections."""
    with postgres.passing():
        yield
