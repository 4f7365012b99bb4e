"""A store's database: its URL, the engine behind it, and bringing its schema up to date.

Whatever goes wrong becomes a StoreError of one line that says what to do and never carries the
URL's password.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.sql.compiler import SQLCompiler

from osgp.errors import StoreError
from osgp.headend.schema import VERSION_TABLE

MIGRATIONS: Final = Path(__file__).with_name("migrations")
DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
INSTALL: Final = {"postgresql": "python -m pip install 'psycopg[binary]'"}
EXAMPLES: Final = "sqlite:///meters.db or postgresql://user@host/database"

BUSY_SECONDS: Final = 30
CONNECT_SECONDS: Final = 10
_SQLITE_MAGIC: Final = b"SQLite format 3\x00"
_SQLITE_PRAGMAS: Final = (
    f"busy_timeout = {BUSY_SECONDS * 1000}",
    "synchronous = NORMAL",
    "foreign_keys = ON",
)
_MIGRATION_LOCK: Final = 0x4F534750
"""PostgreSQL advisory lock ("OSGP"): two programs opening a new store migrate one at a time."""

_REFUSALS: Final = (
    *(SQLAlchemyError, CommandError, ImportError, OSError),
    *(OverflowError, ValueError, TypeError, LookupError, struct.error),
)
"""The second line is what drivers and unpacking raise for values out of range or damaged rows."""

_ADVICE: Final = {
    "database is locked": "another program is writing to it; try again when it has finished",
    "readonly database": "it may only be read; check the permissions of the file and its directory",
    "disk is full": "free some space and run again; nothing was half stored",
    "malformed": "the file is damaged; restore a copy",
    "not a database": "the file is damaged or encrypted; restore a copy",
    "no such table": "the store is incomplete; restore a copy",
    "password authentication failed": "check the user and password in the URL",
    "connection refused": "is the database server running there?",
}

_INSERTS: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@cache
def insert_new(dialect: str, table: Table) -> Insert:
    """An INSERT into `table` that leaves rows alone whose key is there already."""
    insert: Any = _INSERTS[dialect](table)
    new: Insert = insert.on_conflict_do_nothing()
    return new


def insert_rows(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    """Inserts what is not there yet of `rows`, which have the same columns; the number of those.

    The statement goes to the driver as text: taking thousands of plain rows apart for it one by
    one costs more than inserting them.
    """
    statement = _compiled(connection.dialect, table, tuple(rows[0]))
    order = statement.positiontup
    values: Any = rows if order is None else list(map(itemgetter(*order), rows))
    return connection.exec_driver_sql(str(statement), values).rowcount


@cache
def _compiled(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> SQLCompiler:
    statement: Any = insert_new(dialect.name, table)
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=list(columns))
    return compiled


@cache
def upsert(dialect: str, table: Table, *, not_older: str = "") -> Insert:
    """An INSERT into `table` that overwrites the row of the same key.

    `table` has one natural key: its UNIQUE constraint, else its primary key. With `not_older` the
    row is kept as it is where that column of the new row is smaller.
    """
    insert: Any = _INSERTS[dialect](table)
    key = _natural_key(table)
    changed = {
        c.key: insert.excluded[c.key] for c in table.c if c.name not in key and c.key != "id"
    }
    newer = insert.excluded[not_older] >= table.c[not_older] if not_older else None
    upserting: Insert = insert.on_conflict_do_update(
        index_elements=[table.c[name] for name in key], set_=changed, where=newer
    )
    return upserting


def _natural_key(table: Table) -> list[str]:
    unique = [c for c in table.constraints if type(c).__name__ == "UniqueConstraint"]
    constraint: Any = unique[0] if unique else table.primary_key
    return [column.name for column in constraint.columns]


def place_of(url: URL) -> str:
    """The store as named in messages: never a user, a password or an option."""
    if url.get_backend_name() == "sqlite":
        return f"store {url.database or ':memory:'}"
    port = f":{url.port}" if url.port else ""
    return f"store {url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"


@contextmanager
def refusing(url: URL) -> Iterator[None]:
    """Turns whatever the database refuses within into StoreError."""
    try:
        yield
    except _REFUSALS as error:
        raise StoreError(f"{place_of(url)}: {_reason(error, url)}") from error


def _reason(error: BaseException, url: URL) -> str:
    line = " ".join(str(getattr(error, "orig", None) or error).split()) or type(error).__name__
    for secret in filter(None, (url.password, url.query.get("password"))):
        line = line.replace(str(secret), "***")
    advice = [text for fragment, text in _ADVICE.items() if fragment in line.lower()]
    return f"{line} ({advice[0]})" if advice else line


def parse_url(text: str) -> URL:
    """The URL of a store with its driver filled in. Raises StoreError, which never quotes it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreError(f"not the URL of a store; write it like {EXAMPLES}") from None
    backend = url.get_backend_name()
    if backend == "sqlite" and (url.host or url.query):
        raise StoreError(f"an SQLite store has no host and no options; write it like {EXAMPLES}")
    if backend not in DRIVERS or url.drivername not in (backend, DRIVERS[backend]):
        raise StoreError(f"a store cannot be kept in {url.drivername!r}; use {EXAMPLES}")
    return url.set(drivername=DRIVERS[backend])


def open_engine(url: URL, *, create: bool) -> Engine:
    """An engine on a store of the newest schema; creates or migrates it where needed.

    Raises StoreError: nothing there (with `create` off), no database, another program's database,
    a newer schema, an unreachable server, a missing driver.
    """
    if url.get_backend_name() == "sqlite":
        _check_file(url, create)
    engine = _engine(url)
    try:
        with refusing(url):
            _migrate(engine, url, create)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _check_file(url: URL, create: bool) -> None:
    if not url.database or url.database == ":memory:":
        return
    with refusing(url):
        reason = _file_trouble(Path(url.database), create)
    if reason:
        raise StoreError(f"{place_of(url)}: {reason}")


def _file_trouble(path: Path, create: bool) -> str:
    if not path.exists():
        if not path.parent.is_dir():
            return f"there is no directory {path.parent}; create it first"
        return "" if create else "there is no such file; check the path"
    if not path.is_file():
        return "that is no file; name a database file"
    with path.open("rb") as file:
        start = file.read(len(_SQLITE_MAGIC))
    if start and start != _SQLITE_MAGIC:
        return "the file is not a database; name another one"
    return ""


def _engine(url: URL) -> Engine:
    on_server = url.get_backend_name() == "postgresql"
    options = {"connect_timeout": CONNECT_SECONDS} if on_server else {}
    try:
        engine = create_engine(url, hide_parameters=True, connect_args=options)
    except ImportError:
        how = INSTALL.get(url.get_backend_name(), "")
        raise StoreError(f"{place_of(url)}: its driver is not installed; {how}") from None
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise StoreError(f"{place_of(url)}: {_reason(error, url)}") from None
    if not on_server:
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late for DDL and reads
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer half way cannot wait for another writer, so writers start as such.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction: committed at the end, rolled back on any exception."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def _migrate(engine: Engine, url: URL, create: bool) -> None:
    with engine.connect() as connection:
        _take_turns(connection)
        found = schema_version(connection)
        if found is None:
            _check_empty(connection, url, create)
    if engine.dialect.name == "sqlite":
        _keep_a_write_ahead_log(engine)
    if found != _scripts().get_current_head():
        with writing(engine) as connection:
            _take_turns(connection)
            _upgrade(connection, url)


def _take_turns(connection: Connection) -> None:
    """Until the end of the transaction no other program migrates; SQLite sees to it by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))


def _keep_a_write_ahead_log(engine: Engine) -> None:
    """A lasting property of the file, so it is set on stores only, never on what else is opened."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def schema_version(connection: Connection) -> str | None:
    """The revision of the store on `connection`; None where there is no store."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  # a constant of ours
    return None if version is None else str(version)


def _check_empty(connection: Connection, url: URL, create: bool) -> None:
    if any(name != VERSION_TABLE for name in inspect(connection).get_table_names()):
        raise StoreError(f"{place_of(url)}: the database of another program; name an empty one")
    if not create:
        raise StoreError(f"{place_of(url)}: holds no store yet; check the path")


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def _upgrade(connection: Connection, url: URL) -> None:
    found = schema_version(connection)
    if found is not None and found not in {
        script.revision for script in _scripts().walk_revisions()
    }:
        raise StoreError(
            f"{place_of(url)}: written by a newer version of osgp (schema {found}); update osgp"
        )
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")
