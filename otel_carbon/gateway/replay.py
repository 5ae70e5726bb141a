"""Sends dead letters again, with the exporters of a config, and forgets those that are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from otel_carbon.errors import CarbonError, ConfigError, PermanentExportError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.graph_builder import build_graph
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.journal.dead_letters import DeadLetter, DeadLetters
from otel_carbon.pipeline.component import Exporter, JournalEntry, Kind
from otel_carbon.pipeline.pdata import Payload
from otel_carbon.pipeline.undelivered import undelivered_of

__all__ = ["Replayed", "replay", "replay_exporter"]

_JOURNAL_ID = "dead-letters"  # part of the name of a position that an exporter keeps: letters have numbers of their own
_TYPES = ("ledger", "otlp_grpc", "otlp_http")
_PAGE = 100
_BATCH_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it, in letters. `stopped` is why it ended early: the rest may be taken later."""

    taken: int
    refused: int
    last_refusal: str | None = None
    stopped: str | None = None


def replay_exporter(config: GatewayConfig, exporter_id: str, data_dir: Path, *, source: str) -> Exporter:
    """Return an exporter of a config, not started, with all that the config puts in front of it.

    Raises:
        ConfigError: no pipeline ends in it, or it is of a kind that takes no letters.
    """
    configured = config.components[Kind.EXPORTER].get(exporter_id)
    if configured is not None and configured.factory.type not in _TYPES:
        raise ConfigError(f"{source}: exporters::{exporter_id}: only {', '.join(_TYPES)} can be replayed to")
    shared = {
        "telemetry": SelfMetrics(),
        "tallies": [],
        "data_dir": data_dir,
        "journal_id": _JOURNAL_ID,
        "has_room": lambda: False,
    }
    found = build_graph(config, shared, _append, source=source).exporters.get(exporter_id)
    if found is None:
        raise ConfigError(f"{source}: no pipeline ends in {exporter_id}; name one that does with --to")
    return found


async def replay(exporter: Exporter, stores: Iterable[DeadLetters], of_exporter_id: str) -> Replayed:
    """Send every letter of an exporter once, one store after the other. What is refused again stays.

    Raises:
        StorageError: a store cannot be used.
    """
    await exporter.start()
    taken = refused = 0
    refusal: str | None = None
    try:
        for store, batch in _batches_of(stores, of_exporter_id):
            entries = [entry for letter in batch if (entry := store.entry(letter)) is not None]
            error = await _attempt(exporter, entries)
            left = {one.entry.position: one.reason for one in undelivered_of(error, entries)} if error else {}
            taken += store.remove(entry.position for entry in entries if entry.position not in left)
            if error is not None and not isinstance(error, PermanentExportError):
                return Replayed(taken, refused, refusal, stopped=str(error) or type(error).__name__)
            refused += len(left)
            refusal = next(iter(left.values()), refusal)
    finally:
        await exporter.shutdown()
    return Replayed(taken, refused, refusal)


async def _attempt(exporter: Exporter, entries: Sequence[JournalEntry]) -> CarbonError | None:
    if not entries:
        return None
    try:
        await exporter.export(entries)
    except CarbonError as error:
        return error
    return None


def _batches_of(stores: Iterable[DeadLetters], exporter_id: str) -> Iterator[tuple[DeadLetters, list[DeadLetter]]]:
    for store in stores:
        after = 0
        while letters := store.letters(exporter_id, after, _PAGE):
            after = letters[-1].id
            yield from ((store, batch) for batch in _batches(letters))


def _batches(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Yield letters of one signal, in order, up to some size together."""
    for _, group in groupby(letters, key=lambda letter: letter.signal):
        batch: list[DeadLetter] = []
        size = 0
        for letter in group:
            size += letter.bytes
            if batch and size > _BATCH_BYTES:
                yield batch
                batch, size = [], letter.bytes
            batch.append(letter)
        yield batch


def _append(_pipeline_id: str, _payload: Payload) -> Future[int]:
    raise RuntimeError("nothing is received while dead letters are replayed")
