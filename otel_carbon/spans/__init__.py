"""From the attributes of a span to one GenAI call. Pure: no SDK, no protobuf, no clock."""

from otel_carbon.spans.attribution import AttributionRules
from otel_carbon.spans.counting import Counting
from otel_carbon.spans.digits import put_six_digits, six_digits
from otel_carbon.spans.known_reads import KnownReads
from otel_carbon.spans.marks import QUANTITIES, mark_attributes, utc_text
from otel_carbon.spans.marks_reading import read_mark
from otel_carbon.spans.reader import Parent, SpanReader
from otel_carbon.spans.sampling import adjusted_count
from otel_carbon.spans.table import DialectTable
from otel_carbon.spans.times import latency_s
from otel_carbon.spans.usage import Tokens, tokens_of

__all__ = [
    "QUANTITIES",
    "AttributionRules",
    "Counting",
    "DialectTable",
    "KnownReads",
    "Parent",
    "SpanReader",
    "Tokens",
    "adjusted_count",
    "latency_s",
    "mark_attributes",
    "put_six_digits",
    "read_mark",
    "six_digits",
    "tokens_of",
    "utc_text",
]
