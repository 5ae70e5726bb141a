"""The tables and views of a ledger, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from otel_carbon.errors import LedgerError
from otel_carbon.ledger.columns import COLUMNS, Column
from otel_carbon.ledger.dialect import immediate
from otel_carbon.ledger.extra import require_ledger_extra
from otel_carbon.ledger.rollup import COUNTS, DIMENSIONS, SUMS
from otel_carbon.ledger.views import VIEWS

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

__all__ = ["check_schema", "upgrade"]

_KINDS = "'call', 'reversal', 'restatement', 'adjustment'"
_TYPES = {column.name: column.type for column in COLUMNS}
_STATUSES = "'estimated', 'no_usage', 'unknown_model', 'failed', 'duplicate', 'parent'"


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the schema of a ledger to this version; does nothing where it is already there.

    Raises:
        LedgerError: the file was written by a newer version.
        MissingExtraError: sqlite-utils is not installed.
    """
    database, migrations = _database(connection), _migrations()
    if not _pending(database, migrations):
        return
    # Under the write lock, so that of several processes that start together only one does it.
    with immediate(connection):
        migrations.apply(database)


def check_schema(connection: sqlite3.Connection) -> None:
    """Refuse a file that this version cannot read.

    Raises:
        LedgerError: it is empty, or of an older or a newer version.
        MissingExtraError: sqlite-utils is not installed.
    """
    if _pending(_database(connection), _migrations()):
        raise LedgerError("is empty or of an older version: open it once with `otel-carbon serve` to upgrade it")


def _database(connection: sqlite3.Connection) -> Database:
    require_ledger_extra("the ledger")
    from sqlite_utils import Database  # noqa: PLC0415  # an extra: the rest of the package works without it

    return Database(connection)


def _migrations() -> Migrations:
    from sqlite_utils import Migrations  # noqa: PLC0415  # see _database

    migrations = Migrations("otel_carbon_ledger")
    for name, step in _STEPS.items():
        migrations(name=name)(step)
    return migrations


def _pending(database: Database, migrations: Migrations) -> bool:
    newer = {migration.name for migration in migrations.applied(database)} - _STEPS.keys()
    if newer:
        names = ", ".join(sorted(newer))
        raise LedgerError(f"the ledger was written by a newer version of otel-carbon ({names}): upgrade this one")
    return bool(migrations.pending(database))


def _create_book(database: Database) -> None:
    # Statement by statement: executescript() would commit, and half a schema must never stay behind.
    for statement in (*_tables(), *_indexes(), *_triggers(), *VIEWS):
        database.execute(statement)
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    database.execute(
        "INSERT INTO meta (key, value) VALUES ('ledger_id', ?), ('created_at', ?)", (str(uuid.uuid4()), now)
    )


def _tables() -> tuple[str, ...]:
    return (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        (
            "CREATE TABLE cursors (name TEXT PRIMARY KEY, position INTEGER NOT NULL, recorded_at TEXT NOT NULL,"
            " taken_back TEXT)"
        ),
        f"CREATE TABLE lines ({', '.join(map(_definition, COLUMNS))})",
        (
            "CREATE TABLE observations (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL DEFAULT '',"
            " trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_span_id TEXT NOT NULL DEFAULT '',"
            " role TEXT NOT NULL CHECK (role IN ('call', 'parent')),"
            f" status TEXT NOT NULL CHECK (status IN ({_STATUSES})), first_status TEXT NOT NULL,"
            " status_changed_at TEXT, occurred_at TEXT NOT NULL, recorded_at TEXT NOT NULL, line_seq INTEGER,"
            " response_id TEXT, response_key INTEGER, twin_key INTEGER, call_group INTEGER, compared TEXT,"
            " scope TEXT, has_usage INTEGER NOT NULL,"
            " started_unix_nano INTEGER NOT NULL, ended_unix_nano INTEGER NOT NULL, fingerprint INTEGER NOT NULL,"
            " UNIQUE (trace_id, span_id, tenant))"
        ),
        # Where a tenant has one library only, no two spans side by side are one call, and none are looked for.
        "CREATE TABLE scopes (tenant TEXT NOT NULL, scope TEXT NOT NULL, PRIMARY KEY (tenant, scope))",
        (
            "CREATE TABLE conflicts (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, trace_id TEXT NOT NULL,"
            " span_id TEXT NOT NULL, occurred_at TEXT NOT NULL, recorded_at TEXT NOT NULL,"
            " fingerprint INTEGER NOT NULL, content TEXT NOT NULL, UNIQUE (trace_id, span_id, tenant, fingerprint))"
        ),
        (
            f"CREATE TABLE hourly (hour TEXT NOT NULL, {', '.join(f'{name} TEXT NOT NULL' for name in DIMENSIONS)},"
            f" {', '.join(f'{name} INTEGER NOT NULL' for name in COUNTS)}, {', '.join(map(_sum_definition, SUMS))},"
            f" PRIMARY KEY (hour, {', '.join(DIMENSIONS)}))"
        ),
        (
            "CREATE TABLE hourly_spans (hour TEXT NOT NULL, tenant TEXT NOT NULL, status TEXT NOT NULL,"
            " spans INTEGER NOT NULL, PRIMARY KEY (hour, tenant, status))"
        ),
    )


def _indexes() -> tuple[str, ...]:
    return (
        "CREATE INDEX lines_occurred_at ON lines (occurred_at)",
        # A line is taken back at most once.
        "CREATE UNIQUE INDEX lines_reverses_seq ON lines (reverses_seq) WHERE reverses_seq IS NOT NULL",
        # Of a hash, because response ids are long and random; whoever looks up compares the id itself.
        # With the time, because some servers give every answer the same id.
        (
            "CREATE INDEX observations_response ON observations (response_key, started_unix_nano)"
            " WHERE response_key IS NOT NULL"
        ),
        "CREATE INDEX observations_twin ON observations (twin_key, started_unix_nano) WHERE twin_key IS NOT NULL",
        (
            "CREATE INDEX observations_child ON observations (trace_id, parent_span_id)"
            " WHERE role = 'call' AND parent_span_id <> ''"
        ),
        "CREATE INDEX observations_group ON observations (call_group) WHERE call_group IS NOT NULL",
    )


def _triggers() -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER lines_no_{verb.lower()} BEFORE {verb} ON lines"
        " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct a line with a reversal'); END"
        for verb in ("UPDATE", "DELETE")
    )


def _definition(column: Column) -> str:
    if column.name == "seq":
        return "seq INTEGER PRIMARY KEY"
    check = f" CHECK (kind IN ({_KINDS}))" if column.name == "kind" else ""
    return f'"{column.name}" {column.type}{" NOT NULL" if column.required else ""}{check}'


def _sum_definition(name: str) -> str:
    if name == "calls":
        return "calls REAL NOT NULL"
    return f"{name} {_TYPES[name]}"


# Steps are only ever added: a released one never changes.
_STEPS: dict[str, Callable[[Database], None]] = {"0001_book": _create_book}
