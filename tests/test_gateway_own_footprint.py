"""What the gateway says of its own energy, worked out by hand."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gateway_process import GatewayProcess
from spans import traces

from otel_carbon.errors import ConfigError
from otel_carbon.factors import FactorTables
from otel_carbon.gateway.own_energy import CORE_WATTS, CpuTimes, EnergyMeter, cpu_times, memory_joules, rapl_joules
from otel_carbon.gateway.own_footprint import EnergyConfig, Measured, OwnFootprint, place_of
from otel_carbon.gateway.rapl import Rapl
from otel_carbon.model import Interval

_RANGE_UJ = 262_143_328_850  # of a real processor: 262 kJ


def _powercap(folder: Path, **energy_uj: int) -> Path:
    """Write a tree as the kernel has it: two processors, one with memory and cores inside, and the whole board."""
    domains = {
        "intel-rapl:0": ("package-0", energy_uj["package_0"]),
        "intel-rapl:0:0": ("core", 7_000_000_000),
        "intel-rapl:0:1": ("dram", energy_uj["dram"]),
        "intel-rapl:1": ("package-1", energy_uj["package_1"]),
        "intel-rapl:2": ("psys", 9_000_000_000),
    }
    for name, (label, energy) in domains.items():
        zone = folder / name
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "name").write_text(f"{label}\n", encoding="ascii")
        (zone / "energy_uj").write_text(f"{energy}\n", encoding="ascii")
        (zone / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n", encoding="ascii")
    return folder


def test_rapl_adds_processors_and_memory_and_counts_nothing_twice(tmp_path: Path) -> None:
    rapl = Rapl(_powercap(tmp_path, package_0=1_000_000, package_1=5_000_000, dram=100_000))
    assert rapl.advance_joules() == 0.0
    _powercap(tmp_path, package_0=31_000_000, package_1=5_000_000, dram=2_100_000)

    assert rapl.advance_joules() == pytest.approx(32.0)  # 30 J + 2 J
    assert rapl.advance_joules() == 0.0


def test_a_rapl_counter_that_went_round_goes_on(tmp_path: Path) -> None:
    rapl = Rapl(_powercap(tmp_path, package_0=_RANGE_UJ - 4_000_000, package_1=0, dram=0))
    _powercap(tmp_path, package_0=6_000_000, package_1=0, dram=0)

    assert rapl.advance_joules() == pytest.approx(10.0)


def test_rapl_that_is_not_there_or_not_readable_is_nothing(tmp_path: Path) -> None:
    tree = _powercap(tmp_path / "tree", package_0=1, package_1=1, dram=1)
    for counter in tree.glob("*/energy_uj"):
        counter.unlink()  # what a process without the right to read sees of it

    assert not Rapl(tmp_path / "missing")
    assert not Rapl(tree)


def test_a_share_of_the_machine_is_bounded_by_idle_cores_and_by_the_rest_of_the_server() -> None:
    # 100 J in 10 s on 4 cores, of which 8 s were worked, 2 s by us: 2/40 of all time, 2/8 of all work.
    joules = rapl_joules(100.0, CpuTimes(own_s=2.0, busy_s=8.0, all_s=40.0))

    assert (joules.low, joules.central) == (5.0, 25.0)
    assert joules.high == pytest.approx(25.0 * 251 / 116)


@pytest.mark.parametrize("passed", [CpuTimes(0.0, 0.0, 40.0), CpuTimes(0.0, 8.0, 40.0)])
def test_who_did_nothing_used_nothing(passed: CpuTimes) -> None:
    assert rapl_joules(100.0, passed) == Interval.exact(0.0)


def test_a_process_whose_ticks_run_ahead_of_the_machine_never_used_more_than_all() -> None:
    assert rapl_joules(10.0, CpuTimes(own_s=3.0, busy_s=2.0, all_s=2.0)).central == 10.0


def test_the_watts_of_a_core_follow_from_the_published_ones() -> None:
    # 0.74 W idle, 3.5 W full. Low: 3.5 - 0.74. Central, at 50 % use: (0.74 + 0.5 * 2.76) / 0.5. High, at 10 %.
    assert (CORE_WATTS.low, CORE_WATTS.central, CORE_WATTS.high) == pytest.approx((2.76, 4.24, 10.16))
    assert memory_joules(500e6, 100.0).central == pytest.approx(19.6)  # 0.5 GB * 0.392 W/GB * 100 s


class _Process:
    now_s, own_s, memory_bytes = 0.0, 0.0, 0

    def meter(self, rapl: Rapl | None = None, watts: Interval = CORE_WATTS) -> EnergyMeter:
        times = lambda: CpuTimes(self.own_s, self.own_s * 2, self.own_s * 4)  # noqa: E731
        return EnergyMeter(rapl, watts, clock=lambda: self.now_s, times=times, memory=lambda: self.memory_bytes)


def test_without_rapl_cpu_time_and_memory_are_added_up() -> None:
    process = _Process()
    meter = process.meter()
    process.now_s, process.own_s, process.memory_bytes = 100.0, 10.0, 500_000_000
    first = meter.read_joules()
    process.now_s, process.own_s = 200.0, 10.0

    assert first.central == pytest.approx(10 * 4.24 + 19.6)
    assert meter.read_joules().central == pytest.approx(10 * 4.24 + 2 * 19.6)
    assert meter.method == "cpu_time"


def test_with_rapl_the_share_of_each_reading_is_added_up(tmp_path: Path) -> None:
    process = _Process()
    meter = process.meter(Rapl(_powercap(tmp_path, package_0=0, package_1=0, dram=0)))
    process.own_s = 1.0
    _powercap(tmp_path, package_0=40_000_000, package_1=0, dram=0)

    joules = meter.read_joules()  # we are half of the work and a quarter of all time

    assert (joules.low, joules.central, meter.method) == (10.0, 20.0, "rapl")


def test_cpu_times_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  1000 100 300 5000 200 10 20 70 999 0\ncpu0 1 1 1 1\n", encoding="ascii")

    times = cpu_times(stat)

    assert (times.busy_s, times.all_s) == pytest.approx((15.0, 67.0))  # hundredths; guest time, 999, is inside of user
    assert 0 < times.own_s <= time.process_time()


def test_own_emissions_are_energy_times_pue_times_intensity_and_the_ratio_has_the_widest_bounds() -> None:
    process = _Process()
    config = EnergyConfig(grid_intensity_g_per_kwh=500.0, pue_ratio=1.2, watts_per_core=6.0)
    measured = Measured()
    own = OwnFootprint(process.meter(watts=Interval.exact(6.0)), place_of(config, FactorTables.bundled()), measured)
    assert "ratio" not in own.read()  # nothing measured yet: not zero, and not infinite
    process.own_s = 3600.0
    measured._sums = (1.0, 3.6, 10.0)

    found = own.read()

    assert found["energy_joules"].central == pytest.approx(21_600.0)  # 6 W for an hour: 6 Wh
    assert found["co2e_grams"].central == pytest.approx(3.6)  # 6 Wh * 1.2 * 0.5 g/Wh
    ratio = found["ratio"]
    assert (ratio.low, ratio.central, ratio.high) == pytest.approx((0.36, 1.0, 3.6))


def test_without_a_place_the_world_stands_in_with_its_bounds() -> None:
    tables = FactorTables.bundled()

    assert place_of(EnergyConfig(), tables).intensity_g_per_kwh == Interval(30.0, 458.0, 800.0)
    assert place_of(EnergyConfig(zone="FR"), tables).zone == "FR"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"zone": "XX"}, "zone: unknown grid zone 'XX'"),
        ({"pue_ratio": 0.9}, "pue_ratio: must be at least 1"),
        ({"watts_per_core": 0.0}, "watts_per_core: must be more than 0"),
    ],
)
def test_an_energy_config_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EnergyConfig(**settings)


def test_rapl_that_is_asked_for_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="service::telemetry::energy::source: no RAPL counter under"):
        EnergyConfig(source="rapl", powercap=str(tmp_path)).meter()
    tree = _powercap(tmp_path, package_0=1, package_1=1, dram=1)
    assert EnergyConfig(source="rapl", powercap=str(tree)).meter().method == "rapl"
    assert EnergyConfig(source="cpu_time", powercap=str(tree)).meter().method == "cpu_time"


def test_a_gateway_states_its_own_cost_in_metrics_debug_and_on_the_page(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "data", addresses=("grpc", "http", "web")) as gateway:
        web = gateway.ready["web"]
        body = traces(0, 2000)
        request = urllib.request.Request(
            f"{gateway.ready['http']}/v1/traces", body, {"Content-Type": "application/x-protobuf"}
        )
        urllib.request.urlopen(request, timeout=30).close()
        metrics, described, page = (_text(f"{web}{path}") for path in ("/metrics", "/debug/pipelines", "/"))

    own = json.loads(described)["own"]
    measured = own["measured_co2e_grams"]
    assert measured["low"] < measured["central"] < measured["high"]
    assert own["ratio"]["central"] == pytest.approx(own["co2e_grams"]["central"] / measured["central"])
    assert (own["method"], own["zone"]) == ("cpu_time", "WOR")
    assert re.search(r'otelcarbon_process_energy_joules\{bound="central"\} [1-9]', metrics)
    assert "# TYPE otelcarbon_process_energy_joules counter" in metrics
    assert f'otelcarbon_measured_co2e_grams{{bound="central"}} {measured["central"]!r}' in metrics
    assert re.search(r"This gateway itself, since it started, by CPU time: .* of what it measured \(", page)


def _text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())
