"""Grid intensities by the hour: providers, a store with look-up by place and time, its refresh in the background."""

from otel_carbon.grid.config import GridIntensityConfig, config_from_environment, intensity_source
from otel_carbon.grid.intensity import IntensityProvider
from otel_carbon.grid.refresher import GridRefresher
from otel_carbon.grid.series import SeriesStore

__all__ = [
    "GridIntensityConfig",
    "GridRefresher",
    "IntensityProvider",
    "SeriesStore",
    "config_from_environment",
    "intensity_source",
]
