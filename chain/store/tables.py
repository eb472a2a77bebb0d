"""The tables of a ledger's database.

Everything here can be computed again from the log and its files of reductions and activities,
except ``pending``, and what others have signed: ``cosignature``, and ``final`` and ``policy_link``,
which follow from it.
Integers that count bytes, grams or log indices are 64 bits wide; hashes are raw bytes.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Sealed blocks.  A second writer of the same height fails on the primary key.
block = Table(
    "block",
    metadata,
    Column(
        "height",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("first", BigInteger, nullable=False, comment="log index of the first statement"),
    Column("size", BigInteger, nullable=False, comment="size of the log after the block"),
    Column("time", BigInteger, nullable=False, comment="unix seconds, from the seal"),
    Column("seal", LargeBinary, nullable=False, comment="id of the seal's statement"),
    Column("register_root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False, comment="peaks of the log's tree"),
    Column("checkpoint", LargeBinary, nullable=False, comment="signed note"),
    Column("receipt_signature", LargeBinary, nullable=False, comment="of all its receipts"),
    # Empty where another operator has sealed the block (`chain.sequencer.Sequencer.take_over`).
    Column("next_page", BigInteger, nullable=False, comment="first unused page of the register"),
    Column("recorded", BigInteger, nullable=False, comment="reductions so far, less voided"),
    Column("refused", BigInteger, nullable=False, comment="reductions refused so far"),
    Column("grams", BigInteger, nullable=False, comment="grams recorded so far, less voided"),
)

#: The entries of the log.
statement = Table(
    "statement",
    metadata,
    Column(
        "index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    ),
    Column("id", LargeBinary, nullable=False, unique=True, comment="hash of what is signed"),
    Column("height", BigInteger, ForeignKey("block.height"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("ix_statement_kind", "kind", "index"),
)

#: Where the reduction of a holder stands, until its day is archived (`chain.store.archive`).  The
#: day comes first: holders fall anywhere, but what is written now lies together.
reduction = Table(
    "reduction",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("holder", LargeBinary, primary_key=True),
    Column("index", BigInteger, nullable=False, comment="log index of the submission"),
    Column("position", Integer, nullable=False, comment="place in the submission"),
    Column("voided", BigInteger, comment="log index of the void"),
    sqlite_with_rowid=False,
)

#: Reductions of sealed submissions that were not recorded.
refusal = Table(
    "refusal",
    metadata,
    Column("index", BigInteger, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("code", String(32), nullable=False),
    Column("claim", SmallInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("line", LargeBinary),
    Column("start", BigInteger),
    Column("end", BigInteger),
    Column("holder", LargeBinary),
    sqlite_with_rowid=False,
)

#: On which days the reductions of each submission are, recorded or not.
submission_day = Table(
    "submission_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, comment="log index of the submission"),
    sqlite_with_rowid=False,
)

#: Whose reductions are whose (`chain.store.subjects`).
subject = Table(
    "subject",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("pseudonym", LargeBinary, primary_key=True),
    Column("holder", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

#: What is recorded, less what is voided.
statistic = Table(
    "statistic",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("platform", String(64), primary_key=True),
    Column("scenario", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False, comment="reductions"),
    Column("grams", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: The lots of closed days (`chain.lots`); the reductions of each are in a file.
lot = Table(
    "lot",
    metadata,
    Column("platform", String(64), primary_key=True),
    Column("scenario", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False, comment="its reductions"),
    Column("grams", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: The pages of the register (`chain.register`).
page = Table(
    "page",
    metadata,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("data", LargeBinary, nullable=False),
)

#: The files of its pages that change no more (`chain.store.archive`).
page_file = Table(
    "page_file",
    metadata,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("digest", LargeBinary, nullable=False),
)

#: The files of places of reductions whose days are closed (likewise).
place_file = Table(
    "place_file",
    metadata,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("first", LargeBinary, nullable=False, comment="day and holder of its first row"),
    Column("last", LargeBinary, nullable=False, comment="of its last one"),
    Column("digest", LargeBinary, nullable=False),
)

#: Admitted statements that wait for a block; ``refusal`` is set when the rules refused one.
pending = Table(
    "pending",
    metadata,
    Column(
        "number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("id", LargeBinary, nullable=False, unique=True),
    Column("data", LargeBinary, nullable=False),
    Column("refusal", Text, comment="JSON"),
    sqlite_autoincrement=True,
)

#: What cosigners have signed of a block's checkpoint; each was verified before it was entered.
cosignature = Table(
    "cosignature",
    metadata,
    Column("height", BigInteger, ForeignKey("block.height"), primary_key=True),
    Column("name", Text, primary_key=True, comment="of the key"),
    Column("key_id", LargeBinary, primary_key=True),
    Column("signature", LargeBinary, nullable=False, comment="as in the note's line"),
    sqlite_with_rowid=False,
)

#: The blocks whose checkpoints have the quorum of the policy in use (`chain.finality`).
final = Table(
    "final",
    metadata,
    Column(
        "height",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("block.height"),
        primary_key=True,
        autoincrement=False,
    ),
)

#: The links of the chain of policies (`verifier.policies`); each is in use after its block.
policy_link = Table(
    "policy_link",
    metadata,
    Column(
        "height",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("block.height"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("data", LargeBinary, nullable=False, comment="JSON"),
)

#: How often the lead was taken (`chain.store.leading`): the one row.
lead = Table(
    "lead",
    metadata,
    Column(
        "epoch",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
        comment="how often the lead was taken",
    ),
)
