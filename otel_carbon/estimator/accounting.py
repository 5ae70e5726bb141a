"""Where in a greenhouse-gas inventory a call belongs, and why: scope and category of the GHG Protocol.

One call is in one place. A call bought from a provider is a purchased service (scope 3, category 1). On hardware of
one's own its electricity is scope 2, and the making of the hardware is category 2 of scope 3, which reports work out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.market import MarketFigure, check_figures
from otel_carbon.model import Attribution

__all__ = [
    "CATEGORY_NAMES",
    "DEFAULT_REASON",
    "SCOPE_2_NAME",
    "AccountingRule",
    "AccountingSettings",
    "Classification",
    "classify",
]

DEFAULT_REASON = (
    "inference bought as a service is a purchased service of the caller (GHG Protocol Scope 3 Standard, category 1)"
)
SCOPE_2_NAME = "Purchased electricity"
CATEGORY_NAMES = {
    1: "Purchased goods and services",
    2: "Capital goods",
    8: "Upstream leased assets",
    11: "Use of sold products",
    13: "Downstream leased assets",
}

_SCOPES = (
    "scope 2 is electricity bought for hardware of your own (self-hosted); scope 3 is inference that others run for you"
    " or that your customers use"
)
_CATEGORIES = (
    "1 (purchased goods and services: an API, SaaS, rented cloud instances), 8 (upstream leased assets: hardware that"
    " you lease), 11 (use of sold products: inference inside a product that you sell, and that you count nowhere else)"
    " or 13 (downstream leased assets: hardware that you lease out)"
)
_NOT_FOR_CALLS = {
    2: "is the making of hardware that you own, not its electricity: write scope: 2, and reports put the embodied part"
    " into category 2",
    3: "is the fuel and the grid losses behind electricity: the life-cycle grid factors hold them already, within the"
    " place of the call itself",
}
_CRITERIA = ("provider", "region", "service", "environment", "tenant", "project", "workload")


@dataclass(frozen=True, slots=True)
class Classification:
    """The place of a call in an inventory. `category` is None in scope 2; `reason` is None for the default."""

    scope: int
    category: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class AccountingRule:
    """Calls that are accounted elsewhere than the others: those that agree in everything that is given.

    Raises:
        ConfigError: it names no calls, or a place that does not exist, or no reason.
    """

    scope: int = 3
    category: int | None = None
    reason: str | None = None
    provider: str | None = None
    region: str | None = None
    service: str | None = None
    environment: str | None = None
    tenant: str | None = None
    project: str | None = None
    workload: str | None = None

    def __post_init__(self) -> None:
        """Refuse what an auditor would."""
        if not any(getattr(self, name) for name in _CRITERIA):
            raise ConfigError(f"a rule must say which calls it is for: one or more of {', '.join(_CRITERIA)}")
        classification(self.scope, self.category, self.reason)


@dataclass(frozen=True, slots=True)
class AccountingSettings:
    """Scope and category of all calls, of those that `rules` name (the first that fits), and suppliers' own figures.

    Raises:
        ConfigError: a place that does not exist or has no reason, or two figures of a supplier for one day.
    """

    scope: int = 3
    category: int | None = None
    """None: 1 in scope 3, none in scope 2."""
    reason: str | None = None
    """Needed for every place but the default."""
    rules: tuple[AccountingRule, ...] = ()
    market_based: tuple[MarketFigure, ...] = ()
    """Suppliers' own intensities, for a figure beside the location-based one."""

    def __post_init__(self) -> None:
        """Refuse what an auditor would."""
        classification(self.scope, self.category, self.reason)
        check_figures(self.market_based)


def classification(scope: int, category: int | None, reason: str | None) -> Classification:
    """Return a checked place in an inventory.

    Raises:
        ConfigError: the message says what is allowed, and why.
    """
    if scope not in {2, 3}:
        why = " (scope 1 is fuel that you burn yourself; a call uses electricity)" if scope == 1 else ""
        raise ConfigError(f"scope: must be 2 or 3, not {scope}{why}: {_SCOPES}")
    if scope == 2 and category is not None:
        raise ConfigError(
            f"category: {category} cannot stand with scope 2, which has none: leave it out; reports put the embodied"
            " part into category 2 of scope 3"
        )
    number = 1 if scope == 3 and category is None else category
    if number in _NOT_FOR_CALLS:
        raise ConfigError(f"category: {number} {_NOT_FOR_CALLS[number]}. Of calls it must be {_CATEGORIES}")
    if number is not None and number not in CATEGORY_NAMES:
        raise ConfigError(f"category: must be {_CATEGORIES}, not {number}")
    given = (reason or "").strip() or None
    if given is None and (scope, number) != (3, 1):
        place = "scope 2" if number is None else f"scope 3, category {number}"
        raise ConfigError(f"reason: is missing; say why these calls are {place}; every line and report carries it")
    return Classification(scope, number, given)


def classify(
    settings: AccountingSettings, who: Attribution, provider: str | None, region: str | None
) -> Classification:
    """Return where a call is accounted: by the first rule that fits, else as all others."""
    rule = _rule(settings.rules, who, provider, region)
    if rule is None:
        return classification(settings.scope, settings.category, settings.reason)
    return classification(rule.scope, rule.category, rule.reason)


def _rule(
    rules: Sequence[AccountingRule], who: Attribution, provider: str | None, region: str | None
) -> AccountingRule | None:
    facts = {"provider": provider, "region": region} | {name: getattr(who, name) for name in _CRITERIA[2:]}
    for rule in rules:
        if all(getattr(rule, name) in {None, facts[name]} for name in _CRITERIA):
            return rule
    return None
