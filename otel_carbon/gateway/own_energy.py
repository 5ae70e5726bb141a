"""The energy that this process used itself, as far as the machine tells."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from otel_carbon.gateway.rapl import Rapl
from otel_carbon.model import Interval
from otel_carbon.pipeline.memory import resident_bytes

__all__ = ["CORE_WATTS", "CpuTimes", "EnergyMeter", "cpu_times", "memory_joules", "rapl_joules"]

# Cloud Carbon Footprint, constants of its AWS package (Apache-2.0, read 2026-11-24), from SPECpower: a vCPU of a server
# draws 0.74 W idle and 3.5 W at full use, and servers are used at 50 % on average. Memory: 0.392 W/GB.
_IDLE_WATTS, _FULL_WATTS = 0.74, 3.5
_GB = 1e9
_MEMORY_WATTS_PER_GB = 0.392
# US EPA, Report to Congress on Server and Data Center Energy Efficiency (2007): of the 251 W of a volume server, 80 W
# are processors and 36 W memory. The rest, which RAPL does not see: disks, slots, board, fans, losses of the supply.
_SERVER_OVER_PROCESSORS_AND_MEMORY = 251 / (80 + 36)


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds of CPU since some start: of this process, of all that worked on this machine, and of all cores at all."""

    own_s: float
    busy_s: float
    all_s: float


def _watts_of_a_busy_core(use_ratio: float) -> float:
    """Return what one core draws per second that it works, in W, on servers that are used at this ratio.

    The idle draw is shared among the work that is done.
    """
    return (_IDLE_WATTS + use_ratio * (_FULL_WATTS - _IDLE_WATTS)) / use_ratio


CORE_WATTS = Interval(
    low=_FULL_WATTS - _IDLE_WATTS,  # what the work adds; the server would idle anyway
    central=_watts_of_a_busy_core(0.5),
    high=_watts_of_a_busy_core(0.1),  # a server with little else to do
)


def memory_joules(memory_bytes: float, duration_s: float) -> Interval:
    """Return the energy of holding so much memory for so long."""
    return Interval.exact(memory_bytes / _GB * _MEMORY_WATTS_PER_GB * duration_s)


def rapl_joules(machine_joules: float, passed: CpuTimes) -> Interval:
    """Return this process's share of the energy of processors and memory.

    Low: by all core time, so that nobody pays for idle cores. Central: by the time that somebody worked. High: with the
    rest of the server, which RAPL does not see.
    """
    if passed.own_s <= 0 or passed.busy_s <= 0:
        return Interval.exact(0.0)
    central = machine_joules * min(1.0, passed.own_s / passed.busy_s)
    low = min(central, machine_joules * passed.own_s / max(passed.all_s, passed.busy_s))
    return Interval(low, central, central * _SERVER_OVER_PROCESSORS_AND_MEMORY)


def cpu_times(stat: Path = Path("/proc/stat")) -> CpuTimes:
    """Return the CPU times of this moment; without /proc, those of this process alone."""
    own_s = time.process_time()
    try:
        fields = stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return CpuTimes(own_s, own_s, own_s)
    user, nice, system, idle, io_wait, irq, soft_irq, steal = (
        int(field) / os.sysconf("SC_CLK_TCK") for field in fields
    )
    busy_s = user + nice + system + irq + soft_irq + steal
    return CpuTimes(own_s, busy_s, busy_s + idle + io_wait)


class EnergyMeter:
    """Adds up the energy of this process: by RAPL where it can be read, else by CPU time. Thread-safe.

    It has to be read more often than a RAPL counter goes round, which is some minutes.
    """

    def __init__(
        self,
        rapl: Rapl | None,
        core_watts: Interval,
        *,
        clock: Callable[[], float] = time.monotonic,
        times: Callable[[], CpuTimes] = cpu_times,
        memory: Callable[[], int | None] = resident_bytes,
    ) -> None:
        self.method: Literal["rapl", "cpu_time"] = "rapl" if rapl else "cpu_time"
        self._rapl = rapl
        self._core_watts = core_watts
        self._clock, self._times, self._memory = clock, times, memory
        self._lock = threading.Lock()
        self._last_s, self._last = clock(), times()
        self._joules = Interval.exact(0.0)

    def read_joules(self) -> Interval:
        """Return the energy since the meter was made, in J."""
        with self._lock:
            now_s, now = self._clock(), self._times()
            self._joules += self._since(now_s, now)
            self._last_s, self._last = now_s, now
            return self._joules

    def _since(self, now_s: float, now: CpuTimes) -> Interval:
        last = self._last
        passed = CpuTimes(now.own_s - last.own_s, now.busy_s - last.busy_s, now.all_s - last.all_s)
        if self._rapl:
            return rapl_joules(self._rapl.advance_joules(), passed)
        return self._core_watts.scaled(passed.own_s) + memory_joules(self._memory() or 0, now_s - self._last_s)
