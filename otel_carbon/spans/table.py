"""The dialect table: read from TOML, checked, and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from otel_carbon.spans import table_rows
from otel_carbon.spans.rules import FIELDS, Accounting, Dialect, Guess, HardCodedHost, Wrapper

__all__ = ["FIELDS", "Accounting", "Dialect", "DialectTable"]

_BUNDLED = Path(__file__).with_name("dialects.toml")
_TOP = {"schema", "providers", "provider_suffixes", "hosts", "dialect", "accounting", "wrapper", "guess"}


@dataclass(frozen=True, slots=True)
class DialectTable:
    """Everything that is known about emitters. Rows of every kind in the order they are tried."""

    providers: Mapping[str, str] = field(default_factory=dict[str, str])
    provider_suffixes: tuple[str, ...] = ()
    refined_by_host: frozenset[str] = frozenset()
    host_suffixes: Mapping[str, str] = field(default_factory=dict[str, str])
    hard_coded_hosts: tuple[HardCodedHost, ...] = ()
    dialects: tuple[Dialect, ...] = ()
    accounting: tuple[Accounting, ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    guesses: tuple[Guess, ...] = ()

    @classmethod
    def bundled(cls) -> DialectTable:
        """Return the table that comes with the package."""
        return cls().extended(_BUNDLED.read_text(encoding="utf-8"), name=_BUNDLED.name)

    def extended(self, toml: str, *, name: str = "dialects") -> DialectTable:
        """Return this table with the rows of a TOML text, which are tried before those that are there.

        Raises:
            ConfigError: the text is not a dialect table. The message names the table, the key and the fix.
        """
        document = table_rows.document_of(toml, _TOP, name)
        hosts = table_rows.mapping(document, "hosts", name)
        dialects = self.dialects
        for row in table_rows.rows(document, "dialect", name):
            dialects = (table_rows.dialect(row, dialects, name), *dialects)
        return DialectTable(
            providers={**self.providers, **table_rows.text_mapping(document, "providers", name)},
            provider_suffixes=(*table_rows.texts(document, "provider_suffixes", name), *self.provider_suffixes),
            refined_by_host=self.refined_by_host.union(table_rows.texts(hosts, "refines", name)),
            host_suffixes={**self.host_suffixes, **table_rows.text_mapping(hosts, "suffixes", name)},
            hard_coded_hosts=(*table_rows.hard_coded_hosts(hosts, name), *self.hard_coded_hosts),
            dialects=dialects,
            accounting=(*table_rows.accounting(document, name), *self.accounting),
            wrappers=(*table_rows.wrappers(document, name), *self.wrappers),
            guesses=(*table_rows.guesses(document, name), *self.guesses),
        )
