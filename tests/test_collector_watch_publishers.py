"""`collector-config --watch` with sources that speak HTTP, hour after hour, and what a refusal does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grid_publishers import (
    TOKEN,
    electricity_maps,
    electricity_maps_g_per_kwh,
    neso,
    neso_direct_g_per_kwh,
)
from grid_servers import Answer, Asked, GridServer, grid_server

from otel_carbon.cli.collector_watch import Watch
from otel_carbon.collector.hours import GridKeys, Hours
from otel_carbon.collector.telling import Telling
from otel_carbon.estimator import IntensitySource
from otel_carbon.grid.config import GridIntensityConfig
from otel_carbon.grid.electricity_maps import ElectricityMaps
from otel_carbon.grid.followed import FollowedSource
from otel_carbon.grid.intensity import IntensityProvider
from otel_carbon.grid.refresher import GridRefresher
from otel_carbon.grid.uk_carbon_intensity import UkCarbonIntensity

_START_S = 1_795_510_800 + 600.0  # ten past an hour of November 2026
_UPSTREAM_G_PER_KWH = 0.5 * 120.0 + 0.25 * 12.0  # of a mix of half gas, a quarter nuclear: table A.III.2 of AR5
_PARIS, _LONDON = ("aws:eu-west-3", "FR"), ("aws:eu-west-2", "GB")


@dataclass
class _Watched:
    """A watch over one grid, its server, and a clock that only a test moves."""

    watch: Watch
    server: GridServer
    output: Path
    told: Path
    now_s: float = _START_S

    def look(self, is_over: Callable[[], bool] = lambda: False) -> str:
        """Look once, and return the config as it is then."""
        self.watch.look(is_over)
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def times_told(self) -> int:
        """Return how often the Collector was told."""
        return len(self.told.read_text(encoding="utf-8")) if self.told.exists() else 0


class _At(FollowedSource):
    """The source of a config, at the time of a test."""

    def __init__(self, provider: IntensityProvider, clock_ns: Callable[[], int]) -> None:
        self._refresher = GridRefresher(provider, clock_ns=clock_ns, gather_s=0.001)
        super().__init__(GridIntensityConfig(provider="uk_carbon_intensity"), {})

    def _read(self) -> IntensitySource:
        return self._refresher


def _generated(hours: Hours) -> str:
    """Stand for the config, of which the end-to-end tests have more to say: the figures that it would carry."""
    found = [reading for readings in hours.by_grid.values() for reading in readings]
    return "".join(f"{each.g_per_kwh} {'estimated' if each.is_estimated else 'measured'}\n" for each in found)


@contextmanager
def _watched(
    folder: Path,
    grid: GridKeys,
    publisher: Callable[[Callable[[], float]], Callable[[Asked], Answer]],
    provider: Callable[[str, Callable[[], int]], IntensityProvider],
) -> Iterator[_Watched]:
    def clock_s() -> float:
        return watched.now_s

    def clock_ns() -> int:
        return int(clock_s()) * 10**9

    with grid_server(publisher(clock_s)) as server:
        told = folder / "told"
        telling = Telling(command=f"sh -c 'printf x >> {told}'")
        source = _At(provider(server.url, clock_ns), clock_ns)
        watch = Watch(source, [grid], _generated, folder / "c.yaml", telling, clock_ns)
        watched = _Watched(watch, server, folder / "c.yaml", told)
        try:
            yield watched
        finally:
            source.close()


def _of_electricity_maps(url: str, clock_ns: Callable[[], int]) -> IntensityProvider:
    return ElectricityMaps(TOKEN, url=f"{url}/v4", clock_ns=clock_ns)


def _of_neso(url: str, clock_ns: Callable[[], int]) -> IntensityProvider:
    return UkCarbonIntensity(url=url, clock_ns=clock_ns)


def test_a_watch_of_electricity_maps_asks_once_an_hour_and_writes_once_an_hour(tmp_path: Path) -> None:
    with _watched(tmp_path, _PARIS, electricity_maps, _of_electricity_maps) as watched:
        written = []
        for hour in range(3):
            watched.now_s = _START_S + 3600 * hour
            written.append(watched.look())
            watched.look()  # the same hour: nothing is asked for, written or told
            assert watched.times_told() == hour + 1

    before, first, second, third = (electricity_maps_g_per_kwh(_START_S + 3600 * hour) for hour in range(-1, 3))
    assert written == [
        f"{first} estimated\n{before} measured\n",
        f"{second} estimated\n{first} estimated\n",
        f"{third} estimated\n{second} estimated\n",
    ]
    routes = [each.path.rpartition("/")[2] for each in watched.server.asked]
    assert routes == ["latest", "history", "latest", "latest"]


def test_a_watch_of_the_uk_has_the_forecast_of_the_running_half_hour_and_what_came_of_the_one_before(
    tmp_path: Path,
) -> None:
    with _watched(tmp_path, _LONDON, neso, _of_neso) as watched:
        written = watched.look()
        watched.now_s += 1800
        later = watched.look()

    before, running, after = (
        neso_direct_g_per_kwh(_START_S + seconds) + _UPSTREAM_G_PER_KWH for seconds in (-1800, 0, 1800)
    )
    assert written == f"{running + 7} estimated\n{before} measured\n"
    assert later == f"{after + 7} estimated\n{running + 7} estimated\n"
    assert watched.times_told() == 2


def test_while_a_source_refuses_the_file_stays_and_afterwards_it_is_asked_again(tmp_path: Path) -> None:
    with _watched(tmp_path, _PARIS, electricity_maps, _of_electricity_maps) as watched:
        written, asked, answer = watched.look(), len(watched.server.asked), watched.server.answer
        watched.now_s += 3600
        watched.server.answer = lambda _: Answer(b"", 503, {"Retry-After": "0"})
        refused = watched.look(lambda: len(watched.server.asked) > asked)
        watched.server.answer = answer
        recovered = watched.look()

    assert refused == written
    assert watched.times_told() == 2
    assert recovered.startswith(f"{electricity_maps_g_per_kwh(_START_S + 3600)} estimated\n")


def test_a_wrong_key_leaves_no_hour_at_all(tmp_path: Path) -> None:
    def refusing(clock_s: Callable[[], float]) -> Callable[[Asked], Answer]:
        published = electricity_maps(clock_s)
        return lambda asked: published(Asked(asked.path, asked.query, {**asked.headers, "auth-token": "old"}))

    with _watched(tmp_path, _PARIS, refusing, _of_electricity_maps) as watched:
        assert watched.look(lambda: bool(watched.server.asked)) == ""

    assert {each.headers["auth-token"] for each in watched.server.asked} == {TOKEN}
