"""What a concentrator learns of its network: links, chains, phases, who has searched.

Frozen: a store of this schema exists somewhere. Changes go into a further migration.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("devices", sa.Column("phase", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("devices", sa.Column("searched_at", sa.Double()))
    _create_links()
    _create_routes()


def _required(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _create_links() -> None:
    op.create_table(
        "links",
        _required("one", sa.LargeBinary()),
        _required("other", sa.LargeBinary()),
        _required("carrier", sa.Integer()),
        sa.Column("forth_db", sa.Double()),
        sa.Column("back_db", sa.Double()),
        _required("successes", sa.Double()),
        _required("failures", sa.Double()),
        _required("at", sa.Double()),
        sa.PrimaryKeyConstraint("one", "other", "carrier", name="pk_links"),
        sqlite_with_rowid=False,
    )


def _create_routes() -> None:
    op.create_table(
        "routes",
        _required("device_id", sa.Integer()),
        _required("hops", sa.LargeBinary()),
        _required("carriers", sa.LargeBinary()),
        _required("changed_at", sa.Double()),
        sa.PrimaryKeyConstraint("device_id", name="pk_routes"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_routes_device_id"),
        sqlite_with_rowid=False,
    )
