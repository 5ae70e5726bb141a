"""All factor tables of the package: small ones are read at once, large ones when they are first asked for."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path

from otel_carbon.errors import ConfigError, FactorError
from otel_carbon.factors.constants import Constants, load_constants
from otel_carbon.factors.equivalents import Equivalent, load_equivalents
from otel_carbon.factors.factor_set import load_factor_set
from otel_carbon.factors.files import DATA_DIRECTORY
from otel_carbon.factors.grid import GridFamily, GridTable, InferenceProfile, load_grid, load_inference_profiles
from otel_carbon.factors.names import NameRules, load_name_rules
from otel_carbon.factors.patterns import ModelPatterns, load_patterns
from otel_carbon.factors.rows import FactorSet
from otel_carbon.factors.sites import CloudRegion, Host, ProviderDefaults, load_hosts, load_providers, load_regions
from otel_carbon.factors.sources import load_sources
from otel_carbon.factors.suggest import did_you_mean
from otel_carbon.factors.water import load_offsite_water
from otel_carbon.model import Source

__all__ = ["FactorTables"]

_LOG = logging.getLogger(__name__)
_VERSION_ENDING = re.compile(r"-\d[\d.]*$")
_GRID_FILES = {GridFamily.ELECTRICITY_MAPS: "electricity_maps_2025.csv", GridFamily.EMBER: "ember_2025.csv"}


class FactorTables:
    """The factor sets and the tables that they share, with every row's source checked when it is loaded."""

    def __init__(self, directory: Path = DATA_DIRECTORY) -> None:
        self._directory = directory
        self.sources: Mapping[str, Source] = load_sources(directory / "sources.csv")
        self.constants: Constants = load_constants(directory / "constants.toml", self.sources)
        self._files = {path.stem: path for path in sorted((directory / "sets").glob("*.toml"))}
        self._sets: dict[str, FactorSet] = {}
        self._warned: set[str] = set()
        self._grids: dict[GridFamily, GridTable] = {}

    @classmethod
    @cache
    def bundled(cls) -> FactorTables:
        """Return the tables that come with the package.

        Raises:
            FactorError: a table is damaged.
        """
        return cls()

    def add_factor_set(self, path: Path) -> FactorSet:
        """Read a factor set of the user and make it selectable by its id.

        Raises:
            FactorError: the file is not a valid factor set, or its id is taken.
        """
        added = self.read_factor_set(path)
        if added.id in self._files:
            raise FactorError(f"{path}: the factor set id {added.id!r} is taken; a changed set needs a new id")
        self._files[added.id] = path
        self._sets[added.id] = added
        self.sources = {**self.sources, **added.sources}
        return added

    def with_factor_sets(self, paths: Iterable[str | Path]) -> FactorTables:
        """Return tables that also have factor sets of the user, or these where they have them already.

        Raises:
            FactorError: a file is not a valid factor set, or its id is taken.
        """
        missing = [path for path in map(Path, dict.fromkeys(paths)) if path not in self._files.values()]
        if not missing:
            return self
        extended = copy.copy(self)
        vars(extended).update(_files=dict(self._files), _sets=dict(self._sets))  # all else is shared
        for path in missing:
            extended.add_factor_set(path)
        return extended

    def own_sets(self, paths: Iterable[str | Path]) -> tuple[FactorSet, ...]:
        """Return the factor sets of the user that stand in these files, in their order."""
        ids = {path: set_id for set_id, path in self._files.items()}
        return tuple(self.factor_set(ids[path]) for path in map(Path, dict.fromkeys(paths)) if path in ids)

    def load(self, path: Path) -> FactorSet:
        """Read a factor-set file, also one that changes the figures of a shipped set, to look at it.

        Raises:
            FactorError: the file is not a valid factor set.
        """
        return load_factor_set(path, self.sources, self.constants)

    def read_factor_set(self, path: Path) -> FactorSet:
        """Read and check a factor-set file without making it selectable.

        Raises:
            FactorError: the file is not a valid factor set, or gives other figures under the id of a shipped one.
        """
        from otel_carbon.factors.fingerprint import refuse_changed_figures  # noqa: PLC0415 - only users' files need it

        found = load_factor_set(path, self.sources, self.constants)
        refuse_changed_figures(path, found.id)
        return found

    @property
    def set_ids(self) -> tuple[str, ...]:
        """The ids of all factor sets, sorted."""
        return tuple(sorted(self._files))

    def factor_set(self, set_id: str) -> FactorSet:
        """Return one factor set.

        Raises:
            ConfigError: there is none with this id.
            FactorError: its file is damaged.
        """
        loaded = self._sets.get(set_id)
        if loaded is None:
            path = self._files.get(set_id)
            if path is None:
                raise ConfigError(f"factor_set: unknown factor set {set_id!r}; {did_you_mean(set_id, self.set_ids)}")
            loaded = self._sets[set_id] = load_factor_set(path, self.sources, self.constants)
        return loaded

    def versions(self, name: str) -> tuple[FactorSet, ...]:
        """Return the factor sets that a setting names, oldest first.

        An id such as `otel-carbon-2026.11` names one version; `otel-carbon` names all versions, of which the call's
        own time then chooses. What users of a set must know is logged as a warning, once.

        Raises:
            ConfigError: no factor set has this name.
        """
        of_family = [set_id for set_id in self.set_ids if _VERSION_ENDING.sub("", set_id) == name]
        if name in self._files or not of_family:
            chosen: tuple[FactorSet, ...] = (self.factor_set(name),)
        else:
            chosen = tuple(sorted(map(self.factor_set, of_family), key=lambda version: version.valid_from))
        for version in chosen:
            self._warn_once(version)
        return chosen

    def _warn_once(self, chosen: FactorSet) -> None:
        """Say what a set's user must know, once for these tables, which a process has one of."""
        if chosen.warning is not None and chosen.id not in self._warned:
            self._warned.add(chosen.id)
            _LOG.warning("factor set %s: %s", chosen.id, chosen.warning)

    @cached_property
    def patterns(self) -> ModelPatterns:
        """Patterns from model names to classes."""
        return load_patterns(self._directory / "model_patterns.csv", self.sources)

    @cached_property
    def name_rules(self) -> NameRules:
        """Rules that take a raw model name apart."""
        return load_name_rules(self._directory / "name_rules.toml")

    @cached_property
    def providers(self) -> Mapping[str, ProviderDefaults]:
        """Defaults by provider name; `*` for a provider that is not known."""
        return load_providers(self._directory / "provider_defaults.csv", self.sources)

    @cached_property
    def provider_names(self) -> Mapping[str, str]:
        """Every spelling of a provider's name, with the name that the defaults are kept under."""
        names = {alias: provider.name for provider in self.providers.values() for alias in provider.aliases}
        return names | {name: name for name in self.providers}

    @cached_property
    def regions(self) -> Mapping[str, Mapping[str, CloudRegion]]:
        """Cloud regions by cloud and name."""
        return load_regions(self._directory / "cloud_regions.csv", self.sources)

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """Patterns of server names."""
        return load_hosts(self._directory / "hosts.csv", self.sources)

    @cached_property
    def profiles(self) -> Mapping[str, InferenceProfile]:
        """Inference profiles and data zones."""
        return load_inference_profiles(self._directory / "grid" / "inference_profiles.csv", self.sources)

    def grid(self, family: GridFamily) -> GridTable:
        """Return the grid intensities of one publication, by zone."""
        if family not in self._grids:
            self._grids[family] = load_grid(self._directory / "grid" / _GRID_FILES[family], self.sources)
        return self._grids[family]

    @cached_property
    def offsite_water_l_per_kwh(self) -> Mapping[str, float]:
        """Water of electricity generation by zone: ISO3 country codes, and Electricity Maps keys by their country."""
        return load_offsite_water(self._directory, self.sources)

    @cached_property
    def equivalents(self) -> Mapping[str, Mapping[str, Equivalent]]:
        """Everyday equivalents by set and key."""
        return load_equivalents(self._directory / "equivalences.csv", self.sources)
