"""Exponential histograms as classic ones."""

from __future__ import annotations

import math

from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint

__all__ = ["classic_buckets"]


def classic_buckets(point: ExponentialHistogramDataPoint) -> list[tuple[str, float]]:
    """Return upper bounds, as text, and cumulative counts, smallest bound first, `+Inf` last.

    Bucket i holds what is above base**i and at most base**(i+1), with base = 2**(2**-scale) (metrics data model,
    "Exponential buckets"); upper bounds are inclusive there as in `le`, so the conversion is exact. A negative bucket
    is the mirror of a positive one: it ends at -(base**i), where it is exact up to values on the bound itself.
    """
    exponent = math.ldexp(1.0, -point.scale)
    below = [
        (-_power(exponent * (point.negative.offset + index)), count)
        for index, count in enumerate(point.negative.bucket_counts)
    ]
    counts: list[tuple[float, int]] = below[::-1]
    if point.zero_count:
        counts.append((point.zero_threshold, point.zero_count))
    for index, count in enumerate(point.positive.bucket_counts):
        counts.append((_power(exponent * (point.positive.offset + index + 1)), count))
    total, found = 0, dict[str, float]()
    for bound, count in counts:
        total += count
        if math.isfinite(bound):
            found[repr(bound)] = float(total)
    found["+Inf"] = float(point.count)
    return list(found.items())


def _power(exponent: float) -> float:
    try:
        return math.pow(2.0, exponent)
    except OverflowError:
        return math.inf
