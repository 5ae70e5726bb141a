"""Writing OTTL, the language of the Collector's `transform` processor (grammar of v0.158).

A float literal needs its point, only + - * / and the logarithm are there, and regular expressions are those of RE2,
which has no look-around. What is cheap: a map or a list of literals is made once, when the config is read, and can be
indexed without being copied where a converter hands it on; `Coalesce` stops at the first value; a search in a string is
much faster than a regular expression; a `where` stops at the first condition that fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from otel_carbon.errors import FactorError

__all__ = [
    "Group",
    "Rewrite",
    "Value",
    "all_of",
    "any_of",
    "attribute",
    "cache",
    "ends_with",
    "first_of",
    "from_glob",
    "is_match",
    "is_one_of",
    "joined",
    "looked_up",
    "lower",
    "merge",
    "number",
    "put",
    "re2_rewrite",
    "replace",
    "starts_with",
    "text",
]

Value: TypeAlias = "str | float | Mapping[str, Value]"
"""What a map literal may hold; an int stays one."""

_LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
_BEHIND = re.compile(r"^\(\?<=((?:[^()\\]|\\.)+)\)(.*)$")
_NOT_BEGINNING = re.compile(r"^\^\(\?!((?:[^()\\]|\\.)+)\)(.*)$")
_AHEAD = re.compile(r"^(.*)\(\?=((?:[^()\\]|\\.)+)\)$")
_GROUP = re.compile(r"(?<!\\)\((?!\?)")
_BACK_REFERENCE = re.compile(r"\\(\d)")
_BETWEEN = "\n"  # stands in no name that is compared with a list of names


@dataclass(frozen=True, slots=True)
class Group:
    """Statements for spans for which a condition holds, which is asked once. Each group has a cache of its own."""

    condition: str
    statements: tuple[str, ...]


def cache(key: str) -> str:
    """Return the path of a value that lives as long as the statements of one span."""
    return f'span.cache["{key}"]'


def attribute(key: str) -> str:
    """Return the path of a span attribute."""
    return f"span.attributes[{text(key)}]"


def text(value: str) -> str:
    """Return a string literal."""
    return json.dumps(value)


def number(value: float) -> str:
    """Return a float literal: `1.0e-05`, since `1e-05` would not be one."""
    mantissa, exponent, power = repr(float(value)).partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + exponent + power


def put(target: str, value: str, *conditions: str) -> str:
    """Return the statement that sets a path where every condition holds."""
    return f"set({target}, {value})" + _where(conditions)


def replace(target: str, pattern: str, replacement: str, *conditions: str) -> str:
    """Return the statement that replaces what matches a pattern where every condition holds."""
    return f"replace_pattern({target}, {text(pattern)}, {text(replacement)})" + _where(conditions)


def is_match(target: str, pattern: str) -> str:
    """Return the condition that a pattern of RE2 is found in a text; a text that is not there has none.

    Raises:
        FactorError: the pattern looks around, which RE2 cannot.
    """
    if any(look in pattern for look in _LOOKAROUND):
        raise FactorError(f"pattern {pattern!r} looks around; the Collector's regular expressions cannot")
    return f"IsMatch({target}, {text(pattern)})"


def starts_with(target: str, beginning: str) -> str:
    """Return the condition that a text, which must be there, begins so."""
    return f"HasPrefix({target}, {text(beginning)})"


def ends_with(target: str, ending: str) -> str:
    """Return the condition that a text, which must be there, ends so."""
    return f"HasSuffix({target}, {text(ending)})"


def is_one_of(target: str, names: Iterable[str]) -> str:
    """Return the condition that a text of one line is one of these; one that is not there is none of them."""
    wanted = sorted(set(names))
    if len(wanted) == 1:
        return f"{target} == {text(wanted[0])}"
    listed = _BETWEEN + _BETWEEN.join(wanted) + _BETWEEN
    return f"Index({text(listed)}, {joined(text(_BETWEEN), target, text(_BETWEEN))}) >= 0"


def joined(*values: str) -> str:
    """Return the text that these make one behind the other."""
    return f'Concat([{", ".join(values)}], "")'


def lower(target: str) -> str:
    """Return a text, which must be there, in small letters."""
    return f"ToLowerCase({target})"


def first_of(values: Iterable[str]) -> str:
    """Return the first of these values that is there."""
    given = list(values)
    return given[0] if len(given) == 1 else f"Coalesce([{', '.join(given)}])"


def looked_up(table: Mapping[str, Value], key: str) -> str:
    """Return what a table has for a key, which must be in it: `is_one_of` asks that."""
    rows = ",\n".join(f"{text(name)}: {_value(value)}" for name, value in table.items())
    return f"Coalesce([{{\n{rows}}}])[{key}]"


def merge(target: str, source: str, *conditions: str) -> str:
    """Return the statement that puts what a map holds into another one."""
    return f'merge_maps({target}, {source}, "upsert")' + _where(conditions)


def any_of(conditions: Iterable[str]) -> str:
    """Return the condition that one of these holds."""
    return "(" + " or ".join(conditions) + ")"


def all_of(conditions: Iterable[str]) -> str:
    """Return the condition that all of these hold."""
    return "(" + " and ".join(conditions) + ")"


def from_glob(glob: str) -> str:
    """Return the pattern of a text that matches a glob of `*` and `?`.

    Raises:
        FactorError: the glob has a set of characters.
    """
    if "[" in glob:
        raise FactorError(f"glob {glob!r} has a set of characters, which is not translated for the Collector")
    escaped = re.escape(glob).replace(r"\-", "-")
    return "^" + escaped.replace(r"\*", ".*").replace(r"\?", ".") + "$"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A substitution in RE2. `unless` is a pattern of texts that it leaves alone."""

    pattern: str
    replacement: str
    unless: str = ""


def re2_rewrite(pattern: str, replacement: str) -> Rewrite:
    r"""Return a substitution of Python's as one of RE2: what is looked at, before or behind, is captured and put back.

    Raises:
        FactorError: it looks around elsewhere.
    """
    unless, before, behind = "", "", ""
    if found := _NOT_BEGINNING.match(pattern):
        unless, pattern = f"^(?:{found[1]})", "^" + found[2]
    if found := _BEHIND.match(pattern):
        before, pattern = found[1], found[2]
    if found := _AHEAD.match(pattern):
        pattern, behind = found[1], found[2]
    shift = 1 if before else 0
    replaced = _BACK_REFERENCE.sub(lambda group: f"${{{int(group[1]) + shift}}}", replacement)
    if before:
        pattern, replaced = f"({before}){pattern}", "${1}" + replaced
    if behind:
        pattern = f"{pattern}({behind})"
        replaced += f"${{{len(_GROUP.findall(pattern))}}}"
    if any(look in pattern for look in _LOOKAROUND):
        raise FactorError(f"pattern {pattern!r} looks around; the Collector's regular expressions cannot")
    return Rewrite(pattern, replaced, unless)


def _value(value: Value) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key)}: {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, str):
        return text(value)
    return str(value) if isinstance(value, int) else number(value)


def _where(conditions: tuple[str, ...]) -> str:
    given = [condition for condition in conditions if condition]
    return " where " + " and ".join(given) if given else ""
