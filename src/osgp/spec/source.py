"""Where a declaration's layout comes from. The standard's body is not available to this project."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """Provenance of a layout. `PROJECT` layouts are this project's own and claim nothing more."""

    MEP_GUIDE = "mep-guide"
    OPTICAL_GUIDE = "optical-guide"
    C12_19 = "c12.19"
    GS_OSG = "gs-osg"
    EN14908 = "en14908"
    LTEP = "ltep"
    PROJECT = "project"

    @property
    def document(self) -> str:
        """The document in full."""
        return _DOCUMENTS[self]


_DOCUMENTS = {
    Source.MEP_GUIDE: "OSGP Alliance, MEP Client Developer's Guide v1.1 (2022)",
    Source.OPTICAL_GUIDE: "OSGP Alliance, Optical Port Programmer's Guide v1.1 (2021)",
    Source.C12_19: "ANSI C12.19-1997, as public decoders know it",
    Source.GS_OSG: "ETSI GS OSG 001 V1.1.1, as public code reads it",
    Source.EN14908: "EN 14908-1, as public code implements it",
    Source.LTEP: "LonTalk Enhanced Proxy, as public code implements it",
    Source.PROJECT: "this project's own layout; no public source",
}
