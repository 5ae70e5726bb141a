"""From a normalised model name to a class of models: ordered patterns, sizes in names, hints."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_carbon.factors.files import compiled, read_csv

__all__ = ["UNKNOWN_CLASS", "Classified", "ModelPatterns", "classify", "load_patterns"]

UNKNOWN_CLASS = "unknown"

_SIZE_RULE = "@size"
# Upper ends of the classes in billions of parameters (effective size). The last class has none.
_CLASS_BELOW_B = ((4.0, "micro"), (15.0, "small"), (40.0, "medium"))
_LARGE_UP_TO_B = 125.0
_EDGE = r"(?![a-z0-9])"
_EXPERTS_OF = re.compile(rf"(?<![a-z0-9.])(\d{{1,3}})x(\d{{1,4}}(?:\.\d+)?)b{_EDGE}")
_TOTAL_AND_ACTIVE = re.compile(rf"(?<![a-z0-9.])(\d{{1,5}}(?:\.\d+)?)(b|t)-a(\d{{1,4}}(?:\.\d+)?)b{_EDGE}")
_TOTAL = re.compile(rf"(?<![a-z0-9.])(\d{{1,5}}(?:\.\d+)?)(b|t){_EDGE}")
_ACTIVE_EXPERTS = 2  # of Mixtral and those that copied its naming
_NOT_A_LETTER = re.compile(r"[^a-z]+")


@dataclass(frozen=True, slots=True)
class Classified:
    """The class that a name belongs to, the family where known, and the step that told."""

    model_class: str
    family: str | None
    step: str
    """pattern, size_hint, name_hint or global_default."""


@dataclass(frozen=True, slots=True)
class ModelPatterns:
    """Ordered patterns as (pattern, family, class), then hint words as (words, class)."""

    patterns: tuple[tuple[str, str, str], ...]
    hints: tuple[tuple[frozenset[str], str], ...]


def load_patterns(path: Path, source_ids: Container[str]) -> ModelPatterns:
    """Read the patterns. They are compiled when a name first gets as far as to them.

    Raises:
        FactorError: a row has no known source.
    """
    patterns: list[tuple[str, str, str]] = []
    hints: list[tuple[frozenset[str], str]] = []
    for row in read_csv(path, source_ids):
        if row["kind"] == "hint":
            hints.append((frozenset(row["pattern"].split()), row["model_class"]))
        else:
            patterns.append((row["pattern"], row["family"], row["model_class"]))
    return ModelPatterns(tuple(patterns), tuple(hints))


def classify(name: str, rules: ModelPatterns) -> Classified:
    """Return the class of a normalised model name: first pattern, else its size, else a hint, else `unknown`."""
    size_b = _effective_size_b(name)
    for pattern, family, model_class in rules.patterns:
        if not compiled(pattern).search(name):
            continue
        if family != _SIZE_RULE:
            return Classified(model_class, family, "pattern")
        if size_b is not None:
            break
    if size_b is not None:
        return Classified(_class_of_size(size_b), "size", "size_hint")
    return _hinted(name, rules.hints)


def _hinted(name: str, hints: Sequence[tuple[frozenset[str], str]]) -> Classified:
    words = set(_NOT_A_LETTER.split(name))
    for hint_words, model_class in hints:
        if words & hint_words:
            return Classified(model_class, None, "name_hint")
    return Classified(UNKNOWN_CLASS, None, "global_default")


def _effective_size_b(name: str) -> float | None:
    """Return the size in billions of parameters: N if dense, sqrt(total x active) for a mixture of experts."""
    if found := _EXPERTS_OF.search(name):
        experts, expert_b = float(found[1]), float(found[2])
        return math.sqrt(experts * expert_b * _ACTIVE_EXPERTS * expert_b)
    if found := _TOTAL_AND_ACTIVE.search(name):
        return math.sqrt(_billions(found[1], found[2]) * float(found[3]))
    if found := _TOTAL.search(name):
        return _billions(found[1], found[2])
    return None


def _billions(digits: str, unit: str) -> float:
    return float(digits) * (1000.0 if unit == "t" else 1.0)


def _class_of_size(size_b: float) -> str:
    for below_b, model_class in _CLASS_BELOW_B:
        if size_b < below_b:
            return model_class
    return "large" if size_b <= _LARGE_UP_TO_B else "frontier"
