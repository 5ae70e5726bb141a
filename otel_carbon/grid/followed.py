"""A source of hourly intensities for a program that runs for long: a CSV trace is read again when it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from otel_carbon.errors import ConfigError
from otel_carbon.grid.config import GridIntensityConfig, intensity_source
from otel_carbon.grid.refresher import GridRefresher
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.units import NANOSECONDS_PER_SECOND

if TYPE_CHECKING:
    from otel_carbon.estimator import IntensitySource

__all__ = ["FollowedSource"]

_SLICE_S = 0.5

_Version = tuple[int, int, int]


class FollowedSource:
    """The source of a config, as it is now.

    Raises:
        ConfigError: the config names no provider, or a key or a file is missing or cannot be read.
    """

    def __init__(self, config: GridIntensityConfig, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ
        self._version = self._version_of_file()
        self._source = self._read()
        self.max_gap_ns = int(duration_s(config.max_gap, "max_gap") * NANOSECONDS_PER_SECOND)
        """How long after its end a period's figure stands in."""

    def current(self) -> IntensitySource:
        """Return the source, with what stands in its file now.

        Raises:
            ConfigError: the file has changed and cannot be used. It is read again at the next call.
        """
        version = self._version_of_file()
        if version != self._version:
            self._source = self._read()
            self._version = version
        return self._source

    @property
    def source_id(self) -> str:
        """Return the id of the publication."""
        return str(getattr(self._source, "source_id", self._config.provider))

    def settle(
        self, look_up: Callable[[IntensitySource], object], timeout_s: float, is_over: Callable[[], bool]
    ) -> None:
        """Look something up and wait for what is being fetched for it, at most so long, and not when it is over.

        Twice, since what is looked up may depend on what was found.
        """
        source, deadline_s = self._source, time.monotonic() + timeout_s
        if not isinstance(source, GridRefresher):
            return
        for _ in range(2):
            look_up(source)
            while time.monotonic() < deadline_s and not is_over() and not source.settle(_SLICE_S):
                pass

    def close(self) -> None:
        """Fetch no more."""
        if isinstance(self._source, GridRefresher):
            self._source.close()

    def _read(self) -> IntensitySource:
        source = intensity_source(self._config, self._environ)
        if source is None:
            raise ConfigError("no provider of hourly grid intensities is named")
        return source

    def _version_of_file(self) -> _Version | None:
        if self._config.provider != "csv" or self._config.file is None:
            return None
        try:
            status = Path(self._config.file).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
