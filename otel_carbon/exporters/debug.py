"""The `debug` exporter: what passes, as lines for a person."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from otel_carbon.errors import ConfigError
from otel_carbon.exporters._span_text import call_details, call_line
from otel_carbon.model import Sighting
from otel_carbon.pipeline.component import Factory, JournalEntry, Kind, Settings, Stability
from otel_carbon.pipeline.otlp import sightings
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.sender import sent_by
from otel_carbon.spans import SpanReader

__all__ = ["FACTORY", "Config", "DebugExporter"]

_VERBOSITIES = ("basic", "normal", "detailed")
_ITEMS: Mapping[Signal, str] = MappingProxyType(
    {Signal.TRACES: "span", Signal.METRICS: "data point", Signal.LOGS: "log record"}
)


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the exporter, with the Collector's keys.

    Raises:
        ConfigError: a value is not one of those that exist.
    """

    verbosity: str = "normal"
    """basic: counts; normal: a line per call as well; detailed: several lines per call. Never prompts."""
    output_paths: Sequence[str] = ("stderr",)
    """`stderr`, `stdout` or files to append to."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.verbosity not in _VERBOSITIES:
            raise ConfigError(f"verbosity: {self.verbosity!r} is not one of {', '.join(_VERBOSITIES)}")
        if not self.output_paths:
            raise ConfigError("output_paths: name at least one of stderr, stdout and files")


class DebugExporter:
    """Writes a count of every batch, and the calls in it."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        self._id = settings.id
        self._reader: SpanReader | None = None
        self._outputs: list[TextIO] = []

    async def start(self) -> None:
        """Open the outputs. Raises ConfigError when a file cannot be written."""
        self._reader = SpanReader.bundled()
        self._outputs = [_output(path) for path in self._config.output_paths]

    async def shutdown(self) -> None:
        """Close the files."""
        outputs, self._outputs = self._outputs, []
        for output in outputs:
            if output not in {sys.stderr, sys.stdout}:
                output.close()

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        """Write the entries, all of one signal."""
        if not entries:
            return
        text = "".join(f"{line}\n" for line in self._lines(entries))
        for output in self._outputs:
            output.write(text)
            output.flush()

    def _lines(self, entries: Sequence[JournalEntry]) -> list[str]:
        signal = entries[0].payload.signal
        items = sum(entry.payload.items for entry in entries)
        count = f"{self._id}: {signal}: {_counted(items, _ITEMS[signal])} in {_counted(len(entries), 'request')}"
        if signal is not Signal.TRACES or self._reader is None:
            return [count]
        seen = [
            sent_by(entry.payload.tenant, sighting)
            for entry in entries
            for sighting in sightings(entry.payload.body, self._reader)
        ]
        calls = [sighting for sighting in seen if sighting.call is not None]
        count += f", {_counted(len(calls), 'GenAI call')}, {_counted(len(seen) - len(calls), 'parent')} of calls"
        return [line for call in calls for line in self._call_lines(call)] + [count]

    def _call_lines(self, call: Sighting) -> list[str]:
        match self._config.verbosity:
            case "basic":
                return []
            case "normal":
                return [call_line(call)]
            case _:
                return [call_line(call), *(f"    {line}" for line in call_details(call))]


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _output(path: str) -> TextIO:
    match path:
        case "stderr":
            return sys.stderr
        case "stdout":
            return sys.stdout
        case _:
            try:
                return Path(path).open("a", encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"output_paths: cannot write {path}: {error.strerror}") from error


FACTORY = Factory(
    type="debug",
    kind=Kind.EXPORTER,
    stability=Stability.BETA,
    signals=frozenset(Signal),
    config=Config,
    create=DebugExporter,
)
