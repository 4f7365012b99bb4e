"""Which keys open what: names for the groups that the guides' access tables repeat.

MBK and MAK: MEP basic and advanced key. MK, PK, RK: optical unique, provisioning, read-only key.
OMAK and AES: the power line's keys. No public source lists rights per table for the power line;
its keys are taken to open what MK, "all tables and procedures", opens.
Source: MEP guide Appendix C, optical guide 'Access Rights'.
"""

from __future__ import annotations

from typing import Final

PLC: Final = "OMAK AES"
"""The concentrator's keys."""

FULL: Final = f"{PLC} MK"
"""Keys that open everything."""

OPTICAL: Final = f"{FULL} PK RK"
OPTICAL_WRITE: Final = f"{FULL} PK"

MEP: Final = f"{FULL} MBK MAK"
MEP_WRITE: Final = f"{FULL} MAK"

EVERY: Final = f"{FULL} PK RK MBK MAK"
"""Every key there is."""

OPEN: Final = f"{EVERY} NONE"
"""Also without any key on the optical port."""
