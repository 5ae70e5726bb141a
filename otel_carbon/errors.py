"""Everything otel-carbon raises on purpose.

CarbonError
├── ConfigError             a setting is wrong; raised at start, names the setting and the fix
├── FactorError             a factor table is wrong or lacks a source; raised when it is loaded
├── MissingExtraError       a part needs a package that is not installed; names the extra
├── InvalidDataError        the sender's data is wrong; sending it again will not help (HTTP 400)
├── TooLargeError           a request is larger than the limit (HTTP 413, RESOURCE_EXHAUSTED)
├── UnauthenticatedError    the sender showed no token that is accepted (HTTP 401, UNAUTHENTICATED)
├── UnavailableError        cannot be taken now; the sender should try again (HTTP 503, UNAVAILABLE)
├── ExportError             a destination did not take the data
│   ├── RetryableExportError    trying again can help; may carry the wait that the destination asked for
│   └── PermanentExportError    trying again cannot help
├── GridSourceError         a source of grid intensities gave no figures; may carry the wait that it asked for
│   └── GridPlaceError          it has none for this place
├── StorageError            a data directory, journal or ledger cannot be used
│   └── DamagedError            a journal is not as it was written
└── LedgerError             the book would break one of its rules
"""

from __future__ import annotations

__all__ = [
    "CarbonError",
    "ConfigError",
    "DamagedError",
    "ExportError",
    "FactorError",
    "GridPlaceError",
    "GridSourceError",
    "InvalidDataError",
    "LedgerError",
    "MissingExtraError",
    "PermanentExportError",
    "RetryableExportError",
    "StorageError",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
]


class CarbonError(Exception):
    """Base of all errors of otel-carbon."""


class ConfigError(CarbonError):
    """A setting is wrong. The message names the setting, what is wrong and the fix."""


class FactorError(CarbonError):
    """A factor table is wrong. The message names the file, the row and the key."""


class MissingExtraError(CarbonError):
    """A part needs a package that is not installed."""

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs the extra '{extra}': pip install 'otel-carbon[{extra}]'")
        self.extra = extra


class InvalidDataError(CarbonError):
    """The data cannot be read. Sending the same bytes again will not help."""


class TooLargeError(CarbonError):
    """A request is larger than the configured limit, before or after decompression."""


class UnauthenticatedError(CarbonError):
    """The sender did not show a token that is accepted. `invalid`: it showed one that is not."""

    def __init__(self, message: str, *, invalid: bool = False) -> None:
        super().__init__(message)
        self.invalid = invalid


class UnavailableError(CarbonError):
    """The data cannot be taken now. The sender should send it again after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ExportError(CarbonError):
    """A destination did not take the data."""


class RetryableExportError(ExportError):
    """The destination may take the data later, after `retry_after_s` where it named a wait."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PermanentExportError(ExportError):
    """The destination will never take this data.

    `failed_items` is how many spans, data points or log records are lost, where only some of them are; None: all.
    """

    def __init__(self, message: str, failed_items: int | None = None) -> None:
        super().__init__(message)
        self.failed_items = failed_items


class GridSourceError(CarbonError):
    """A source of grid intensities gave no figures. It should be asked again after `retry_after_s`, if it said so."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class GridPlaceError(GridSourceError):
    """A source of grid intensities has none for this place. Other places can still be asked for."""


class StorageError(CarbonError):
    """A data directory, journal or ledger cannot be used. The message names the path and the fix."""


class DamagedError(StorageError):
    """The file of a journal is not as it was written."""


class LedgerError(CarbonError):
    """The book would break one of its rules."""
