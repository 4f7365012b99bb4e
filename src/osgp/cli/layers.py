"""The layers of a frame up to the fields of tables: EN 14908-1, repeating, services, security.

`osgp.lon.dissect` reads what every EN 14908-1 node can read. What an application message holds is
added here: requests on their way along a chain, table services, calls of procedures, discovery and
the messages of the AES suite. Table data is decoded where the request was seen before and the
dimensions are known; dimension tables that are read in full become known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from osgp.errors import DecodeError, OsgpError
from osgp.export.explain import in_words
from osgp.export.plain import plain_value
from osgp.lon.dissect import Layer, dissect
from osgp.repeating import REQUEST_CODE, AgentPart, Request
from osgp.repeating.uplink import FAILURE_CODE, Reason
from osgp.security import omak, profile
from osgp.spec import procedures, services, table_name, tables, transactions
from osgp.spec.services import Command, ResponseCode
from osgp.topology import atm
from osgp.wire import NO_DIMS, Dims, Layout, Record, bind
from osgp.wire.places import places

DIGEST: Final = 8
SEQUENCE: Final = 4
PLAIN: Final = 0x00
_TRANSACTION_HEADER: Final = 5
_ANSWERS: Final = (1, 2, 4)
"""Types of transactions that hold responses."""

MOST_REMEMBERED: Final = 4096
"""Requests that wait for their responses."""


class Item(msgspec.Struct, frozen=True):
    """A field: `offset` and `length` in bytes of the frame; `text` says it in words."""

    name: str
    value: Any
    offset: int
    length: int
    text: str = ""


class Shown(msgspec.Struct, frozen=True):
    """A layer with its fields."""

    name: str
    fields: tuple[Item, ...]


def layers_json(layers: list[Shown]) -> list[dict[str, Any]]:
    """Layers as JSON can carry them."""
    return [
        {
            "name": layer.name,
            "fields": [
                msgspec.structs.asdict(item) | {"value": plain_value(item.value)}
                for item in layer.fields
            ],
        }
        for layer in layers
    ]


class Asked(msgspec.Struct, frozen=True):
    """A table service that waits for its response; `offset` None: the whole table."""

    command: int
    table: int
    offset: int | None = None


class _Bytes(msgspec.Struct, frozen=True):
    """Bytes of a frame, and where they are in it."""

    data: bytes
    offset: int

    def behind(self, count: int) -> _Bytes:
        return _Bytes(self.data[count:], self.offset + count)

    def item(self, name: str, text: str = "") -> Item:
        return Item(name, self.data, self.offset, len(self.data), text)


class Dissector:
    """Takes frames apart, one after another; what earlier ones say helps with later ones."""

    def __init__(self, dims: Dims = NO_DIMS) -> None:
        self.dims = dims
        self._asked: dict[Any, Asked] = {}

    def layers(self, frame: bytes) -> list[Shown]:
        """The layers of an LPDU with its CRC, outermost first. Never raises."""
        found = dissect(frame)
        shown = [_shown(layer) for layer in found]
        if found[-1].name == "APDU":
            values = _values(found)
            code = found[-1].fields[0]
            apdu = _Bytes(frame[code.offset : found[0].fields[-2].offset], code.offset)
            shown += self._application(apdu, _Exchange(values))
        return shown

    def transaction(self, image: bytes) -> list[Shown]:
        """The messages of a transaction (ET52, ET53); none where it is not complete."""
        try:
            batch = transactions.unpack(image)
        except DecodeError:
            return []
        at = _TRANSACTION_HEADER + (1 + 2 * len(batch.groups) if batch.groups else 0)
        shown = []
        for number, message in enumerate(batch.messages, 1):
            body = _Bytes(message, at + 2)
            layers = self._message(body, batch.type in _ANSWERS)
            shown += [Shown(f"message {number}: {one.name}", one.fields) for one in layers]
            at = body.offset + len(message)
        return shown

    def _message(self, body: _Bytes, answer: bool) -> list[Shown]:
        try:
            return self._response(body, None) if answer else self._request(body, _Exchange({}))
        except DecodeError as error:
            return [Shown("malformed", (body.item("data", error.reason),))]

    def _application(self, apdu: _Bytes, exchange: _Exchange) -> list[Shown]:
        code = apdu.data[0]
        read = _MESSAGES.get(code)
        try:
            if code == PLAIN:
                return self._service(apdu.behind(1), exchange)
            if code == REQUEST_CODE and not exchange.answer:
                return self._repeated(apdu, exchange)
            return read(apdu, exchange.answer) if read is not None else []
        except OsgpError as error:
            reason = getattr(error, "reason", str(error))
            return [Shown("malformed", (Item("reason", reason, apdu.offset, len(apdu.data)),))]

    def _repeated(self, apdu: _Bytes, exchange: _Exchange) -> list[Shown]:
        """A request on its way along a chain, and what it carries."""
        layout: Layout[Any] = bind(Request, NO_DIMS)
        request = layout.decode(apdu.data)
        part = apdu.behind(len(apdu.data) - len(request.agent_part))
        agent: Layout[Any] = bind(AgentPart, NO_DIMS)
        inner = agent.decode(part.data)
        carried = part.behind(len(part.data) - len(inner.apdu))
        shown = [
            Shown("Repeating", _items(layout, request, apdu.offset)[:-1]),
            Shown("Repeating, agent", _items(agent, inner, part.offset)[:-1]),
        ]
        if not carried.data:
            return shown
        code = Item("code", carried.data[0], carried.offset, 1)
        shown.append(Shown("APDU for the target", (code, carried.behind(1).item("data"))))
        return shown + self._application(carried, exchange)

    def _service(self, body: _Bytes, exchange: _Exchange) -> list[Shown]:
        if exchange.answer:
            return self._response(body, self._asked.pop(exchange.key, None))
        return self._request(body, exchange)

    def _request(self, body: _Bytes, exchange: _Exchange) -> list[Shown]:
        layout: Layout[Any] | None = services.REQUESTS.get(body.data[0]) if body.data else None
        if layout is None:
            return [Shown("application data", (body.item("data"),))] if body.data else []
        record, end = layout.decode_from(body.data)
        asked = Asked(record.command, record.table, getattr(record, "offset", None))
        self._remember(exchange.key, asked)
        items = _items(layout, record, body.offset, {"table": _named(record.table)})
        shown = [Shown(_SERVICES[record.command], items)]
        if hasattr(record, "data"):
            at = body.offset + end - len(record.data)
            shown += self._content(asked, _Bytes(record.data, at))
        return shown + _trailer(body.behind(end), "sequence number", "digest")

    def _remember(self, key: Any, asked: Asked) -> None:
        if len(self._asked) >= MOST_REMEMBERED:
            self._asked.clear()
        self._asked[key] = asked

    def _response(self, body: _Bytes, asked: Asked | None) -> list[Shown]:
        if not body.data:
            return []
        reads = asked is None or asked.command in (Command.FULL_READ, Command.PARTIAL_READ)
        layout: Layout[Any] = services.WRITE_RESPONSE
        if body.data[0] == ResponseCode.OK and reads and _announces(body.data):
            layout = services.READ_RESPONSE
        record, end = layout.decode_from(body.data)
        name = "response" if asked is None else f"{_SERVICES[asked.command]} response"
        shown = [Shown(name, _items(layout, record, body.offset))]
        data = getattr(record, "data", b"")
        if asked is not None and data:
            shown += self._content(asked, _Bytes(data, body.offset + end - len(data)))
        expected = "sequence number" if body.data[0] == ResponseCode.SEQUENCE_NUMBER_ERROR else ""
        return shown + _trailer(body.behind(end), expected, "digest")

    def _content(self, asked: Asked, data: _Bytes) -> list[Shown]:
        """The table in the data, where all of it is there and its layout is known."""
        name = _named(asked.table)
        if asked.offset or name not in tables:
            return []
        declaration = tables[name]
        try:
            layout: Layout[Any] = declaration.bind(self.dims)
            record = layout.decode(data.data)
        except DecodeError:
            return []
        self.dims = self.dims.with_table(name, record)
        shown = Shown(f"{name} {declaration.info.title}", _items(layout, record, data.offset))
        return [shown, *_called(record, data)]


def _announces(data: bytes) -> bool:
    """Whether a response holds as much data as it says, with or without a digest behind."""
    size = 3 + int.from_bytes(data[1:3], "big")
    return len(data) in (size, size + DIGEST)


class _Exchange:
    """Who asks whom, and under which transaction number; the same for request and response."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.answer = values.get("type") == "RESPONSE"
        source = (values.get("source subnet"), values.get("source node"))
        target = (values.get("destination subnet"), values.get("destination node"))
        pair = (target, source) if self.answer else (source, target)
        self.key = (values.get("domain"), values.get("transaction number"), *pair)


def _values(layers: list[Layer]) -> dict[str, Any]:
    return {field.name: field.value for layer in layers for field in layer.fields}


def _shown(layer: Layer) -> Shown:
    items = (Item(one.name, one.value, one.offset, one.length) for one in layer.fields)
    return Shown(layer.name, tuple(items))


def _items(
    layout: Layout[Any], record: Record, start: int, texts: dict[str, str] | None = None
) -> tuple[Item, ...]:
    """Fields of a record; `texts` in place of what its declaration says."""
    return tuple(
        Item(
            place.path.replace("_", " "),
            place.value,
            place.offset,
            place.size,
            (texts or {}).get(place.path) or _words(place),
        )
        for place in places(layout, record, start)
    )


def _words(place: Any) -> str:
    if isinstance(place.value, bytes | bool):
        return ""
    return in_words(place.field, place.value, place.field.unit)


def _named(table: int) -> str:
    return table_name(table)


_SERVICES: Final[dict[int, str]] = {
    Command.FULL_READ: "full table read",
    Command.PARTIAL_READ: "partial table read",
    Command.FULL_WRITE: "full table write",
    Command.PARTIAL_WRITE: "partial table write",
}


def _trailer(rest: _Bytes, first: str, last: str) -> list[Shown]:
    """Sequence number and digest of the OMA suite; other lengths are shown as they are."""
    if not rest.data:
        return []
    number = len(rest.data) - DIGEST
    if number not in (0, SEQUENCE) or (number and not first):
        return [Shown("trailer", (rest.item("data"),))]
    items = []
    if number:
        counted = _Bytes(rest.data[:number], rest.offset)
        items.append(counted.item(first, str(int.from_bytes(counted.data, "big"))))
    return [Shown("security", (*items, rest.behind(number).item(last)))]


def _called(record: Any, data: _Bytes) -> list[Shown]:
    """Parameters in BT07, response data in BT08 and its like."""
    number = getattr(record, "procedure", None)
    if not isinstance(number, int) or number not in _numbers():
        return []
    declaration = procedures[number]
    result = not hasattr(record, "parameters")
    content = record.response_data if result else record.parameters
    layout_of = declaration.info.response if result else declaration
    if layout_of is None:
        return []
    layout: Layout[Any] = bind(layout_of, NO_DIMS)
    start = data.offset + len(data.data) - len(content)
    try:
        decoded, _ = layout.decode_from(content)
    except DecodeError:
        return []
    name = f"{declaration.info.name} {declaration.info.title}"
    return [Shown(name, _items(layout, decoded, start))]


def _numbers() -> set[int]:
    return {procedures[name].info.number for name in procedures}


def _failed(apdu: _Bytes, answer: bool) -> list[Shown]:
    """Failure of a chain: the hops that were left, and why."""
    if not answer or not 2 <= len(apdu.data) <= 3:
        return []
    items = [Item("remaining hops", apdu.data[1], apdu.offset + 1, 1)]
    if len(apdu.data) > 2:
        known = {reason.value: reason.name.lower() for reason in Reason}
        items.append(
            Item("reason", apdu.data[2], apdu.offset + 2, 1, known.get(apdu.data[2], "unknown"))
        )
    return [Shown("Repeating, failure", tuple(items))]


def _succeeded(apdu: _Bytes, answer: bool) -> list[Shown]:
    return [Shown("Repeating, success", ())] if answer and len(apdu.data) == 1 else []


def _encrypted(apdu: _Bytes, _: bool) -> list[Shown]:
    rest = apdu.behind(1)
    body = _Bytes(rest.data[:-DIGEST], rest.offset)
    digest = rest.behind(len(body.data))
    return [Shown("OMA suite, encrypted", (body.item("cipher text"), digest.item("digest")))]


def _aes(apdu: _Bytes, answer: bool) -> list[Shown]:
    rest = apdu.behind(1)
    items = []
    if not answer and len(rest.data) >= SEQUENCE:
        number = _Bytes(rest.data[:SEQUENCE], rest.offset)
        items.append(number.item("sequence number", str(int.from_bytes(number.data, "big"))))
        rest = rest.behind(SEQUENCE)
    return [Shown("AES suite", (*items, rest.item("cipher text and tag")))]


def _by_kind(name: str, kinds: dict[int, type[Record]], place: int) -> _Reader:
    """Messages whose declaration follows from one of their bytes."""

    def read(apdu: _Bytes, _: bool) -> list[Shown]:
        kind = kinds.get(apdu.data[place]) if len(apdu.data) > place else None
        if kind is None:
            return [Shown(name, (apdu.behind(1).item("data"),))]
        layout: Layout[Any] = bind(kind, NO_DIMS)
        record, _end = layout.decode_from(apdu.data)
        return [Shown(f"{name}, {_spaced(kind.__name__)}", _items(layout, record, apdu.offset))]

    return read


def _spaced(name: str) -> str:
    return "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in name).strip()


_Reader = Callable[[_Bytes, bool], list[Shown]]

_MESSAGES: Final[dict[int, _Reader]] = {
    FAILURE_CODE: _failed,
    REQUEST_CODE: _succeeded,
    omak.ENCRYPTED: _encrypted,
    atm.MESSAGE_CODE: _by_kind(
        "ATM",
        {atm.Kind.QUERY: atm.DiscoveryQuery, atm.Kind.ANSWER: atm.DiscoveryAnswer},
        2,
    ),
    profile.Code.UNICAST: _aes,
    profile.Code.BROADCAST: _aes,
    profile.Code.HANDSHAKE: _by_kind("AES handshake", dict(profile.HANDSHAKE_MESSAGES), 1),
    profile.Code.ERROR: _by_kind(
        "AES error", {1: profile.AuthenticationFailure, 2: profile.SequenceError}, 1
    ),
}
