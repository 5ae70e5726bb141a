"""The columns of a line that say where an inventory has it, and by which figure of a supplier, if any."""

from __future__ import annotations

from otel_carbon.estimator.accounting import AccountingSettings, classify
from otel_carbon.estimator.market import MarketFigure, find_figure, market_based_grams
from otel_carbon.ledger.text import clean
from otel_carbon.model import Attribution, Call, Footprint, Interval, Outcome

__all__ = ["account_columns", "market_based", "supplier_figure"]


def supplier_figure(
    settings: AccountingSettings, call: Call, outcome: Outcome, occurred_at: str
) -> MarketFigure | None:
    """Return the supplier's own figure for a call; None where there is none, or no energy to apply it to."""
    if not settings.market_based or not isinstance(outcome, Footprint) or outcome.energy_wh is None:
        return None
    return find_figure(settings.market_based, call.provider, outcome.region.name, occurred_at)


def account_columns(
    settings: AccountingSettings, who: Attribution, call: Call, place: Footprint | None, figure: MarketFigure | None
) -> tuple[str | float | None, ...]:
    """Return `ghg_scope` to `market_based_source`. A category is a code, not a number: scope 2 has none."""
    found = classify(settings, who, call.provider, None if place is None else place.region.name)
    market = (None, None) if figure is None else (float(figure.g_per_kwh), clean(figure.citation))
    category = None if found.category is None else str(found.category)
    return (str(found.scope), category, clean(found.reason), *market)


def market_based(outcome: Footprint, figure: MarketFigure | None) -> Interval | None:
    """Return the market-based emissions of a call; None without a supplier's figure."""
    if figure is None or outcome.energy_wh is None:
        return None
    return market_based_grams(outcome.energy_wh, figure.g_per_kwh)
