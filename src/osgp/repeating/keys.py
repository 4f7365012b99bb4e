"""Alternate keys: an agent that proves a target's key without anybody sending it (Annex G.3.7).

The source, which knows the keys of agent and target, sends the bytewise difference modulo 256.
Standard keys have 6 bytes, OMA keys 12. The difference is no key, but with either key it gives
the other: it is treated like one, and never printed.
"""

from __future__ import annotations

from osgp.errors import EncodeError
from osgp.lon.config import KEY_LENGTH, OMA_KEY_LENGTH, NodeConfig


def key_delta(agent_key: bytes, target_key: bytes) -> bytes:
    """What the agent adds to its key to have the target's. Raises EncodeError (lengths)."""
    if len(agent_key) != len(target_key) or len(agent_key) not in (KEY_LENGTH, OMA_KEY_LENGTH):
        raise EncodeError("keys of 6 or of 12 bytes", field="key_delta")
    return bytes((b - a) & 0xFF for a, b in zip(agent_key, target_key, strict=True))


def alternate_key(own_key: bytes, delta: bytes) -> bytes:
    """The target's key."""
    return bytes((a + b) & 0xFF for a, b in zip(own_key, delta, strict=True))


def own_key(config: NodeConfig, delta: bytes, domain_index: int) -> bytes:
    """The key of this node that `delta` counts from: OMA, or that of the domain."""
    return config.oma_key if len(delta) == OMA_KEY_LENGTH else config.domains[domain_index].key
