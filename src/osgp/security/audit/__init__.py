"""What is wrong with the legacy suite, shown on this project's own devices in this process."""

from __future__ import annotations

from .omak import (
    Oracle,
    Recovered,
    Verifier,
    attack_server,
    recover_by_chosen_messages,
    recover_by_short_verification,
    recover_by_verification,
)

__all__ = [
    "Oracle",
    "Recovered",
    "Verifier",
    "attack_server",
    "recover_by_chosen_messages",
    "recover_by_short_verification",
    "recover_by_verification",
]
