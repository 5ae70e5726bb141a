"""From a call to its footprint. Pure arithmetic over the factor tables."""

from otel_carbon.estimator.accounting import AccountingRule, AccountingSettings
from otel_carbon.estimator.estimator import Estimator
from otel_carbon.estimator.hourly import IntensitySource
from otel_carbon.estimator.market import MarketFigure
from otel_carbon.estimator.overrides import Override
from otel_carbon.estimator.settings import (
    DEFAULT_FACTOR_SET,
    EstimatorSettings,
    factor_sets_from_environment,
    settings_from_environment,
)

__all__ = [
    "DEFAULT_FACTOR_SET",
    "AccountingRule",
    "AccountingSettings",
    "Estimator",
    "EstimatorSettings",
    "IntensitySource",
    "MarketFigure",
    "Override",
    "factor_sets_from_environment",
    "settings_from_environment",
]
