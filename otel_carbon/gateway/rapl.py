"""RAPL: the energy counters of processors and memory, as Linux shows them under /sys/class/powercap."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["Rapl"]

_JOULES_PER_MICROJOULE = 1e-6


class Rapl:
    """The processors and memories of this machine that can be read. Empty where there are none, or no right to.

    Domains inside of a processor (`core`, `uncore`) are part of its figure and not added; `psys`, the whole board where
    a laptop has it, would count processors twice.
    """

    def __init__(self, powercap: Path) -> None:
        self._domains = [domain for domain in map(_Domain, sorted(_folders(powercap))) if domain.readable]

    def __bool__(self) -> bool:
        """Return whether there is anything to read."""
        return bool(self._domains)

    def advance_joules(self) -> float:
        """Return the energy since the last call, in J."""
        return sum(domain.advance_joules() for domain in self._domains)


class _Domain:
    """One counter. It begins again at 0 after its range, which takes some minutes at full power."""

    def __init__(self, folder: Path) -> None:
        self._counter = folder / "energy_uj"
        self._range_uj = _number(folder / "max_energy_range_uj")
        self._last_uj = _number(self._counter)

    @property
    def readable(self) -> bool:
        return self._last_uj is not None and self._range_uj is not None

    def advance_joules(self) -> float:
        now_uj, last_uj = _number(self._counter), self._last_uj
        if now_uj is None or last_uj is None:
            return 0.0
        self._last_uj = now_uj
        passed_uj = now_uj - last_uj if now_uj >= last_uj else now_uj + (self._range_uj or 0) - last_uj
        return passed_uj * _JOULES_PER_MICROJOULE


def _folders(powercap: Path) -> Iterable[Path]:
    for zone in powercap.glob("intel-rapl:*"):  # of AMD too
        inner = zone.name.count(":") == 2
        name = _text(zone / "name")
        if (not inner and name.startswith("package")) or (inner and name == "dram"):
            yield zone


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None
