"""The audit of a fleet finds what it is meant to find, and shows no key."""

from __future__ import annotations

from osgp.security.audit.fleet import Finding, MeterSecurity, Weakness, audit_fleet
from osgp.security.profile import Mode
from osgp.security.secret import Secret

OWN = Secret(bytes(range(16)))


def weaknesses(*meters: MeterSecurity) -> list[tuple[str, Weakness]]:
    return [(finding.meter, finding.weakness) for finding in audit_fleet(meters)]


def test_a_good_meter_is_not_mentioned() -> None:
    assert weaknesses(MeterSecurity("a", Mode.AES, OWN, uses=799_999)) == []


def test_every_weakness_is_found() -> None:
    assert weaknesses(
        MeterSecurity("a", Mode.RC4, Secret(b"\xdf" * 12), uses=800_000),
        MeterSecurity("b", Mode.AES, OWN, factory=True),
        MeterSecurity("c", Mode.AES, Secret(bytes(range(16)))),
        MeterSecurity("d", Mode.AES),
    ) == [
        ("a", Weakness.OLD_SUITE),
        ("a", Weakness.DEFAULT_KEY),
        ("a", Weakness.WORN_KEY),
        ("b", Weakness.SHARED_KEY),
        ("b", Weakness.FACTORY_KEY),
        ("c", Weakness.SHARED_KEY),
    ]


def test_findings_read_as_sentences_without_keys() -> None:
    finding = Finding("meter 7", Weakness.OLD_SUITE)
    assert str(finding).startswith("meter 7 runs OMAK/RC4")
    assert "0001" not in repr(MeterSecurity("b", Mode.AES, OWN))
