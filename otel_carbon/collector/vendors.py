"""Statements that name the vendor of a closed model by how its name begins, as `factors.location` does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otel_carbon.collector.ottl import cache, is_match, is_one_of, looked_up, put, text
from otel_carbon.factors.location import CLOSED_MODELS

__all__ = ["closed_vendor", "vendor_statements"]

_VENDOR = cache("vendor")
_BEGINNINGS = "|".join(re.escape(beginning).replace(r"\-", "-") for beginning, _ in CLOSED_MODELS)
_BEGINNING = f"^(?P<beginning>{_BEGINNINGS})"


def vendor_statements(name: str, *conditions: str) -> Iterator[str]:
    """Yield the statements for the bare name in the cache under this key, where no name before it told the vendor."""
    path, beginning = cache(name), cache(f"{name}_beginning")
    found = f'ExtractPatterns({path}, {text(_BEGINNING)})["beginning"]'
    yield put(beginning, found, *conditions, f"{_VENDOR} == nil", f"{path} != nil", is_match(path, _BEGINNING))
    vendors = {beginning: vendor for beginning, vendor in CLOSED_MODELS if vendor}
    yield put(_VENDOR, looked_up(vendors, beginning), f"{beginning} != nil", is_one_of(beginning, vendors))


def closed_vendor(name: str) -> str | None:
    """Return the vendor of a bare name; None where anyone may serve the model."""
    return next((vendor for beginning, vendor in CLOSED_MODELS if name.startswith(beginning)), None)
