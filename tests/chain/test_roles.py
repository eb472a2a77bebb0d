"""PostgreSQL: the role of a service, which can enter and read, and change nothing of the log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.books import UNIT, everybody
from support.certified import CertifiedCity
from support.city import NOON, TODAY, City, genesis
from support.postgres import Server, connect, url_of
from support.replay import check_replay

from chain.store import tables
from chain.store.database import open_engine
from chain.store.ledger import LedgerStore
from chain.store.roles import MAY_CHANGE, MAY_ENTER, grant
from keys.errors import Unreadable, Usage

ROLE = "the service's"
APPEND_ONLY = [
    "block",
    "cosignature",
    "final",
    "lot",
    "page_file",
    "place_file",
    "policy_link",
    "refusal",
    "statement",
    "submission_day",
]


@pytest.fixture
def owner(postgres_server: Server, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database, by its owner, and a role that may only connect."""
    with postgres_server.use():
        url = url_of(tmp_path / "city")
        assert url is not None
        with connect(url) as connection:
            connection.execute(f'CREATE ROLE "{ROLE}" LOGIN')
            try:
                yield url
            finally:
                connection.execute(f'DROP OWNED BY "{ROLE}"; DROP ROLE "{ROLE}"')


@pytest.fixture
def service(owner: str, tmp_path: Path) -> Iterator[LedgerStore]:
    """The store as the service opens it."""
    engine = open_engine(owner)
    with engine.begin() as connection:
        grant(connection, ROLE)
    engine.dispose()
    store = LedgerStore(tmp_path / "city", engine_by(owner))
    yield store
    store.engine.dispose()


def engine_by(owner: str) -> sa.Engine:
    url = sa.make_url(owner).set(username=ROLE)
    return open_engine(url.render_as_string(hide_password=False))


def test_a_whole_life_under_the_role_of_the_service(service: LedgerStore) -> None:
    lead = service.lead()
    assert lead is not None
    with lead:
        city = CertifiedCity(service.folder, store=service)
        city.sequencer.lead = lead
        city.sequencer.post([genesis(actions=everybody(), unit_grams=UNIT, acceptance_days=2)])
        city.sequencer.seal_all(NOON)
        lines = [city.ride(person, NOON) for person in ("ann", "ben", "cat")]
        answer = city.submit(lines)
        city.post(city.void(answer, [2], "metro-app"))
        assert list(city.submit([*lines[2:], city.ride("ann", NOON + 60)]).refusals) == [1]
        city.shut(TODAY + 1)
        of = city.certify(TODAY, TODAY + 1)
        root = city.unchecked(lines).root
        city.done(city.erasure(of, [reduction.leaf for reduction in city.reduce(lines)][:1]))
        assert city.store.activities(root) == [b"", *lines[1:]]
        check_replay(city)


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_the_role_of_the_service_changes_and_removes_nothing_of_the_log(
    service: LedgerStore, name: str
) -> None:
    City(service.folder, store=service)
    table = tables.metadata.tables[name]
    column = next(iter(table.columns))
    changes: list[Any] = [
        sa.delete(table),
        sa.update(table).values({column.name: column}),
        sa.text(f'TRUNCATE "{name}" CASCADE'),
        sa.text(f'DROP TABLE "{name}" CASCADE'),
        sa.text(f'ALTER TABLE "{name}" ADD COLUMN more int'),
    ]
    for change in changes:
        with pytest.raises(sa.exc.ProgrammingError) as refused, service.writing() as connection:
            connection.execute(change)
        assert refused.value.orig.sqlstate == "42501"  # insufficient privilege


def test_what_the_role_may_change_is_listed_and_is_not_the_log() -> None:
    assert MAY_ENTER == "SELECT, INSERT"
    assert sorted(set(tables.metadata.tables) - set(MAY_CHANGE)) == APPEND_ONLY
    assert set(MAY_CHANGE) <= set(tables.metadata.tables)


def test_the_service_does_not_migrate(owner: str, service: LedgerStore) -> None:
    service.prepare()  # the tables are up to date
    with connect(owner) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
        with pytest.raises(Unreadable) as outdated:
            service.prepare()
        assert outdated.value.details["found"] == "0003"
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(Unreadable) as newer:
            service.prepare()
    assert {outdated.value.code, newer.value.code} == {"database-version"}


def test_a_role_that_does_not_exist_is_given_nothing(owner: str) -> None:
    engine = open_engine(owner)
    with pytest.raises(Usage, match="database-role-unknown"), engine.begin() as connection:
        grant(connection, "nobody of this name")
    engine.dispose()
