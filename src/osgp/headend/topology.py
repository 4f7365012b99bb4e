"""What a concentrator learnt of its network: links between nodes, and chains to devices.

Unlike readings this is knowledge that ages: a newer record takes the place of an older one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from osgp.errors import StoreError
from osgp.headend.database import place_of, upsert, writing
from osgp.headend.rows import check_time
from osgp.headend.schema import devices, links, routes
from osgp.headend.summaries import Summaries
from osgp.topology import LinkRecord, RouteRecord

Row = dict[str, Any]

_NODE_SIZE: Final = 6


class Topology(Summaries):
    """The store as the concentrator's `TopologyStore`."""

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._open(), writing(self._engine) as connection:
            yield connection

    def links(self) -> list[LinkRecord]:
        """All links that are known."""
        columns = [links.c[name] for name in LinkRecord.__struct_fields__]
        return [LinkRecord(*row) for row in self._fetch(select(*columns))]

    def routes(self) -> list[RouteRecord]:
        """The chain to every device that was ever reached, in the order of their registration."""
        columns = (devices.c.neuron_id, routes.c.hops, routes.c.carriers, routes.c.changed_at)
        statement = select(*columns).join_from(routes, devices).order_by(devices.c.id)
        return [
            RouteRecord(neuron_id, tuple(_nodes(hops)), tuple(carriers), changed_at)
            for neuron_id, hops, carriers, changed_at in self._fetch(statement)
        ]

    def save_topology(
        self, new_links: Sequence[LinkRecord], new_routes: Sequence[RouteRecord]
    ) -> None:
        """Keeps what is new in one transaction, in place of what was known."""
        rows = [_link_row(record) for record in new_links]
        for route in new_routes:
            check_time(route.changed_at, "routes.changed_at")
        with self._writing() as connection:
            dialect = connection.dialect.name
            if rows:
                connection.execute(upsert(dialect, links), rows)
            for route in new_routes:
                connection.execute(upsert(dialect, routes), self._route_row(connection, route))

    def _route_row(self, connection: Connection, route: RouteRecord) -> Row:
        statement = select(devices.c.id).where(devices.c.neuron_id == route.neuron_id)
        device_id = connection.execute(statement).scalar()
        if device_id is None:
            unknown = f"device {route.neuron_id.hex()} is not known to it; save the device first"
            raise StoreError(f"{place_of(self._url)}: {unknown}")
        return {
            "device_id": device_id,
            "hops": b"".join(route.hops),
            "carriers": bytes(route.carriers),
            "changed_at": route.changed_at,
        }


def _link_row(record: LinkRecord) -> Row:
    check_time(record.at, "links.at")
    return msgspec.structs.asdict(record) | {"carrier": int(record.carrier)}


def _nodes(packed: bytes) -> Iterator[bytes]:
    for at in range(0, len(packed), _NODE_SIZE):
        yield packed[at : at + _NODE_SIZE]
