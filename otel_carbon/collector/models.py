"""What the name of a model says: which row of the factor set it is, who serves it, and where.

Most calls are of models that some published list has. For these names the answer is looked up. Any other one is taken
apart by a group of statements of its own, which runs for such spans only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from otel_carbon.collector.dialects import LEAVE, LEAVE_NOT, candidates
from otel_carbon.collector.handover import IS_HANDED_OVER, hand_over, take_over_as_well
from otel_carbon.collector.matching import listed_rows, listed_statements, matching_statements
from otel_carbon.collector.naming import UNREAD, naming_statements
from otel_carbon.collector.ottl import (
    Group,
    Value,
    any_of,
    attribute,
    cache,
    is_one_of,
    looked_up,
    lower,
    merge,
    put,
)
from otel_carbon.collector.reading import PLAIN, group_condition, is_plain
from otel_carbon.collector.rows import GUESSES, Rows
from otel_carbon.collector.vendors import closed_vendor, vendor_statements
from otel_carbon.errors import FactorError
from otel_carbon.factors import FactorTables
from otel_carbon.factors.match import match_model
from otel_carbon.factors.names import ModelName, normalise
from otel_carbon.spans import DialectTable

__all__ = ["Models"]

_ROW, _NAMED, _PROFILE = cache("row"), cache("named"), cache("profile")
_NAMES = ("m1", "m2")


class Models:
    """The models that a config covers. None: all.

    Raises:
        ConfigError: a name is empty.
    """

    def __init__(self, tables: FactorTables, rows: Rows, models: Sequence[str] | None) -> None:
        self._tables = tables
        self._rows = rows
        self._listed = None if models is None else listed_rows(tables, rows, models)
        self._said: dict[str, Mapping[str, Value]] = {}
        self._known = {name: row for name in _raw_names(tables, models or ()) if (row := self._look_up(name))}

    def group(self, dialects: DialectTable) -> Group:
        """Return the statements for names that cannot be looked up."""
        answered, asked = (_path(dialects, field) for field in ("response_model", "request_model"))
        unknown = any_of(f"(IsString({path}) and not {self._is_known(lower(path))})" for path in (answered, asked))
        return Group(f"{unknown} and {group_condition(dialects)}", tuple(self._taken_apart(answered, asked)))

    def statements(self) -> Iterator[str]:
        """Yield the statements, for a span whose names have been read.

        They leave in the cache `row`, `named` (who serves it, by its name), `profile`, and either `vendor` or, where
        the names were looked up, `known`.
        """
        first, second = (cache(name) for name in _NAMES)
        known, unnamed = f"{cache('known')} == true", "" if "" in self._known else f'{first} != ""'
        yield put(cache("known"), "true", f"not ({IS_HANDED_OVER})", LEAVE_NOT, unnamed)
        yield from take_over_as_well()
        yield put(_ROW, looked_up(self._known, first), known)
        if self._said:  # of two models the one that answered says more, so that it comes last
            for name in (second, first):
                yield merge("span.cache", looked_up(self._said, name), known, is_one_of(name, self._said))

    def _is_known(self, path: str) -> str:
        return is_one_of(path, self._known)

    def _look_up(self, raw: str) -> str | None:
        """Return the row of a name; None where it has to be taken apart."""
        model = normalise(raw, self._tables.name_rules)
        match = match_model(self._tables, self._rows.factor_set, model, raw)
        if match is None or model.region is not None or (raw and match.step in GUESSES):
            return None
        if self._listed is not None and model.name not in self._listed:
            return None
        if said := _said(self._tables, model):
            self._said[raw] = said
        elif closed_vendor(model.name) != closed_vendor(raw):
            return None
        if self._listed is not None:
            return self._listed[model.name]
        return self._rows.id_of(match.row, match.step, match.confidence)

    def _taken_apart(self, answered: str, asked: str) -> Iterator[str]:
        first, second = (cache(name) for name in _NAMES)
        for path, other in ((answered, asked), (asked, answered)):
            readable = any_of([f"{other} == nil", is_plain(other)])
            yield put(cache("usable"), "true", f"{path} != nil", is_plain(path), readable)
        usable = f"{cache('usable')} == true"
        yield put(first, lower(answered), usable, f"{answered} != nil")
        yield put(first, lower(asked), usable, f"{answered} == nil")
        yield put(second, lower(asked), usable, f"{answered} != nil", f"{asked} != nil", f"{asked} != {answered}")
        for name in _NAMES:
            yield from naming_statements(name, self._tables.name_rules)
        if self._listed is None:
            yield from matching_statements(self._tables, self._rows)
        else:
            yield from listed_statements(self._listed)
        for name in _NAMES:
            yield from vendor_statements(name)
        served = [provider for provider in self._tables.providers if provider != "*"]
        for target, part, values in ((_NAMED, "host", served), (_PROFILE, "profile", self._tables.profiles)):
            for path in (cache(f"{name}_{part}") for name in _NAMES):
                yield put(target, path, f"{target} == nil", f"{path} != nil", is_one_of(path, values))
        # Where the model that answered is a guess, the one that was asked for may tell more: the gateway reads both.
        if guesses := self._rows.guesses():
            yield put(LEAVE, "true", f"{second} != nil", f"{second} != {first}", is_one_of(_ROW, guesses))
        yield hand_over(())  # says that the names have been taken apart, whatever was found
        yield hand_over(("row", "vendor", "named", "profile"), usable, LEAVE_NOT, f"{_ROW} != nil")


def _raw_names(tables: FactorTables, models: Sequence[str]) -> list[str]:
    """Return names to be looked up as they are: the empty one, those that were asked for, and what any set lists."""
    listed = (name for set_id in tables.set_ids for name in tables.factor_set(set_id).exact)
    names = dict.fromkeys(each.lower() for each in (*models, *listed))
    return ["", *(name for name in names if re.fullmatch(PLAIN, name) and not re.search(UNREAD, name))]


def _said(tables: FactorTables, model: ModelName) -> Mapping[str, Value]:
    """Return who serves a model, and by which profile, where its name says so."""
    provider, profile = model.host_provider, model.profile
    said: dict[str, Value] = {}
    if provider is not None and provider in tables.providers:
        said["named"] = provider
    if profile is not None and profile in tables.profiles:
        said["profile"] = profile
    return said


def _path(dialects: DialectTable, field: str) -> str:
    """Return the only key of a model's name.

    Raises:
        FactorError: there are several, which the condition of a group cannot choose from.
    """
    found = candidates(dialects, field)
    if len(found) != 1 or found[0][1]:
        raise FactorError(f"{field} has several keys in the dialects that the Collector reads")
    return attribute(found[0][0])
