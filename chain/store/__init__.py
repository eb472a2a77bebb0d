"""Where a ledger is kept: a database (SQLAlchemy 2) and files beside it."""
