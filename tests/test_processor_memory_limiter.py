"""The memory limiter: the Collector's limits, and a real gateway that refuses before memory runs out."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from gateway_process import GatewayProcess
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from spans import traces

from otel_carbon.errors import ConfigError, UnavailableError
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.memory import resident_bytes, total_bytes
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors._memory_limit import MemoryLimit
from otel_carbon.processors.memory_limiter import Config, MemoryLimiter

_MIB = 1 << 20


class _Machine:
    """A clock and a memory that tests set. A collection leaves `after_collection_mib`."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.used_mib = 10
        self.after_collection_mib: int | None = None
        self.measured = self.collected = 0

    def clock(self) -> float:
        return self.now_s

    def measure(self) -> int:
        self.measured += 1
        return self.used_mib * _MIB

    def collect(self) -> None:
        self.collected += 1
        if self.after_collection_mib is not None:
            self.used_mib = self.after_collection_mib

    def limit(self, **settings: Any) -> MemoryLimit:
        config = Config(**{"check_interval": "1s", "limit_mib": 100, **settings})
        thresholds = config.thresholds(total_bytes())
        return MemoryLimit(thresholds, clock=self.clock, measure=self.measure, collect=self.collect)

    def after(self, seconds: float, limit: MemoryLimit) -> bool:
        self.now_s += seconds
        return limit.refuses()


def test_the_soft_limit_is_a_fifth_below_the_hard_one() -> None:
    machine = _Machine()
    limit = machine.limit()
    machine.used_mib = 79
    assert not machine.after(1, limit)
    machine.used_mib = 80
    assert machine.after(1, limit)
    machine.used_mib = 79
    assert not machine.after(1, limit)


@pytest.mark.parametrize(
    ("settings", "soft_mib", "hard_mib"),
    [
        ({"limit_mib": 400, "spike_limit_mib": 100}, 300, 400),
        ({"limit_percentage": 50}, 400, 500),
        ({"limit_percentage": 50, "spike_limit_percentage": 5}, 450, 500),
        ({"limit_mib": 200, "limit_percentage": 50}, 160, 200),
    ],
)
def test_limits_are_sizes_or_shares_of_the_memory(settings: dict[str, int], soft_mib: int, hard_mib: int) -> None:
    thresholds = Config(check_interval="1s", **settings).thresholds(1000 * _MIB)

    assert (thresholds.soft_bytes, thresholds.hard_bytes) == (soft_mib * _MIB, hard_mib * _MIB)


def test_memory_is_measured_once_in_an_interval() -> None:
    machine = _Machine()
    limit = machine.limit(check_interval="2s")
    for _ in range(10):
        machine.after(0.5, limit)

    assert machine.measured == 3  # at 0.5, 2.5 and 4.5 s


def test_a_collection_that_helps_lets_data_pass_at_once() -> None:
    machine = _Machine()
    limit = machine.limit()
    machine.used_mib, machine.after_collection_mib = 90, 30

    assert not machine.after(1, limit)
    assert machine.collected == 1


def test_above_the_hard_limit_collections_come_at_every_check_and_above_the_soft_one_every_ten_seconds() -> None:
    machine = _Machine()
    limit = machine.limit(max_gc_interval_when_soft_limited="0s", max_gc_interval_when_hard_limited="0s")
    machine.used_mib = 90
    for _ in range(20):
        assert machine.after(1, limit)
    assert machine.collected == 2

    machine.used_mib = 120
    for _ in range(5):
        assert machine.after(1, limit)
    assert machine.collected == 7


def test_collections_that_free_nothing_become_rarer() -> None:
    machine = _Machine()
    limit = machine.limit()
    machine.used_mib = 120
    times = []
    for second in range(1, 101):
        before = machine.collected
        machine.after(1, limit)
        if machine.collected > before:
            times.append(second)

    assert times == [1, 3, 7, 15, 31, 61, 91]  # 2, 4, 8, 16 s apart, then never more than 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limit_mib": 100}, "check_interval: must be set"),
        ({"check_interval": "1s"}, "limit_mib: is missing; set it or limit_percentage"),
        ({"check_interval": "1s", "limit_mib": 100, "spike_limit_mib": 100}, "spike_limit_mib: must be smaller"),
        ({"check_interval": "1s", "limit_percentage": 101}, "limit_percentage: must be between 1 and 100"),
        ({"check_interval": "1s", "limit_percentage": 5, "spike_limit_percentage": 5}, "spike_limit_percentage: must"),
        ({"check_interval": "1s", "limit_mib": 1, "max_gc_interval_when_soft_limited": "x"}, "max_gc_interval_when_s"),
    ],
)
def test_limits_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**settings)


def _control_groups(folder: Path, membership: str, limits: dict[str, str]) -> tuple[Path, Path]:
    for name, limit in limits.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{limit}\n", encoding="ascii")
    (folder / "own").write_text(membership, encoding="ascii")
    return folder, folder / "own"


@pytest.mark.parametrize(
    ("membership", "limits"),
    [
        ("0::/\n", {"memory.max": f"{300 * _MIB}"}),  # in a container
        (
            "0::/system.slice/otel-carbon.service\n",
            {"memory.max": "max", "system.slice/otel-carbon.service/memory.max": f"{300 * _MIB}"},
        ),
        (
            "0::/outer/inner\n",
            {"outer/memory.max": f"{300 * _MIB}", "outer/inner/memory.max": f"{400 * _MIB}"},
        ),
        (
            "5:cpu,cpuacct:/x\n4:memory:/docker/of-the-host\n",  # version 1, where the path is that of the host
            {"memory/memory.limit_in_bytes": f"{300 * _MIB}"},
        ),
    ],
)
def test_the_memory_of_the_control_group_goes_before_that_of_the_machine(
    tmp_path: Path, membership: str, limits: dict[str, str]
) -> None:
    assert total_bytes(*_control_groups(tmp_path, membership, limits)) == 300 * _MIB


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])  # version 1 writes this where there is no limit
def test_without_a_limit_there_is_the_memory_of_the_machine(tmp_path: Path, limit: str) -> None:
    no_groups = total_bytes(tmp_path, tmp_path / "missing")

    assert total_bytes(*_control_groups(tmp_path, "0::/\n", {"memory.max": limit})) == no_groups
    assert (resident_bytes() or 0) < no_groups


class _Counts:
    def __init__(self) -> None:
        self.counted: dict[str, float] = {}

    def count(self, name: str, value: float = 1.0, **labels: str) -> None:
        assert labels == {"processor": "memory_limiter"}
        self.counted[name] = self.counted.get(name, 0.0) + value


@pytest.mark.parametrize(("limit_mib", "refused"), [(1, True), (1 << 20, False)])
def test_what_passes_and_what_does_not_is_counted_by_item(limit_mib: int, refused: bool) -> None:
    counts = _Counts()
    config = Config(check_interval="1s", limit_mib=limit_mib)
    limiter = MemoryLimiter(config, Settings("memory_limiter", {}, {"telemetry": counts}))
    payload = Payload(Signal.LOGS, b"", 7)

    if refused:
        with pytest.raises(UnavailableError, match="data refused due to high memory usage; memory_limiter takes"):
            limiter.process(payload)
    else:
        assert limiter.process(payload) is payload
    outcome = "refused" if refused else "accepted"
    assert counts.counted == {f"processor_memory_limiter_{outcome}_log_records": 7.0}


_CONFIG = """\
receivers: {otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0}}}}
processors: {memory_limiter: {check_interval: 50ms, limit_mib: LIMIT}}
exporters: {otlp_http/down: {endpoint: "http://127.0.0.1:9"}}
service:
  web: {endpoint: 127.0.0.1:0}
  pipelines: {traces: {receivers: [otlp], processors: [memory_limiter], exporters: [otlp_http/down]}}
"""


def _post(url: str, body: bytes) -> tuple[int, str | None]:
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/traces", body, headers), timeout=30) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Retry-After"]


def _gateway(tmp_path: Path, limit_mib: int) -> GatewayProcess:
    config = tmp_path / "gateway.yaml"
    config.write_text(_CONFIG.replace("LIMIT", str(limit_mib)), encoding="utf-8")
    return GatewayProcess(tmp_path / "data", "--config", str(config), addresses=())


def test_a_gateway_under_load_stays_below_its_limit_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A destination is down, so that all that is taken stays: in the journal, and what is newest also in memory."""
    with _gateway(tmp_path, limit_mib=10_000) as idle:
        idle_mib = _rss_mib(idle)
    limit_mib = round(idle_mib * 1.25) + 60
    body = gzip.compress(traces(0, 30_000), 1)
    with _gateway(tmp_path, limit_mib) as gateway:
        answers, peak_mib = [], 0.0
        for _ in range(40):
            answers.append(_post(gateway.ready["http"], body))
            peak_mib = max(peak_mib, _rss_mib(gateway))
        taken = sum(status == 200 for status, _ in answers)
        with urllib.request.urlopen(f"{gateway.ready['web']}/debug/pipelines", timeout=30) as answer:
            waiting = json.loads(answer.read())["cursors"]["otlp_http/down:traces"]["waiting"]["payloads"]

    assert {answer for answer in answers if answer[0] != 200} == {(503, "5")}
    assert waiting == taken > 0
    assert peak_mib < limit_mib


def _rss_mib(gateway: GatewayProcess) -> float:
    for line in Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def test_a_gateway_above_its_limit_refuses_over_grpc_and_is_not_ready(tmp_path: Path) -> None:
    with _gateway(tmp_path, limit_mib=2) as gateway:
        with grpc.insecure_channel(gateway.ready["grpc"]) as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            with pytest.raises(grpc.RpcError) as refused:
                export(traces(0, 1), timeout=30)
        with pytest.raises(urllib.error.HTTPError) as unready:
            urllib.request.urlopen(f"{gateway.ready['web']}/readyz", timeout=30)
        reason = json.loads(unready.value.read())["reason"]
        unready.value.close()
        with urllib.request.urlopen(f"{gateway.ready['web']}/metrics", timeout=30) as answer:
            metrics = answer.read().decode()

    call: Any = refused.value
    details = dict(call.trailing_metadata())["grpc-status-details-bin"]
    wait = RetryInfo()
    assert call.code() is grpc.StatusCode.UNAVAILABLE
    assert Status.FromString(details).details[0].Unpack(wait)
    assert wait.retry_delay.seconds == 5
    assert reason.startswith("data refused due to high memory usage; memory_limiter takes data again")
    assert 'otelcarbon_receiver_requests{outcome="refused",receiver="otlp",transport="grpc"} 1.0' in metrics
