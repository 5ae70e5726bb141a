"""What a user can choose about an estimate, and the environment variables for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.accounting import AccountingSettings
from otel_carbon.estimator.overrides import MOST_PUE_RATIO, MOST_WUE_L_PER_KWH, Override, check_overrides
from otel_carbon.factors import GridFamily
from otel_carbon.model import MOST_INTENSITY_G_PER_KWH

__all__ = [
    "DEFAULT_FACTOR_SET",
    "MOST_PUE_RATIO",
    "EstimatorSettings",
    "factor_sets_from_environment",
    "overrides_from_environment",
    "settings_from_environment",
]

DEFAULT_FACTOR_SET = "otel-carbon-2026.11"


def _no_aliases() -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class EstimatorSettings:
    """Settings of an `Estimator`. None: find it out from the call.

    Raises:
        ConfigError: a number is out of range, or an alias is empty.
    """

    factor_set: str = DEFAULT_FACTOR_SET
    """Id of a factor set, or a name without its version (`otel-carbon`): the call's own time then chooses."""
    factor_sets: tuple[str, ...] = ()
    """Files with factor sets of the user, which can then be selected by their ids."""
    own_sets_first: bool = True
    """Whether a row that one of these files has for a model goes before the selected set."""
    region: str | None = None
    """Cloud region where inference runs, whatever the call says."""
    zone: str | None = None
    """Grid zone: ISO 3166 alpha-3 code (Ember) or Electricity Maps key."""
    grid_intensity_g_per_kwh: float | None = None
    pue_ratio: float | None = None
    wue_l_per_it_kwh: float | None = None
    """Water of cooling, in L per kWh of IT energy."""
    overrides: tuple[Override, ...] = ()
    """Numbers of the user for some calls only; they go before all that is found and before the settings above."""
    model_aliases: Mapping[str, str] = field(default_factory=_no_aliases)
    """Raw model name to the name of the model behind it: Azure deployments, Bedrock application profiles."""
    water: bool = False
    fallback: bool = True
    """Whether a model that nothing is known of gets the factor of an unknown model."""
    grid: str = GridFamily.ELECTRICITY_MAPS.value
    """Publication for cloud regions: `electricity-maps` (zones) or `ember` (countries)."""
    accounting: AccountingSettings = field(default_factory=AccountingSettings)
    """Scope and category of the calls in an inventory. It changes no estimate."""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be, before the first call does."""
        intensity, pue = self.grid_intensity_g_per_kwh, self.pue_ratio
        if intensity is not None and not 0.0 <= intensity <= MOST_INTENSITY_G_PER_KWH:
            raise ConfigError(f"grid_intensity_g_per_kwh must be from 0 to 10000 g/kWh, not {intensity!r}")
        if pue is not None and not 1.0 <= pue <= MOST_PUE_RATIO:
            raise ConfigError(f"pue_ratio must be from 1 to 10 (facility over IT energy), not {pue!r}")
        wue = self.wue_l_per_it_kwh
        if wue is not None and not 0.0 <= wue <= MOST_WUE_L_PER_KWH:
            raise ConfigError(f"wue_l_per_it_kwh must be from 0 to 100 L per kWh of IT energy, not {wue!r}")
        check_overrides(self.overrides)
        if self.grid not in set(GridFamily):
            raise ConfigError(f"grid must be one of {', '.join(GridFamily)}, not {self.grid!r}")
        for alias, model in self.model_aliases.items():
            if not alias or not model:
                raise ConfigError(f"model_aliases: both sides must be given, not {alias!r} = {model!r}")


def settings_from_environment(environ: Mapping[str, str]) -> EstimatorSettings:
    """Return the settings that the variables `OTEL_CARBON_*` give; what is not set keeps its default.

    Raises:
        ConfigError: a value cannot be used; the message names the variable and the fix.
    """
    defaults = EstimatorSettings()
    return EstimatorSettings(
        factor_set=environ.get("OTEL_CARBON_FACTOR_SET", "").strip() or defaults.factor_set,
        factor_sets=factor_sets_from_environment(environ),
        region=environ.get("OTEL_CARBON_REGION", "").strip() or None,
        zone=environ.get("OTEL_CARBON_ZONE", "").strip() or None,
        grid_intensity_g_per_kwh=_intensity(environ.get("OTEL_CARBON_GRID_INTENSITY", "").strip()),
        model_aliases=_aliases(environ.get("OTEL_CARBON_MODEL_ALIASES", "").strip()),
        accounting=_accounting(environ),
        overrides=overrides_from_environment(environ),
    )


def factor_sets_from_environment(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the factor-set files that `OTEL_CARBON_FACTOR_SETS` names, separated by commas."""
    parts = environ.get("OTEL_CARBON_FACTOR_SETS", "").split(",")
    return tuple(path for part in parts if (path := part.strip()))


def overrides_from_environment(environ: Mapping[str, str]) -> tuple[Override, ...]:
    """Return the rows of the TOML file that `OTEL_CARBON_OVERRIDES` names.

    Raises:
        ConfigError: the file cannot be read, or a row is wrong; the message names the variable, file, row and key.
    """
    path = environ.get("OTEL_CARBON_OVERRIDES", "").strip()
    if not path:
        return ()
    from otel_carbon.estimator.overrides_file import read_overrides  # noqa: PLC0415 - few applications need it

    try:
        return read_overrides(path)
    except ConfigError as error:
        raise ConfigError(f"OTEL_CARBON_OVERRIDES: {error}") from error


def _accounting(environ: Mapping[str, str]) -> AccountingSettings:
    scope, category = (_number(environ, f"OTEL_CARBON_ACCOUNTING_{part}") for part in ("SCOPE", "CATEGORY"))
    reason = environ.get("OTEL_CARBON_ACCOUNTING_REASON", "").strip() or None
    try:
        return AccountingSettings(3 if scope is None else scope, category, reason)
    except ConfigError as error:
        part, _, message = str(error).partition(": ")
        raise ConfigError(f"OTEL_CARBON_ACCOUNTING_{part.upper()} {message}") from error


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise ConfigError(f"{name} must be a whole number, not {text!r}")
    return int(text)


def _intensity(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= MOST_INTENSITY_G_PER_KWH:
        raise ConfigError(f"OTEL_CARBON_GRID_INTENSITY must be from 0 to 10000 g/kWh, such as 41, not {text!r}")
    return value


def _aliases(text: str) -> dict[str, str]:
    """Read `my-deployment=gpt-4o,other=claude-sonnet-4-5`; the model is what stands after the last `=`."""
    aliases: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        alias, separator, model = pair.rpartition("=")
        if not separator or not alias.strip() or not model.strip():
            raise ConfigError(f"OTEL_CARBON_MODEL_ALIASES must be pairs such as my-deployment=gpt-4o, not {pair!r}")
        aliases[alias.strip()] = model.strip()
    return aliases
