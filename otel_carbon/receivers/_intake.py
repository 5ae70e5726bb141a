"""What every transport does with a request once it has the bytes, and how it is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import MappingProxyType

from otel_carbon.errors import CarbonError, UnavailableError
from otel_carbon.pipeline.component import Settings, Telemetry
from otel_carbon.pipeline.otlp import parse, rejections
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers._answer import Partial
from otel_carbon.receivers._off_loop import off_loop
from otel_carbon.receivers._refusal import Refusal, refusal

__all__ = ["Intake", "no_pipeline"]

_NO_ROOM_RETRY_AFTER_S = 5.0  # long enough for an exporter to free some room, far below the SDKs' patience
_ITEMS: Mapping[Signal, str] = MappingProxyType(
    {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}
)


class Intake:
    """Reads a request and hands it to the consumer of its signal.

    Counts, per receiver and transport, `receiver_requests` by outcome (success, refused, failure) and
    `receiver_{accepted,refused,failed}_{spans,metric_points,log_records}`, as the Collector does: refused is what the
    sender still has, failed what went wrong in here.
    """

    def __init__(self, settings: Settings, transport: str) -> None:
        self._consumers = settings.consumers
        self._telemetry: Telemetry | None = settings.shared.get("telemetry")
        self._no_room: Callable[[], str | None] = settings.shared.get("no_room", _never)
        self._refusal: Callable[[], str | None] = settings.shared.get("refusal", _never)
        self._accounts: Callable[[], bool] = settings.shared.get("accounts", _always)
        self._labels = {"receiver": settings.id, "transport": transport}
        self._tracing = settings.shared.get("tracing")

    def called_with(self, header: Callable[[str], str | None]) -> AbstractContextManager[None]:
        """Return a context in which a request is a part of the trace that its headers name, where that is wanted."""
        found: AbstractContextManager[None] = (
            nullcontext() if self._tracing is None else self._tracing.called_with(header)
        )
        return found

    def takes(self, signal: Signal) -> bool:
        """Return whether a pipeline takes the signal: a reload may change that."""
        return signal in self._consumers

    def check_room(self) -> None:
        """Raise UnavailableError when the pipeline cannot take anything now."""
        refusal = self._no_room() or self._refusal()
        if refusal is not None:
            raise UnavailableError(refusal, _NO_ROOM_RETRY_AFTER_S)

    async def take(self, signal: Signal, body: bytes, tenant: str | None = None, warning: str = "") -> Partial | None:
        """Take one request in protobuf encoding; None when all of it was taken. Returning means it is on disk.

        `tenant` is who sent it, where a token said so. `warning` is what its sender should know although all is taken.

        GenAI-related spans without valid ids are passed on like everything else, but cannot be accounted for: they
        are what a partial success rejects. Where nobody accounts for spans, they are not looked for.

        Raises:
            InvalidDataError: the body cannot be read.
            TooLargeError: it is beyond a limit of the pipeline.
            UnavailableError: not now.
        """
        payload, partial = await off_loop(len(body), _read, signal, body, warning, self._accounts())
        if tenant is not None:
            payload = replace(payload, tenant=tenant)
        outcome, rejected = "failed", 0
        try:
            await self._consumers[signal](payload)
            outcome, rejected = "accepted", partial.rejected if partial else 0
        except CarbonError:
            outcome = "refused"
            raise
        finally:
            self._count(f"receiver_{outcome}_{_ITEMS[signal]}", payload.items - rejected)
        if rejected:
            self._count(f"receiver_refused_{_ITEMS[signal]}", rejected)
        self._count("receiver_requests", 1, outcome="success")
        return partial

    def refuse(self, error: Exception) -> Refusal:
        """Return the answer to a request that ended with an error, and count the request."""
        answer = refusal(error)
        self._count("receiver_requests", 1, outcome="failure" if answer.http_status == 500 else "refused")
        return answer

    def _count(self, name: str, value: int, **labels: str) -> None:
        if self._telemetry is not None:
            self._telemetry.count(name, value, **self._labels, **labels)


def no_pipeline(signal: Signal) -> str:
    """Return what a sender is told whose signal has no pipeline."""
    return f"no pipeline takes {signal} from here; add one under service::pipelines of the gateway"


def _read(signal: Signal, body: bytes, warning: str, accounts: bool) -> tuple[Payload, Partial | None]:
    payload = parse(signal, body)
    rejected, message = rejections(body) if accounts and signal is Signal.TRACES else (0, "")
    said = "; ".join(filter(None, (message, warning)))
    return payload, Partial(rejected, said) if said else None


def _never() -> None:
    return None


def _always() -> bool:
    return True
