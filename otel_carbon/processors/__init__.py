"""Components that work on telemetry, in the gateway and inside an application.

What an application uses is exported here; importing it loads neither factor tables nor anything of the gateway.
"""

from otel_carbon.processors.sampler import KeepGenAI
from otel_carbon.processors.span_processor import CarbonSpanProcessor

__all__ = ["CarbonSpanProcessor", "KeepGenAI"]
