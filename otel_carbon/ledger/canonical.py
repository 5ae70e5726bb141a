"""The canonical encoding of a line and its hash: what an auditor recomputes.

The encoding is a JSON object (RFC 8785, the JSON Canonicalization Scheme) in UTF-8:

1. One member per column of the line that is not NULL, except `hash`. The member's name is the column's name.
2. A TEXT column is a JSON string, an INTEGER column a JSON integer.
3. A REAL column is a JSON string of 16 lower-case hexadecimal digits: its IEEE 754 binary64 value, big-endian. So no
   two programs can print it differently. Zero is always positive.
4. Members are sorted by name, without white space; strings are escaped as RFC 8785 section 3.2.2.2 has it.

A column that is added to the schema in a later version is NULL in older lines, so it changes no hash.

The hash is that of a leaf of an RFC 6962 Merkle tree: SHA-256 over one zero byte and the encoding, in lower-case
hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from otel_carbon.ledger.columns import COLUMNS

__all__ = ["encode", "encode_row", "leaf_hash", "real_digits"]

_LEAF_PREFIX = b"\x00"  # RFC 6962 section 2.1: leaves and inner nodes of the tree can never be taken for one another
_REALS = frozenset(column.name for column in COLUMNS if column.type == "REAL")
_HASHED = tuple((index, column) for index, column in enumerate(COLUMNS) if column.name != "hash")
_encode_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
_pack_real = struct.Struct(">d").pack


def encode(line: Mapping[str, Any]) -> bytes:
    """Return the canonical encoding of a line, given as its columns by name."""
    members = {
        name: real_digits(value) if name in _REALS else value
        for name, value in line.items()
        if value is not None and name != "hash"
    }
    return _encode_json(members).encode()


def encode_row(row: Sequence[Any]) -> bytes:
    """Return the canonical encoding of a line, given as a row in table order (with or without its hash)."""
    return encode({column.name: row[index] for index, column in _HASHED})


def leaf_hash(encoding: bytes) -> str:
    """Return the RFC 6962 leaf hash of an encoded line, in hexadecimal digits."""
    return hashlib.sha256(_LEAF_PREFIX + encoding).hexdigest()


def real_digits(value: float) -> str:
    """Return the 16 digits that stand for a REAL value."""
    return _pack_real(value + 0.0).hex()  # -0.0 + 0.0 is 0.0, as SQLite stores it
