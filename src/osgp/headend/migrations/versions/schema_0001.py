"""The first schema: devices, images, registers, load profiles, events, links, cursors, runs.

Frozen: a store of this schema exists somewhere. Changes go into a further migration.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_devices()
    _create_tables_read()
    _create_load_profiles()
    _create_logs()
    _create_runs()


def _required(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _create_of_device(name: str, *columns: sa.Column[Any], key: tuple[str, ...]) -> None:
    op.create_table(
        name,
        _required("device_id", sa.Integer()),
        *columns,
        sa.PrimaryKeyConstraint("device_id", *key, name=f"pk_{name}"),
        *_device_keys(name, columns),
        sqlite_with_rowid=False,
    )


def _device_keys(name: str, columns: tuple[sa.Column[Any], ...]) -> list[sa.ForeignKeyConstraint]:
    targets = {"device_id": "devices.id"}
    if any(column.name == "channels_id" for column in columns):
        targets["channels_id"] = "profile_channels.id"
    return [
        sa.ForeignKeyConstraint([column], [target], name=f"fk_{name}_{column}")
        for column, target in targets.items()
    ]


def _create_devices() -> None:
    op.create_table(
        "devices",
        _required("id", sa.Integer()),
        _required("neuron_id", sa.LargeBinary()),
        _required("program_id", sa.LargeBinary()),
        _required("state", sa.Text()),
        _required("first_seen", sa.Double()),
        _required("domain", sa.LargeBinary()),
        _required("subnet", sa.Integer()),
        _required("node", sa.Integer()),
        sa.Column("commissioned_at", sa.Double()),
        sa.Column("last_contact", sa.Double()),
        _required("sequence", sa.BigInteger()),
        _required("identity", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("neuron_id", name="uq_devices"),
    )


def _create_tables_read() -> None:
    _create_of_device(
        "table_images",
        _required("read_at", sa.Double()),
        _required("table_number", sa.Integer()),
        _required("byte_offset", sa.Integer()),
        _required("data", sa.LargeBinary()),
        key=("read_at", "table_number", "byte_offset"),
    )
    _create_of_device(
        "registers",
        _required("read_at", sa.Double()),
        _required("table_number", sa.Integer()),
        _required("path", sa.Text()),
        _required("value", sa.BigInteger()),
        _required("unit", sa.Text()),
        sa.Column("source", sa.Integer()),
        key=("read_at", "table_number", "path"),
    )


def _create_load_profiles() -> None:
    columns = ("device_id", "data_set", "interval_minutes", "sources", "units")
    op.create_table(
        "profile_channels",
        _required("id", sa.Integer()),
        _required("device_id", sa.Integer()),
        _required("data_set", sa.Integer()),
        _required("interval_minutes", sa.Integer()),
        _required("sources", sa.Text()),
        _required("units", sa.Text()),
        _required("read_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_profile_channels"),
        sa.UniqueConstraint(*columns, name="uq_profile_channels"),
        *_device_keys("profile_channels", ()),
    )
    _create_of_device(
        "profile_blocks",
        _required("read_at", sa.Double()),
        _required("data_set", sa.Integer()),
        _required("block_sequence", sa.BigInteger()),
        _required("byte_offset", sa.Integer()),
        _required("data", sa.LargeBinary()),
        key=("read_at", "data_set", "block_sequence", "byte_offset"),
    )
    _create_of_device(
        "intervals",
        _required("end_at", sa.BigInteger()),
        _required("data_set", sa.Integer()),
        _required("channel_values", sa.LargeBinary()),
        _required("channel_status", sa.LargeBinary()),
        _required("common_status", sa.Integer()),
        sa.Column("channels_id", sa.Integer()),
        key=("end_at", "data_set"),
    )


def _create_logs() -> None:
    _create_of_device(
        "events",
        _required("event_sequence", sa.BigInteger()),
        _required("at", sa.BigInteger()),
        _required("number", sa.Integer()),
        _required("argument", sa.BigInteger()),
        _required("user_id", sa.Integer()),
        _required("name", sa.Text()),
        key=("event_sequence",),
    )
    _create_of_device(
        "link_samples",
        _required("at", sa.Double()),
        _required("requests", sa.Integer()),
        _required("responses", sa.Integer()),
        _required("retries", sa.Integer()),
        _required("failures", sa.Integer()),
        sa.Column("margin_db", sa.Double()),
        _required("airtime", sa.Double()),
        key=("at",),
    )
    _create_of_device(
        "cursors",
        sa.Column("block_sequence", sa.BigInteger()),
        _required("intervals", sa.Integer()),
        sa.Column("event_sequence", sa.BigInteger()),
        _required("read_at", sa.Double()),
        key=(),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        _required("id", sa.Integer()),
        _required("began_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        _required("meta", sa.JSON()),
        sa.Column("summary", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_table(
        "meta",
        _required("key", sa.Text()),
        _required("value", sa.Text()),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
