"""Frozen values that everything above agrees on. No behaviour beyond checking themselves."""

from otel_carbon.model.call import Call, ItemKind, Items, Usage, input_tokens, output_tokens
from otel_carbon.model.factor import MOST_INTENSITY_G_PER_KWH, Confidence, FactorRef, Grid, GridReading, Region, Source
from otel_carbon.model.footprint import GUESSED_USAGE, Footprint, Mark, NotEstimated, Outcome, Status
from otel_carbon.model.interval import Interval
from otel_carbon.model.reversal import Reversal
from otel_carbon.model.sampling import MOST_CALLS_STOOD_FOR, believed_count
from otel_carbon.model.sighting import Attribution, Sighting, SpanIdentity

__all__ = [
    "GUESSED_USAGE",
    "MOST_CALLS_STOOD_FOR",
    "MOST_INTENSITY_G_PER_KWH",
    "Attribution",
    "Call",
    "Confidence",
    "FactorRef",
    "Footprint",
    "Grid",
    "GridReading",
    "Interval",
    "ItemKind",
    "Items",
    "Mark",
    "NotEstimated",
    "Outcome",
    "Region",
    "Reversal",
    "Sighting",
    "Source",
    "SpanIdentity",
    "Status",
    "Usage",
    "believed_count",
    "input_tokens",
    "output_tokens",
]
