"""What stands on top of the config: what it was written for, what it claims, and what it cannot do."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from otel_carbon.collector.amounts import CLAIMED, CLAIMED_BY_THE_HOUR
from otel_carbon.collector.dialects import DIALECTS
from otel_carbon.collector.hours import Hours
from otel_carbon.factors import GridFamily
from otel_carbon.spans import utc_text
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["header"]

_NAMES_AT_MOST = 12
_HEADER = """\
# A stock OpenTelemetry Collector that puts energy and gCO2e on GenAI spans by itself: no gateway in the data path.
# Written by `otel-carbon collector-config`; write it anew instead of editing it. docs/collector.md explains it.
#
# factor set: {factor_set} · grid: {grid} · models: {models} · regions: {regions}
# Needs the transform processor and the signal_to_metrics connector of the contrib distribution, v0.158 or newer.
#
# On every call that it marks it writes what the gateway writes, to six significant digits: {claimed}.
# The bounds are among them: root and exponential are calculated from + - * / to more than nine digits.
# A span that has otel_carbon.status is left alone.
#
# What it cannot do, it does not do in silence: it leaves these spans unmarked, so that a gateway behind it can mark
# them.
# - Dialects other than {dialects}: they have texts to look into.
# - Emitters that are known to guess counts, to wrap calls in spans that look like calls, or to write made-up hosts.
# - Images, video, speech and transcription, and calls with image, audio or video tokens in their input.
# - Token counts that are not integers; names that are not plain ASCII; resource names of Bedrock and Vertex (`arn:…`,
#   `projects/…/locations/…`), and `bedrock/<region>/…`.
# - Frameworks named as the provider (langchain, litellm …).
# - A call whose answering model is not known while another one was asked for.
# - Models and regions that are not among those that it was written for.
# What no config of the Collector can do, since it sees one span at a time and reads no file:
# - Duplicates: two spans of one call are both marked, and counted twice. The ledger of the gateway counts them once.
{intensity}# - Water, aliases of your own, overrides, and sets of your own.
# - The counter otel_carbon.tokens; and otel_carbon.co2e.reversed, since there is nothing that could take back.
"""

_BY_THE_YEAR = """\
# - Grid intensity by the hour, from this file: the yearly average applies. `otel-carbon collector-config --watch` keeps
#   the newest hours in such a file.
"""
_BY_THE_HOUR = """\
# - Grid intensity by the hour for any time: it has the two newest periods of {source}
#   for {known} of {grids} grids, the newest from {newest}, and chooses by the time at which a span began:
#   - in one of these periods: the gateway's value, marked `measured` or `estimated`, as the source calls it;
#   - up to {gap} s after the end of one, with none known after it: that period's, marked `carried_forward`, as the
#     gateway has it while it knows no more;
#   - at any other time, and in a grid without a figure: the average of the year, marked `yearly`. A gateway that knows
#     that hour has a / b times the emissions from operation, a its g/kWh in that hour and b the year's.
#   So a span that comes more than a period late, or a file that is not written anew in time, is yearly and says so.
"""


def header(
    *,
    factor_set: str,
    grid: GridFamily,
    models: Sequence[str] | None,
    regions: Collection[str] | None,
    hours: Hours | None,
    grids: int,
) -> str:
    """Return the comment; `grids` are those that the covered regions draw from."""
    return _HEADER.format(
        factor_set=factor_set,
        grid=grid.value,
        models=_listed(models),
        regions=_listed(None if regions is None else sorted(regions)),
        claimed=", ".join(CLAIMED if hours is None else CLAIMED_BY_THE_HOUR),
        dialects=", ".join(DIALECTS),
        intensity=_BY_THE_YEAR if hours is None else _by_the_hour(hours, grids),
    )


def _listed(names: Sequence[str] | None) -> str:
    if names is None:
        return "all"
    return ", ".join(names) if len(names) <= _NAMES_AT_MOST else f"{len(names)} named"


def _by_the_hour(hours: Hours, grids: int) -> str:
    starts = [readings[0].start_unix_nano for readings in hours.by_grid.values()]
    return _BY_THE_HOUR.format(
        source=hours.source_id,
        known=len(hours.by_grid),
        grids=grids,
        newest=utc_text(max(starts)) if starts else "no time",
        gap=hours.max_gap_ns // NANOSECONDS_PER_SECOND,
    )
