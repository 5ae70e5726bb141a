"""What a figure per request is multiplied with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from otel_carbon.errors import FactorError

__all__ = ["request_scale"]

_OUTPUT_TOKENS = re.compile(r"output_tokens/([1-9]\d*)")


def request_scale(where: str, row: Mapping[str, Any]) -> int | None:
    """Return the output tokens that a row's figures are given for; None where they hold for a request of any length.

    Raises:
        FactorError: `scale` is neither `none` nor `output_tokens/<number>`.
    """
    scale = row.get("scale", "none")
    if scale == "none":
        return None
    found = _OUTPUT_TOKENS.fullmatch(str(scale))
    if found is None:
        raise FactorError(f"{where}: scale must be none or output_tokens/<number>, not {scale!r}")
    return int(found[1])
