from __future__ import annotations

from math import log10
from random import Random

import numpy as np
import pytest

from osgp.channel import QUIET, Carrier, FrameCounts, LineSettings, LinkCounts, NoiseSettings
from osgp.channel.noise import Noise
from osgp.channel.reception import Reception, Transmission

from .channel_fakes import star

SITES = 12
FEEDER = star(*(2.0 * site for site in range(SITES)))


def reception(
    settings: LineSettings, noise: NoiseSettings = QUIET, counts: FrameCounts | None = None
) -> Reception:
    return Reception(
        FEEDER.path_loss(),
        settings,
        Noise(noise, np.zeros(SITES), 1),
        Random(1),
        counts or FrameCounts(),
        LinkCounts(SITES),
    )


def sent(sender: int, carrier: Carrier = Carrier.PRIMARY, *others: Transmission) -> Transmission:
    frame = Transmission(sender, bytes(20), carrier, 0, 3.0, 3.1)
    frame.overlaps.extend(others)
    return frame


def test_interference_adds_to_noise_by_power() -> None:
    quiet = sent(0, Carrier.PRIMARY, sent(1), sent(2))
    margin, drowned = reception(LineSettings()).margin(quiet, 3)
    background = 10**5.0 + 10 ** ((120 - 8) / 10) + 10 ** ((120 - 10) / 10)
    assert margin == pytest.approx(120 - 6 - 10 * log10(background) - 6)
    assert drowned


def test_the_other_carrier_is_attenuated_by_the_isolation() -> None:
    settings = LineSettings(carrier_isolation=80.0)
    margin, drowned = reception(settings).margin(sent(0, Carrier.PRIMARY, sent(1, Carrier(1))), 3)
    background = 10**5.0 + 10 ** ((120 - 8 - 80) / 10)
    assert margin == pytest.approx(120 - 6 - 10 * log10(background) - 6)
    assert not drowned


def test_a_local_impulse_hurts_the_near_and_spares_the_far() -> None:
    """It arises at one site and is weakened by the cable like a signal from there."""
    everywhere = reception(
        LineSettings(), NoiseSettings(impulses_per_hour=3600.0, impulse_length=1.0)
    )
    local = NoiseSettings(impulses_per_hour=3600.0, impulse_length=1.0, impulse_local=1.0)
    judge, field = reception(LineSettings(), local), Noise(local, np.zeros(SITES), 1)
    frame = sent(0)
    ((level, origin),) = field.impulses(frame.start, frame.end)
    assert origin is not None
    loss = FEEDER.path_loss()[Carrier.PRIMARY]
    for receiver in range(1, SITES):
        quiet = field.levels(frame.end)[Carrier.PRIMARY, receiver]
        expected = 120 - loss[0, receiver] - max(quiet, level - loss[origin, receiver]) - 6
        assert judge.margin(frame, receiver)[0] == pytest.approx(expected, abs=1e-4)
    far = int(np.argmax(loss[origin]))
    assert judge.margin(frame, far)[0] > everywhere.margin(frame, far)[0] + 5


@pytest.mark.parametrize("local", [0.0, 1.0])
@pytest.mark.parametrize("carrier", list(Carrier))
def test_one_receiver_and_many_are_computed_alike(carrier: Carrier, local: float) -> None:
    judge = reception(
        LineSettings(),
        NoiseSettings(impulses_per_hour=3600.0, impulse_length=1.0, impulse_local=local),
    )
    frame = sent(0, carrier, sent(4, Carrier.PRIMARY), sent(9, Carrier.SECONDARY))
    receivers = np.arange(1, SITES)
    margins, drowned = judge.margins(frame, receivers)
    survivals = judge.survivals(margins, 30)
    for place, receiver in enumerate(receivers.tolist()):
        margin, under = judge.margin(frame, receiver)
        assert margins[place] == pytest.approx(margin)
        assert bool(drowned[place]) is under
        assert survivals[place] == pytest.approx(judge.survival(margin, 30))
    assert np.isneginf(margins[[3, 8]]).all()


def test_survival_rises_with_margin_and_falls_with_length() -> None:
    judge = reception(LineSettings())
    assert judge.survival(0.0, 20) == pytest.approx(0.5)
    assert judge.survival(0.0, 40) == pytest.approx(0.25)
    by_margin = [judge.survival(margin, 20) for margin in np.linspace(-20, 20, 50)]
    assert by_margin == sorted(by_margin)
    assert judge.survival(-1e9, 1) < 1e-12
    assert judge.survival(1e9, 1000) == pytest.approx(1.0)
    assert reception(LineSettings(residual_loss=0.2)).survival(99.0, 20) == pytest.approx(0.8)


@pytest.mark.parametrize("receivers", [[1], list(range(1, SITES))])
def test_fates_come_with_their_probabilities(receivers: list[int]) -> None:
    counts = FrameCounts()
    judge = reception(
        LineSettings(residual_loss=0.4, corrupted_share=0.25, tx_level=150.0), counts=counts
    )
    rounds = 4000 // len(receivers)
    arrivals = [a for _ in range(rounds) for a in judge.arrivals(sent(0), receivers, False)]
    total = rounds * len(receivers)
    assert counts.attempts == total
    assert counts.delivered == sum(arrival.intact for arrival in arrivals)
    assert counts.corrupted == sum(not arrival.intact for arrival in arrivals)
    assert counts.delivered / total == pytest.approx(0.6, abs=0.03)
    assert counts.corrupted / total == pytest.approx(0.1, abs=0.03)
    assert counts.lost / total == pytest.approx(0.3, abs=0.03)
