"""The `carbon_metrics` connector: traces in, the carbon counters out."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from otel_carbon.connectors._avoided import Avoidance
from otel_carbon.connectors._beginnings import Beginnings
from otel_carbon.connectors._counters import Counters
from otel_carbon.connectors._deltas import Deltas
from otel_carbon.connectors._measured import Measured, Measurer, marked_spans
from otel_carbon.connectors._net_tally import NetTally
from otel_carbon.connectors._request import metrics_payload
from otel_carbon.errors import CarbonError, ConfigError
from otel_carbon.pipeline.component import Factory, Kind, Settings, Stability
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.tally import DEFAULT_ATTRIBUTE_LIMIT, DEFAULT_CARDINALITY_LIMIT, Tally

__all__ = ["FACTORY", "CarbonMetricsConnector", "Config"]

_LOG = logging.getLogger(__name__)
_TEMPORALITIES = {
    "cumulative": AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
    "delta": AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA,
}


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the connector.

    Raises:
        ConfigError: a value is out of range.
    """

    interval: str = "15s"
    """How often the counters are sent on."""
    remembered_spans: int = 100_000
    """A span that is sent again is counted once as long as it is among this many."""
    histogram: bool = False
    """Whether the distribution of single calls is given too, as otel_carbon.operation.co2e."""
    metrics_attributes: tuple[str, ...] = ()
    """Parties that are attributes of the metrics too: service, environment, tenant, project, workload, agent."""
    cardinality_limit: int = DEFAULT_CARDINALITY_LIMIT
    """Attribute sets per metric; what is beyond is added up under otel.metric.overflow."""
    attribute_limit: int = DEFAULT_ATTRIBUTE_LIMIT
    """Values per attribute; what is beyond is added up under the value otel_carbon.overflow."""
    temporality: str = "cumulative"
    """Whether an emission has all since the start (`cumulative`) or what came since the last one (`delta`)."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if duration_s(self.interval, "interval") <= 0:
            raise ConfigError("interval must be longer than 0s")
        if self.remembered_spans < 1:
            raise ConfigError("remembered_spans must be at least 1")
        if self.temporality not in _TEMPORALITIES:
            raise ConfigError(f"temporality must be {' or '.join(_TEMPORALITIES)}, not {self.temporality!r}")
        self.tally()

    def tally(self) -> NetTally:
        """Return sums with these attributes and limits."""
        return NetTally(self.cardinality_limit, self.attribute_limit, self.metrics_attributes, self.remembered_spans)

    def measurer(self, settings: Settings) -> Measurer:
        """Return what measures the spans that are counted."""
        return Measurer(self.metrics_attributes, Avoidance(settings.shared.get("estimator")))


class CarbonMetricsConnector:
    """Adds what this gateway estimated to the tally, and sends the tally on as metrics.

    An emission that finds no room in the pipeline is made up for by the next one.
    """

    def __init__(self, config: Config, settings: Settings) -> None:
        if Signal.METRICS not in settings.consumers:
            raise ConfigError(f"{settings.id} gives metrics: name it as a receiver of a metrics pipeline")
        self._consume = settings.consumers[Signal.METRICS]
        tally = config.tally()
        self._measurer = config.measurer(settings)
        self._counters = Counters(tally, config.remembered_spans, histogram=config.histogram)
        self._beginnings = Beginnings()
        # What the ledger takes back, it tells everyone who counts.
        taken_back: list[Tally] = settings.shared["tallies"]
        taken_back.append(tally)
        self._interval_s = duration_s(config.interval, "interval")
        self._id = settings.id
        self._shared = settings.shared
        self._unnamed = uuid.uuid4()
        self._temporality = _TEMPORALITIES[config.temporality]
        self._is_delta = config.temporality == "delta"
        self._counted_from = Deltas(time.time_ns())
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to send the counters every `interval`."""
        self._task = asyncio.create_task(self._run(), name="carbon_metrics")
        self._task.add_done_callback(_report)

    async def shutdown(self) -> None:
        """Send the counters a last time."""
        task, self._task = self._task, None
        if task is None:
            return
        self._ending.set()  # and not cancelled: what is on its way into the pipeline would be sent once more
        await asyncio.wait({task})
        await self._emit(last=True)

    def observe(self, payload: Payload) -> None:
        """Count what this gateway marked; what came with a mark was counted where it was made."""
        counters, measure = self._counters, self._measurer.measure
        for marked in marked_spans(payload.enriched):
            if counters.memo.add(marked[0]):
                counters.add(measure(marked))

    def count(self, spans: Iterable[Measured]) -> None:
        """Count what another process of this gateway measured."""
        counters = self._counters
        for measured in spans:
            if counters.memo.add(measured[0]):
                counters.add(measured)

    async def _run(self) -> None:
        while not self._ending.is_set():
            try:
                await asyncio.wait_for(self._ending.wait(), self._interval_s)
            except TimeoutError:
                await self._emit()

    async def _emit(self, *, last: bool = False) -> None:
        now_unix_nano, begun = time.time_ns(), self._counted_from
        sums, distributions = self._counters.sums(), self._counters.distributions()
        grown = begun.of_sums(sums, all_series=not self._is_delta)
        payload = metrics_payload(
            grown if last or self._is_delta else self._beginnings.shown(grown),
            begun.of_distributions(distributions, all_series=not self._is_delta),
            instance_id=str(self._instance_id()),
            start_unix_nano=begun.start_unix_nano,
            now_unix_nano=max(now_unix_nano, begun.start_unix_nano),
            temporality=self._temporality,
        )
        if payload is None:
            return
        # A sum must not end before it begins: where the clock is set back that far, cumulative sums begin again, too.
        begins = self._is_delta or now_unix_nano < begun.start_unix_nano
        # Remembered before the pipeline is waited for: calls go on being counted meanwhile.
        mark = Deltas.marked(sums, distributions, now_unix_nano) if begins else begun
        try:
            await self._consume(payload)
        except CarbonError as error:
            _LOG.warning("the carbon metrics were not taken, the next ones will include them: %s", error)
        else:
            self._counted_from = mark
            self._beginnings.note_sent(sums)

    def _instance_id(self) -> uuid.UUID:
        """Return what names this connector, also after a restart: Prometheus then sees counters that begin again.

        Under a new name the same counters would be new series, whose first value `rate` and `increase` leave out.
        """
        journal_id = self._shared.get("journal_id")
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{journal_id}/{self._id}") if journal_id else self._unnamed


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("the carbon metrics stopped", exc_info=error)


FACTORY = Factory(
    type="carbon_metrics",
    kind=Kind.CONNECTOR,
    stability=Stability.BETA,
    signals=frozenset({Signal.TRACES}),
    config=Config,
    create=CarbonMetricsConnector,
    produces=frozenset({Signal.METRICS}),
)
