"""Energy of one call: tokens times factors, and from the boundary of a factor set to the server and the meter."""

from __future__ import annotations

from otel_carbon.factors import Boundary, TokenRates
from otel_carbon.model import Interval, Usage
from otel_carbon.units import tokens_in_millions

__all__ = ["energy_wh", "facility_energy_wh", "it_energy_per_wh", "pue_beyond_set_ratio"]


def energy_wh(usage: Usage, rates: TokenRates) -> Interval:
    """Return the energy of a call in Wh, at the boundary of the factor set.

    The kinds of tokens of one call share model, hardware and batch, so their errors are fully correlated and bounds
    add.
    """
    return (
        rates.uncached_input_wh_per_1m.scaled(tokens_in_millions(usage.uncached_input_tokens))
        + rates.cache_read_wh_per_1m.scaled(tokens_in_millions(usage.cache_read_tokens))
        + rates.cache_write_wh_per_1m.scaled(tokens_in_millions(usage.cache_write_tokens))
        + rates.visible_output_wh_per_1m.scaled(tokens_in_millions(usage.visible_output_tokens))
        + rates.reasoning_wh_per_1m.scaled(tokens_in_millions(usage.reasoning_tokens))
    )


def it_energy_per_wh(boundary: Boundary, pue_ratio: Interval, it_over_accelerator_ratio: Interval) -> Interval:
    """Return the IT energy per Wh at the boundary of the factor set.

    Accelerators draw 1/1.58 of a server's energy; a facility figure holds the PUE already and is divided by its centre.
    """
    if boundary is Boundary.ACCELERATOR:
        return it_over_accelerator_ratio
    if boundary is Boundary.FACILITY:
        return Interval.exact(1.0 / pue_ratio.central)
    return Interval.exact(1.0)


def pue_beyond_set_ratio(boundary: Boundary, pue_ratio: Interval) -> Interval:
    """Return the PUE to apply after the factor set: without width where the set's figure already holds the PUE."""
    return Interval.exact(pue_ratio.central) if boundary is Boundary.FACILITY else pue_ratio


def facility_energy_wh(it_energy_wh: Interval, pue_ratio: Interval) -> Interval:
    """Return the energy at the data-centre meter, in Wh.

    PUE is facility energy over IT energy (ISO/IEC 30134-2), so it is applied exactly once, here.
    """
    return it_energy_wh * pue_ratio
