"""Authentication of single messages: challenge and reply.

The receiver of a message that asks for it answers with 8 random bytes; the sender proves its
key by returning a digest of challenge and message. Two schemes:

    standard  6-byte key of the domain the message came on; digest over the APDU
    OMA       12-byte key, the key fields of both domains; digest over destination(9) and APDU

The message is delivered whatever the reply, marked authenticated or not. Broadcasts are never
challenged: a reply cannot be told from that to another broadcast.
The OMA destination block pads with 0xFF: Neuron ID(6) | FFFFFF, or domain(6, zero padded) |
domain length | subnet | node, or domain(6) | domain length | group | FF.
"""

from __future__ import annotations

import hmac

from osgp.lon.addresses import Broadcast, Destination, Group, GroupMember, NeuronId, SubnetNode
from osgp.lon.config import KEY_LENGTH, AuthScheme, NodeConfig
from osgp.lon.network import Domain
from osgp.lon.tpdu import AuthType
from osgp.security.oma import en14908_oma_reply, en14908_reply

CHALLENGES = {
    AuthType.CHALLENGE: AuthScheme.STANDARD,
    AuthType.CHALLENGE_OMA: AuthScheme.OMA,
}
REPLIES = {AuthType.REPLY: AuthScheme.STANDARD, AuthType.REPLY_OMA: AuthScheme.OMA}
CHALLENGE_OF = {scheme: kind for kind, scheme in CHALLENGES.items()}
REPLY_OF = {scheme: kind for kind, scheme in REPLIES.items()}

_DOMAIN_FIELD = 6


def own_scheme(config: NodeConfig) -> AuthScheme:
    """The scheme this node challenges with: that of the domain at index 0."""
    return config.domains[0].auth


def key_for(config: NodeConfig, scheme: AuthScheme, domain: Domain) -> bytes:
    """The node's key: 12 bytes for OMA, else the 6 of `domain` (flex: first one in use)."""
    if scheme is AuthScheme.OMA:
        return config.oma_key
    if domain.index is not None:
        return config.domains[domain.index].key
    return next((entry.key for entry in config.domains if entry.valid), config.domains[0].key)


def digest(
    scheme: AuthScheme, challenge: bytes, key: bytes, to: Destination, domain: bytes, apdu: bytes
) -> bytes:
    """The 8-byte reply to `challenge` for a message `apdu` that was sent to `to` on `domain`."""
    if scheme is AuthScheme.OMA:
        return en14908_oma_reply(challenge, key, oma_destination(to, domain), apdu)
    return en14908_reply(challenge, key[:KEY_LENGTH], apdu)


def replies_match(expected: bytes, received: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(expected, received)


def oma_destination(to: Destination, domain: bytes) -> bytes:
    """The 9 bytes that bind an OMA digest to the destination of its message."""
    if isinstance(to, NeuronId):
        return to.neuron + b"\xff\xff\xff"
    return domain.ljust(_DOMAIN_FIELD, b"\0") + bytes((len(domain), *_within(to)))


def _within(to: SubnetNode | Group | GroupMember | Broadcast) -> tuple[int, int]:
    match to:
        case SubnetNode(subnet, node):
            return subnet, node
        case Group(group):
            return group, 0xFF
    return 0xFF, 0xFF
