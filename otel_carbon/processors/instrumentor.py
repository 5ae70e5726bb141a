"""No line at all: the entry point that `opentelemetry-instrument` loads.

Whatever is raised here would end the auto-instrumentation of the whole application, so nothing is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

# The module says `# type: ignore` for itself as a whole, so mypy finds nothing in it.
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from otel_carbon.processors.span_processor import CarbonSpanProcessor

__all__ = ["CarbonInstrumentor", "CarbonOptions", "before_instrumentation"]

_log = logging.getLogger(__name__)

_DISABLED_INSTRUMENTATIONS = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_OFF = frozenset({"carbon", "*"})


@dataclass
class CarbonOptions:
    """What declarative configuration may say under `instrumentation/development: python: carbon:`.

    The names and meanings are those of the arguments of `otel_carbon.install`.
    """

    factor_set: str | None = None
    factor_sets: list[str] | None = None
    region: str | None = None
    zone: str | None = None
    grid_intensity_g_per_kwh: float | None = None
    pue_ratio: float | None = None
    overrides: list[dict[str, Any]] | None = None
    model_aliases: dict[str, str] | None = None
    ledger: str | None = None
    metrics: bool | None = None
    keep_genai: bool | None = None
    attribution: dict[str, list[str]] | None = None
    baggage_keys: list[str] | None = None
    metrics_attributes: list[str] | None = None


class CarbonInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # as above
    """Installs the processor under `opentelemetry-instrument`, or by `CarbonInstrumentor().instrument()`.

    Off by `OTEL_CARBON_ENABLED=false` or `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=carbon`.
    """

    configuration = CarbonOptions

    _processor: CarbonSpanProcessor | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return no package: spans of every instrumentation are read."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        try:
            from otel_carbon.processors.install import install  # noqa: PLC0415 - an error in it must not get out

            known = {"tracer_provider", "meter_provider", *CarbonOptions.__dataclass_fields__}
            self._processor = install(**{name: value for name, value in kwargs.items() if name in known})
        except Exception as error:  # noqa: BLE001 - it would end all auto-instrumentation of the application
            _log.warning("otel-carbon is off: %s", error)

    def _uninstrument(self, **_kwargs: Any) -> None:
        if self._processor is not None:
            self._processor.shutdown()
            self._processor = None


def before_instrumentation() -> None:
    """Wrap the sampler of the global provider before any instrumentation takes a tracer, which would keep the old one.

    The entry point that `opentelemetry-instrument` calls first. It is off by the same variables as the instrumentor,
    and by `OTEL_CARBON_KEEP_GENAI=false`. Nothing is raised: it would end all auto-instrumentation.
    """
    try:
        from otel_carbon.processors.keeping import wrap_sampler  # noqa: PLC0415 - an error in it must not get out

        if _is_wanted(os.environ):
            wrap_sampler(trace.get_tracer_provider())
    except Exception as error:  # noqa: BLE001 - see above
        _log.warning("calls that are sampled out will not be counted: %s", error)


def _is_wanted(environ: Mapping[str, str]) -> bool:
    from otel_carbon.processors.switches import KEEP_GENAI, is_enabled, switch  # noqa: PLC0415 - see above

    disabled = {name.strip() for name in environ.get(_DISABLED_INSTRUMENTATIONS, "").split(",")}
    # Declarative configuration may have run the instrumentor already, with a decision of its own.
    decided = CarbonInstrumentor().is_instrumented_by_opentelemetry
    return not decided and disabled.isdisjoint(_OFF) and is_enabled(environ) and switch(environ, KEEP_GENAI)
