"""What every transport does with a request once it has the bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from otel_carbon.errors import CarbonError, UnavailableError
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.receivers._answer import Partial

__all__ = ["Intake"]

_NO_ROOM_RETRY_AFTER_S = 5.0  # long enough for an exporter to free some room, far below the SDKs' patience


class _Meter(Protocol):
    """Counts items per signal, as the Collector's `receiver_{accepted,refused,failed}_*`."""

    def accepted(self, signal: Signal, items: int) -> None: ...
    def refused(self, signal: Signal, items: int) -> None: ...
    def failed(self, signal: Signal, items: int) -> None: ...


class Intake:
    """Reads a request, hands it to the consumer of its signal and counts how that came out."""

    def __init__(self, settings: Settings) -> None:
        self._consumers = settings.consumers
        self._meter = _meter(settings)
        self._has_room: Callable[[], bool] = settings.shared.get("has_room", _always)
        self.signals = frozenset(settings.consumers)

    def check_room(self) -> None:
        """Raise UnavailableError when the pipeline cannot take anything now."""
        if not self._has_room():
            raise UnavailableError("the journal is full; its exporters are behind", _NO_ROOM_RETRY_AFTER_S)

    async def take(self, signal: Signal, body: bytes) -> Partial | None:
        """Take one request in protobuf encoding; None when all of it was taken. Returning means it is on disk.

        Raises:
            InvalidDataError: the body cannot be read.
            TooLargeError: it is beyond a limit of the pipeline.
            UnavailableError: not now.
        """
        payload = parse(signal, body)
        count = self._meter.failed
        try:
            await self._consumers[signal](payload)
            count = self._meter.accepted
        except CarbonError:
            count = self._meter.refused
            raise
        finally:
            count(signal, payload.items)
        return None


class _NoMeter:
    def accepted(self, signal: Signal, items: int) -> None: ...
    def refused(self, signal: Signal, items: int) -> None: ...
    def failed(self, signal: Signal, items: int) -> None: ...


def _meter(settings: Settings) -> _Meter:
    telemetry: Any = settings.shared.get("telemetry")
    meter: _Meter = _NoMeter() if telemetry is None else telemetry.receiver(settings.id)
    return meter


def _always() -> bool:
    return True
