"""Tables of the store, in SQLAlchemy Core, for SQLite and PostgreSQL alike.

A record of `osgp.concentrator.sink` becomes one row. Its natural key is the primary key, device
first and time (or sequence number) second: storing a record again finds the row there, and a time
range of one device is one contiguous piece of the table. On SQLite the key is the table itself
(WITHOUT ROWID). Column keys are the records' field names; where a field's name is an SQL keyword
the column in the database is named otherwise. Times are seconds since 1970-01-01 UTC.

Why it looks like this: docs/adr/0004-store-schema.md. Source: project.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION_TABLE: Final = "osgp_schema"
"""Where Alembic notes the schema's version; its presence is what makes a database a store."""

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)


def _of_device() -> Column[Any]:
    return Column("device_id", ForeignKey("devices.id"), primary_key=True, autoincrement=False)


def _key(name: str, kind: Any, key: str | None = None) -> Column[Any]:
    return Column(name, kind, key=key or name, primary_key=True, autoincrement=False)


def _value(name: str, kind: Any, key: str | None = None) -> Column[Any]:
    return Column(name, kind, key=key or name, nullable=False)


def _clustered(name: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, _of_device(), *columns, sqlite_with_rowid=False)


devices: Final = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    _value("neuron_id", LargeBinary),
    _value("program_id", LargeBinary),
    _value("state", Text),
    _value("first_seen", Double),
    _value("domain", LargeBinary),
    _value("subnet", Integer),
    _value("node", Integer),
    Column("commissioned_at", Double),
    Column("last_contact", Double),
    _value("sequence", BigInteger),
    _value("identity", Text),
    Column("phase", Integer, nullable=False, server_default="0"),
    Column("searched_at", Double),
    UniqueConstraint("neuron_id"),
)

table_images: Final = _clustered(
    "table_images",
    _key("read_at", Double),
    _key("table_number", Integer, key="table"),
    _key("byte_offset", Integer, key="offset"),
    _value("data", LargeBinary),
)

registers: Final = _clustered(
    "registers",
    _key("read_at", Double),
    _key("table_number", Integer, key="table"),
    _key("path", Text),
    _value("value", BigInteger),
    _value("unit", Text),
    Column("source", Integer),
)

profile_channels: Final = Table(
    "profile_channels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    _value("data_set", Integer),
    _value("interval_minutes", Integer),
    _value("sources", Text),
    _value("units", Text),
    _value("read_at", Double),
    UniqueConstraint("device_id", "data_set", "interval_minutes", "sources", "units"),
)
"""One row per configuration ever seen; `read_at` is when it was seen last. Lists are JSON."""

profile_blocks: Final = _clustered(
    "profile_blocks",
    _key("read_at", Double),
    _key("data_set", Integer),
    _key("block_sequence", BigInteger, key="sequence"),
    _key("byte_offset", Integer, key="offset"),
    _value("data", LargeBinary),
)

intervals: Final = _clustered(
    "intervals",
    _key("end_at", BigInteger, key="end"),
    _key("data_set", Integer),
    _value("channel_values", LargeBinary, key="values"),
    _value("channel_status", LargeBinary, key="status"),
    _value("common_status", Integer),
    Column("channels_id", ForeignKey("profile_channels.id")),
)

events: Final = _clustered(
    "events",
    _key("event_sequence", BigInteger, key="sequence"),
    _value("at", BigInteger),
    _value("number", Integer),
    _value("argument", BigInteger),
    _value("user_id", Integer, key="user"),
    _value("name", Text),
)

link_samples: Final = _clustered(
    "link_samples",
    _key("at", Double),
    _value("requests", Integer),
    _value("responses", Integer),
    _value("retries", Integer),
    _value("failures", Integer),
    Column("margin_db", Double),
    _value("airtime", Double),
)

cursors: Final = _clustered(
    "cursors",
    Column("block_sequence", BigInteger),
    _value("intervals", Integer),
    Column("event_sequence", BigInteger),
    _value("read_at", Double),
)
"""`read_at` of the reading that set it: an older reading stored again does not move it back."""

links: Final = Table(
    "links",
    metadata,
    _key("one", LargeBinary),
    _key("other", LargeBinary),
    _key("carrier", Integer),
    Column("forth_db", Double),
    Column("back_db", Double),
    _value("successes", Double),
    _value("failures", Double),
    _value("at", Double),
    sqlite_with_rowid=False,
)
"""Nodes by neuron id: concentrators are among them, and they are no devices."""

routes: Final = _clustered(
    "routes",
    _value("hops", LargeBinary),
    _value("carriers", LargeBinary),
    _value("changed_at", Double),
)
"""The chain to each device: neuron ids of its repeaters, 6 bytes each; a byte for each link."""

runs: Final = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    _value("began_at", Double),
    Column("finished_at", Double),
    _value("meta", JSON),
    Column("summary", JSON),
)

meta: Final = Table("meta", metadata, _key("key", Text), _value("value", Text))
