"""What the role of a service may do on PostgreSQL: enter and read, and change only what has to.

The log and what follows from it is entered once; no role but the owner of the tables can change or
remove a row of it.  What may change, and how, is listed here for each such table.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from chain.store.tables import metadata
from keys.errors import Usage

MAY_ENTER = "SELECT, INSERT"
MAY_CHANGE = {
    # Voided, recorded again after a void, archived.
    "reduction": "SELECT, INSERT, UPDATE, DELETE",
    "page": "SELECT, INSERT, UPDATE, DELETE",
    "pending": "SELECT, INSERT, UPDATE, DELETE",
    "statistic": "SELECT, INSERT, UPDATE",
    "subject": "SELECT, INSERT, DELETE",  # with an activity that is erased
    "lead": "SELECT, UPDATE",
}


def grants(connection: Connection, role: str) -> Iterator[str]:
    """The statements that give a role what a service needs in this database, and no more."""
    preparer = connection.dialect.identifier_preparer
    name = preparer.quote_identifier(role)
    database, schema = connection.execute(text("SELECT current_database(), current_schema()")).one()
    within = preparer.quote_identifier(schema)
    yield f"GRANT CONNECT ON DATABASE {preparer.quote_identifier(database)} TO {name}"
    yield f"GRANT USAGE ON SCHEMA {within} TO {name}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {within} FROM {name}"
    yield f"GRANT SELECT ON {within}.alembic_version TO {name}"
    for table in metadata.sorted_tables:
        rights = MAY_CHANGE.get(table.name, MAY_ENTER)
        yield f"GRANT {rights} ON {within}.{preparer.quote(table.name)} TO {name}"
    yield f"GRANT USAGE ON SEQUENCE {within}.pending_number_seq TO {name}"


def grant(connection: Connection, role: str) -> list[str]:
    """Give a role what a service needs; the statements that did so.  Raises `Usage`."""
    known = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    if known is None:
        raise Usage("database-role-unknown", role=role)
    made = list(grants(connection, role))
    for statement in made:
        connection.exec_driver_sql(statement)
    return made
