"""How many spans a sampled one stands for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.spans import adjusted_count


@pytest.mark.parametrize(
    ("trace_state", "count"),
    [
        ("ot=th:0", 1.0),
        ("ot=th:8", 2.0),
        ("ot=th:c", 4.0),
        ("ot=rv:6e6d1a75832a2f;th:c", 4.0),
        ("vendor=x:y, ot=p:8;th:f , other=th:8", 16.0),
        ("ot=th:fd70a3d70a3d71", 100.0),
        ("ot=th:ffffffffffffff", 2.0**56),
    ],
)
def test_the_rejection_threshold_tells_how_many_spans_one_stands_for(trace_state: str, count: float) -> None:
    assert adjusted_count(trace_state) == pytest.approx(count, rel=1e-12)


@pytest.mark.parametrize(
    "trace_state",
    [
        "",
        "th:c",
        "xot=th:c",
        "ot=p:th:c",
        "ot=th:",
        "ot=th:C",
        "ot=th:0x8",
        "ot=th:-8",
        "ot=th: 8",
        "ot=th:100000000000000",
        "other=th:c",
        None,
        7,
        b"ot=th:c",
    ],
)
def test_what_is_no_threshold_counts_once(trace_state: Any) -> None:
    assert adjusted_count(trace_state) == 1.0


@given(st.text(alphabet="ot=th:,;rv0123456789abcdefg ", max_size=40))
def test_no_trace_state_makes_it_raise_or_count_less_than_once(trace_state: str) -> None:
    assert adjusted_count(trace_state) >= 1.0
