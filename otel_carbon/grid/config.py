"""What a user chooses about hourly intensities, in the gateway's YAML and in the environment of an application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.duration import duration_s

if TYPE_CHECKING:
    from otel_carbon.estimator import IntensitySource
    from otel_carbon.grid.intensity import IntensityProvider

__all__ = ["PROVIDER_VARIABLE", "GridIntensityConfig", "config_from_environment", "intensity_source"]

PROVIDER_VARIABLE = "OTEL_CARBON_GRID_PROVIDER"

_TOKEN_VARIABLE = "OTEL_CARBON_ELECTRICITY_MAPS_TOKEN"  # noqa: S105 - the name of a variable, not a token
_ELECTRICITY_MAPS = "electricity_maps_v4"
_UK = "uk_carbon_intensity"
_CSV = "csv"
_PROVIDERS = (_ELECTRICITY_MAPS, _UK, _CSV)
_LOOKUPS = ("zone", "data_center")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class GridIntensityConfig:
    """Keys of `grid_intensity`. Without a provider nothing is asked for, and the yearly tables hold.

    Raises:
        ConfigError: a value cannot work.
    """

    provider: str | None = None
    """electricity_maps_v4, uk_carbon_intensity or csv."""
    token: str | None = field(default=None, repr=False)
    """Key of Electricity Maps; else that of the environment."""
    token_file: str | None = None
    """File that holds the key, and nothing else."""
    endpoint: str | None = None
    """Base URL, instead of the publisher's own."""
    lookup: str = "zone"
    """Whether a cloud region is asked for by its `zone` in the tables or as a `data_center`."""
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    """Cloud region (`aws:eu-west-2`) or zone to what is asked for instead: a zone, `lat,lon` or `cloud:region`."""
    estimated: bool = True
    """Whether hours are taken that Electricity Maps itself has estimated."""
    max_gap: str = "1h"
    """How long after its end a period's figure stands in for what is not known yet."""
    timeout: str = "10s"
    """How long one request may take."""
    file: str | None = None
    """CSV file of the provider csv."""
    cache_dir: str | None = None
    """Directory of the cache; the gateway's default is `grid` in its data directory."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is asked for."""
        if self.provider is not None and self.provider not in _PROVIDERS:
            raise ConfigError(f"provider must be one of {', '.join(_PROVIDERS)}, not {self.provider!r}")
        if self.lookup not in _LOOKUPS:
            raise ConfigError(f"lookup must be one of {', '.join(_LOOKUPS)}, not {self.lookup!r}")
        if self.provider == _CSV and not self.file:
            raise ConfigError("file is missing: the provider csv reads the intensities from a file")
        if not 0.0 <= duration_s(self.max_gap, "max_gap") <= 86_400.0:
            raise ConfigError(
                f"max_gap must be at most 24h: a day later another hour says nothing, not {self.max_gap!r}"
            )
        if not 0.0 < duration_s(self.timeout, "timeout") <= 300.0:
            raise ConfigError(f"timeout must be more than 0 and at most 5m, not {self.timeout!r}")
        if self.endpoint is not None:
            _check_endpoint(self.endpoint, with_key=self.provider == _ELECTRICITY_MAPS)


def config_from_environment(environ: Mapping[str, str]) -> GridIntensityConfig:
    """Return what the variables `OTEL_CARBON_GRID_*` say.

    Raises:
        ConfigError: a value cannot work; the message names the variable.
    """

    def text(key: str) -> str | None:
        return environ.get(f"OTEL_CARBON_GRID_{key.upper()}", "").strip() or None

    defaults = GridIntensityConfig()
    try:
        return GridIntensityConfig(
            provider=text("provider"),
            endpoint=text("endpoint"),
            lookup=text("lookup") or defaults.lookup,
            places=_places(text("places") or ""),
            estimated=_switch(text("estimated")),
            max_gap=text("max_gap") or defaults.max_gap,
            timeout=text("timeout") or defaults.timeout,
            file=text("file"),
            cache_dir=text("cache_dir"),
        )
    except ConfigError as error:
        key, _, problem = str(error).partition(" ")
        raise ConfigError(f"OTEL_CARBON_GRID_{key.rstrip(':').upper()} {problem}") from error


def intensity_source(
    config: GridIntensityConfig, environ: Mapping[str, str], cache_dir: Path | None = None
) -> IntensitySource | None:
    """Return the source that a config describes, or None where it names no provider. Nothing is asked for yet.

    `cache_dir` is where the cache lies unless the config says it; without either it is `$XDG_CACHE_HOME/otel-carbon`.

    Raises:
        ConfigError: a key or a file is missing or cannot be read.
    """
    from otel_carbon.grid.cache import ReadingCache  # noqa: PLC0415 - an application without a provider pays nothing
    from otel_carbon.grid.csv_trace import CsvTrace  # noqa: PLC0415 - as above
    from otel_carbon.grid.refresher import GridRefresher  # noqa: PLC0415 - as above

    if config.provider is None:
        return None
    max_gap_s = duration_s(config.max_gap, "max_gap")
    if config.provider == _CSV:
        return CsvTrace(Path(config.file or ""), max_gap_s=max_gap_s, places=config.places)
    provider = _provider(config, environ)
    directory = Path(config.cache_dir) if config.cache_dir else cache_dir or _user_cache_dir(environ)
    variant = "" if config.estimated else "-measured"
    cache = ReadingCache(directory / f"{provider.source_id}{variant}.json", provider.source_id)
    return GridRefresher(provider, cache=cache, max_gap_s=max_gap_s)


def _provider(config: GridIntensityConfig, environ: Mapping[str, str]) -> IntensityProvider:
    from otel_carbon.grid.electricity_maps import (  # noqa: PLC0415 - as above
        ELECTRICITY_MAPS_URL,
        ElectricityMaps,
    )
    from otel_carbon.grid.uk_carbon_intensity import (  # noqa: PLC0415 - as above
        UK_CARBON_INTENSITY_URL,
        UkCarbonIntensity,
    )

    timeout_s = duration_s(config.timeout, "timeout")
    if config.provider == _UK:
        url = config.endpoint or UK_CARBON_INTENSITY_URL
        return UkCarbonIntensity(url=url, places=config.places, timeout_s=timeout_s)
    return ElectricityMaps(
        _token(config, environ),
        url=config.endpoint or ELECTRICITY_MAPS_URL,
        places=config.places,
        by_data_center=config.lookup == "data_center",
        estimated=config.estimated,
        timeout_s=timeout_s,
    )


def _token(config: GridIntensityConfig, environ: Mapping[str, str]) -> str:
    path = config.token_file or (None if config.token else environ.get(f"{_TOKEN_VARIABLE}_FILE", "").strip() or None)
    token = config.token or environ.get(_TOKEN_VARIABLE, "")
    if path is not None:
        try:
            token = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"token_file: {path} cannot be read: {error}") from None
    token = token.strip()
    if not token:
        raise ConfigError(f"token is missing: set it, token_file, {_TOKEN_VARIABLE} or {_TOKEN_VARIABLE}_FILE")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError("token cannot be one: it holds blanks or characters that no header can carry")
    return token


def _check_endpoint(endpoint: str, *, with_key: bool) -> None:
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"endpoint is no URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.username:
        raise ConfigError(f"endpoint must be a URL such as https://api.electricitymaps.com/v4, not {endpoint!r}")
    if with_key and parts.scheme == "http" and host not in _LOOPBACK:
        raise ConfigError("endpoint must be https: over http everybody on the way could read the key")


def _places(text: str) -> dict[str, str]:
    """Read `aws:eu-west-2=GB-13;IE=53.3,-6.3`: a semicolon between pairs, since a position has a comma."""
    places: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        key, separator, place = (part.strip() for part in pair.partition("="))
        if not separator or not key or not place:
            raise ConfigError(f"places must be pairs such as aws:eu-west-2=GB-13;IE=53.3,-6.3, not {pair!r}")
        places[key] = place
    return places


def _switch(text: str | None) -> bool:
    if text is None or text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ConfigError(f"estimated must be true or false, not {text!r}")


def _user_cache_dir(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()) / "otel-carbon"
