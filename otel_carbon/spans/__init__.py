"""From the attributes of a span to one GenAI call. Pure: no SDK, no protobuf, no clock."""

from otel_carbon.spans.attribution import AttributionRules
from otel_carbon.spans.marks import mark_attributes, read_mark
from otel_carbon.spans.reader import Parent, SpanReader
from otel_carbon.spans.sampling import adjusted_count
from otel_carbon.spans.table import DialectTable

__all__ = [
    "AttributionRules",
    "DialectTable",
    "Parent",
    "SpanReader",
    "adjusted_count",
    "mark_attributes",
    "read_mark",
]
