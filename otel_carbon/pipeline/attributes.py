"""Attributes in their protobuf encoding: reading the wanted ones of a span."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from otel_carbon.pipeline.any_value import (
    DOUBLE,
    INT,
    STRING,
    key_and_value,
    read_any_value,
    unpack_double,
    usual_parts,
)

__all__ = ["AttributeReader"]

_LONGEST_REMEMBERED = 128  # bytes of an encoded attribute: names and short words, which repeat; not prompts
_MOST_REMEMBERED = 8192
_MOST_TEXTS = 64  # of one key and length; where there are more, they are ids

_Pair = tuple[str, Any]
_UNWANTED: tuple[()] = ()


class AttributeReader:
    """Reads the attributes whose keys are wanted, and skips the others without decoding their values.

    A key that occurs twice on a span has the value of its first occurrence, as in the Collector's `pcommon.Map`.
    Values become str, bool, int, float, bytes, tuple, dict, or None where the value is empty. Bytes that are not UTF-8
    become U+FFFD.

    Texts and small numbers repeat from span to span, so whole attributes are remembered; token counts and quantities
    do not, so of them only what comes before the digits is, with the key (empty: not wanted), the size of the whole and
    the number of digits. So it is with texts of a key and length that turn out to be ids (width 0).
    Thread-safe: the dicts are only ever replaced or added to.
    """

    def __init__(self, keys: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        self._keys = {key.encode(): key for key in keys}
        self._prefixes = tuple(prefix.encode() for prefix in prefixes)
        self._known: dict[bytes, _Pair | tuple[()]] = {}
        self._heads: dict[bytes, tuple[str, int, int]] = {}
        self._texts: dict[bytes, int] = {}  # how many were learned by what comes before a text

    @classmethod
    def of_everything(cls) -> AttributeReader:
        """Return a reader that wants every key."""
        return cls((), ("",))

    def read(self, encoded: Sequence[bytes]) -> dict[str, Any]:
        """Return the wanted ones of these `KeyValue` messages.

        Raises:
            InvalidDataError: one of them is not a protobuf message.
        """
        found: dict[str, Any] = {}
        known, heads = self._known.get, self._heads.get
        for each in encoded:
            pair = known(each)
            if pair is None:
                head = heads(each[: each[1] + 5]) if len(each) > 6 else None
                if head is None or head[1] != len(each):
                    pair = self._learn(each)
                else:
                    key, size, width = head
                    if not key or key in found:
                        continue
                    if width == 8:
                        found[key] = unpack_double(each, size - 8)[0]
                        continue
                    if not width:
                        start = each[1] + 6
                        if each[start - 1] == size - start:
                            found[key] = each[start:].decode("utf-8", "replace")
                            continue
                    number = _number(each, size, width) if width else -1
                    pair = self._pair(each) if number < 0 else (key, number)
            if pair:
                key, value = pair
                if key not in found:
                    found[key] = value
        return found

    def wants(self, body: bytes, start: int, end: int) -> bool:
        """Tell whether the `KeyValue` between two offsets is to be read. In doubt, it is."""
        try:
            key_end, _, value_end = usual_parts(body, start)
        except IndexError:
            return True
        return value_end != end or self._name(body[start + 2 : key_end]) is not None

    def _learn(self, encoded: bytes) -> _Pair | tuple[()]:
        """Return what an attribute not met before stands for, and remember what of it is likely to come again."""
        pair = self._pair(encoded)
        if len(encoded) > _LONGEST_REMEMBERED:
            return pair
        if len(self._known) + len(self._heads) >= _MOST_REMEMBERED:
            self._known, self._heads, self._texts = {}, {}, {}
        head = _numeric_head(encoded)
        if head is None:
            head = _text_head(encoded)
            if pair and head is not None:
                learned = self._texts[head] = self._texts.get(head, 0) + 1
                if learned > _MOST_TEXTS:
                    self._heads[head] = (pair[0], len(encoded), 0)
                    return pair
            self._known[encoded] = pair
        else:
            self._heads[head] = (pair[0] if pair else "", len(encoded), len(encoded) - len(head))
        return pair

    def _pair(self, encoded: bytes) -> _Pair | tuple[()]:
        try:
            key_end, value, end = usual_parts(encoded, 0)
        except IndexError:
            key_end = value = end = -1
        if end != len(encoded):
            raw_key, decoded = key_and_value(encoded)
            key = self._name(raw_key)
            return _UNWANTED if key is None else (key, decoded)
        key = self._name(encoded[2:key_end])
        return _UNWANTED if key is None else (key, read_any_value(encoded, value, end))

    def _name(self, raw_key: bytes) -> str | None:
        key = self._keys.get(raw_key)
        if key is None and self._prefixes and raw_key.startswith(self._prefixes):
            key = raw_key.decode("utf-8", "replace")
        return key


def _numeric_head(encoded: bytes) -> bytes | None:
    """Return what comes before the digits of a number: key, length and type, in their usual form.

    None for anything else, and for numbers of one byte, of which there are few.
    """
    try:
        key_end, value, end = usual_parts(encoded, 0)
    except IndexError:
        return None
    if end != len(encoded) or value != key_end + 2:
        return None
    width = end - value - 1
    tag = encoded[value] if width > 1 else 0
    if (tag == INT and width <= 3) or (tag == DOUBLE and width == 8):
        return encoded[: value + 1]
    return None


def _text_head(encoded: bytes) -> bytes | None:
    """Return what comes before the length of a text: key, size and type in their usual form; None for all else."""
    try:
        key_end, value, end = usual_parts(encoded, 0)
    except IndexError:
        return None
    if end != len(encoded) or value != key_end + 2 or end < value + 2:
        return None
    return encoded[: value + 1] if encoded[value] == STRING and encoded[value + 1] == end - value - 2 else None


def _number(encoded: bytes, size: int, width: int) -> int:
    """Return the varint of two or three bytes at the end of an attribute, or -1 where it is none."""
    low, high = encoded[size - width], encoded[size - 1]
    if low < 0x80 or high >= 0x80:
        return -1
    if width == 2:
        return low & 0x7F | high << 7
    middle = encoded[size - 2]
    return -1 if middle < 0x80 else low & 0x7F | (middle & 0x7F) << 7 | high << 14
