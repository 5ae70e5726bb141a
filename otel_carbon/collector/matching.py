"""Statements that lead from a bare model name to the id of a row of a factor set, as `factors.match` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_carbon.collector.ottl import any_of, cache, from_glob, is_match, is_one_of, looked_up, number, put, text
from otel_carbon.collector.rows import GUESSES, Rows
from otel_carbon.errors import ConfigError
from otel_carbon.factors import Basis, FactorRow, FactorSet, FactorTables
from otel_carbon.factors.match import match_model
from otel_carbon.factors.names import normalise
from otel_carbon.factors.patterns import UNKNOWN_CLASS
from otel_carbon.model import Confidence

__all__ = ["check_expressible", "listed_rows", "listed_statements", "matching_statements"]

_NAME, _ROW, _SIZE = cache("m1"), cache("row"), cache("size")
_NO_ROW = f"{_ROW} == nil"
_BY_SIZE = "by size"  # stands for a row until the size in the name is read
# As in `factors.patterns`, without looking around: what stands before and behind is consumed instead.
_BEFORE, _BEHIND = r"(?:^|[^a-z0-9.])", r"(?:[^a-z0-9]|$)"
_EXPERTS = rf"{_BEFORE}(?P<n>\d{{1,3}})x(?P<e>\d{{1,4}}(?:\.\d+)?)b{_BEHIND}"
_ACTIVE = rf"{_BEFORE}(?P<n>\d{{1,5}}(?:\.\d+)?)(?P<u>b|t)-a(?P<a>\d{{1,4}}(?:\.\d+)?)b{_BEHIND}"
_TOTAL = rf"{_BEFORE}(?P<n>\d{{1,5}}(?:\.\d+)?)(?P<u>b|t){_BEHIND}"
# Squares of the upper ends of the classes, since OTTL has no root: below or up to which one it is of which class.
_CLASSES = (("<", 16.0, "micro"), ("<", 225.0, "small"), ("<", 1600.0, "medium"), ("<=", 15625.0, "large"))


def check_expressible(factor_set: FactorSet) -> None:
    """Refuse a factor set whose arithmetic the statements do not have.

    Raises:
        ConfigError: its figures are not per token, it leaves models to another set, or a row needs to know who serves.
    """
    problem = None
    if factor_set.basis is not Basis.PER_TOKEN:
        problem = f"its figures are {factor_set.basis.value}, not per token"
    elif factor_set.fallback_id is not None:
        problem = f"models that it has no row for are left to {factor_set.fallback_id}"
    elif any(row.providers for row in factor_set.models):
        problem = "some of its rows hold only for some providers"
    elif any(row.confidence is Confidence.MEASURED for row in _rows(factor_set)):
        problem = "whether a measured row stays measured depends on who serves the model"
    if problem is not None:
        raise ConfigError(
            f"--factor-set: {factor_set.id!r} cannot be written for the Collector: {problem}; "
            "use 'otel-carbon-2026.11', or the gateway, which knows every set"
        )


def matching_statements(tables: FactorTables, rows: Rows) -> Iterator[str]:
    """Yield the statements for every model: rows of the set, patterns, sizes and words in names, and the default."""
    factor_set = rows.factor_set
    exact = {name: rows.id_of(row, "set_model") for name, row in factor_set.exact.items()}
    if exact:
        yield put(_ROW, looked_up(exact, _NAME), is_one_of(_NAME, exact))
    for pattern, row in _globs(factor_set):
        yield put(_ROW, text(rows.id_of(row, "set_model")), _NO_ROW, is_match(_NAME, pattern))
    for pattern, family, model_class in tables.patterns.patterns:
        if family == "@size":
            sized = any_of(is_match(_NAME, each) for each in (_EXPERTS, _ACTIVE, _TOTAL))
            yield put(_ROW, text(_BY_SIZE), _NO_ROW, is_match(_NAME, pattern), sized)
        else:
            yield put(_ROW, text(_class_id(rows, model_class, "pattern")), _NO_ROW, is_match(_NAME, pattern))
    yield from _sizes(rows)
    for hints, model_class in tables.patterns.hints:
        word = rf"(?:^|[^a-z])(?:{'|'.join(sorted(hints))})(?:[^a-z]|$)"
        yield put(_ROW, text(_class_id(rows, model_class, "name_hint")), _NO_ROW, is_match(_NAME, word))
    yield put(_ROW, text(_class_id(rows, UNKNOWN_CLASS, "global_default")), _NO_ROW)


def listed_rows(tables: FactorTables, rows: Rows, models: Sequence[str]) -> dict[str, str]:
    """Return the ids of the rows of some models, by their bare names.

    Raises:
        ConfigError: a name is empty.
    """
    found: dict[str, str] = {}
    for raw in models:
        model = normalise(raw, tables.name_rules)
        if not model.name:
            raise ConfigError(f"--models: {raw!r} is not the name of a model")
        match = match_model(tables, rows.factor_set, model, raw)
        if match is not None:
            found.setdefault(model.name, rows.id_of(match.row, match.step, match.confidence))
    return found


def listed_statements(listed: dict[str, str]) -> Iterator[str]:
    """Yield the statements for some models. A call of another one has no row, and so is left alone."""
    yield put(_ROW, looked_up(listed, _NAME), is_one_of(_NAME, listed))


def _globs(factor_set: FactorSet) -> list[tuple[str, FactorRow]]:
    """Return the patterns of the rows with wildcards, those with most literal characters first, then in their order."""
    globs = [(glob, row) for row in factor_set.models for glob in row.match]
    globs.sort(key=lambda each: each[0].count("*") + each[0].count("?") - len(each[0]))
    return [(from_glob(glob), row) for glob, row in globs]


def _sizes(rows: Rows) -> Iterator[str]:
    """Yield the statements for a size in the name: its square, from experts, total and active, or one number."""
    open_row = any_of([_NO_ROW, f"{_ROW} == {text(_BY_SIZE)}"])
    found, unit = cache("found"), f'{cache("found")}["u"]'
    count, experts, active = (f'Double({found}["{key}"])' for key in ("n", "e", "a"))
    unset = [f"{_SIZE} == nil", f"{found} != nil"]
    no_size = [open_row, f"{found} == nil"]
    yield put(found, f"ExtractPatterns({_NAME}, {text(_EXPERTS)})", *no_size, is_match(_NAME, _EXPERTS))
    yield put(_SIZE, f"{count} * {experts} * {number(2.0)} * {experts}", *unset)
    yield put(found, f"ExtractPatterns({_NAME}, {text(_ACTIVE)})", *no_size, is_match(_NAME, _ACTIVE))
    yield put(_SIZE, f"{count} * {active}", *unset, f'{unit} == "b"')
    yield put(_SIZE, f"{count} * {number(1000.0)} * {active}", *unset, f'{unit} == "t"')
    yield put(found, f"ExtractPatterns({_NAME}, {text(_TOTAL)})", *no_size, is_match(_NAME, _TOTAL))
    yield put(_SIZE, f"{count} * {count}", *unset, f'{unit} == "b"')
    yield put(_SIZE, f"{count} * {count} * {number(1_000_000.0)}", *unset, f'{unit} == "t"')
    some = f"{_SIZE} != nil"
    for sign, square, model_class in _CLASSES:
        row = text(_class_id(rows, model_class, "size_hint"))
        yield put(_ROW, row, open_row, some, f"{_SIZE} {sign} {number(square)}")
    yield put(_ROW, text(_class_id(rows, "frontier", "size_hint")), open_row, some)


def _class_id(rows: Rows, model_class: str, step: str) -> str:
    row = rows.factor_set.classes.get(model_class)
    if row is None:  # images and video have no factor per token, as `factors.match` says
        return rows.id_of(rows.factor_set.classes[UNKNOWN_CLASS], "global_default", Confidence.LOW)
    return rows.id_of(row, step, Confidence.LOW if step in GUESSES else row.confidence)


def _rows(factor_set: FactorSet) -> list[FactorRow]:
    return [*factor_set.models, *factor_set.classes.values()]
