"""Durations, addresses and waits are read as the Collector reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.endpoint import Endpoint, parse_endpoint
from otel_carbon.pipeline.retry import Backoff, RetryConfig


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("0s", 0.0), ("5s", 5.0), ("300ms", 0.3), ("1m30s", 90.0), ("1.5h", 5400.0), (" 2s ", 2.0)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration_s(text, "timeout") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "5s x", "5d", "NaN"])
def test_anything_else_is_refused_by_the_name_of_its_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"timeout: .* is not a duration; write a number and a unit"):
        duration_s(text, "timeout")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:4317", Endpoint("127.0.0.1", 4317)),
        ("localhost:0", Endpoint("localhost", 0)),
        ("[::1]:4317", Endpoint("::1", 4317)),
        (":4317", Endpoint("0.0.0.0", 4317)),
    ],
)
def test_an_address_is_host_and_port(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text, "endpoint") == endpoint
    assert parse_endpoint(str(endpoint), "endpoint") == endpoint


@pytest.mark.parametrize(
    "text", ["", "4317", "host:", "host:port", "host:65536", "::1:4317", "http://host:4317", "h:-1"]
)
def test_what_is_no_address_is_refused_by_the_name_of_its_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"endpoint: .* is not an address to listen on"):
        parse_endpoint(text, "endpoint")


def waits(config: RetryConfig, number: int, random: float = 0.5) -> list[float | None]:
    backoff = Backoff(config, lambda: random)
    return [backoff.next_wait_s(0.0) for _ in range(number)]


def test_waits_grow_to_the_longest() -> None:
    assert waits(RetryConfig(), 7) == [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0]


@pytest.mark.parametrize(("random", "wait_s"), [(0.0, 2.5), (0.5, 5.0), (1.0, 7.5)])
def test_a_wait_is_drawn_around_the_interval(random: float, wait_s: float) -> None:
    assert waits(RetryConfig(), 1, random) == [wait_s]


def test_the_wait_that_was_asked_for_is_never_undercut() -> None:
    backoff = Backoff(RetryConfig(), lambda: 0.5)

    assert backoff.next_wait_s(0.0, asked_s=60.0) == 60.0
    assert backoff.next_wait_s(60.0, asked_s=1.0) == 30.0  # it grew from the 60


def test_a_wait_that_was_asked_for_is_not_undercut_and_later_ones_grow_from_it() -> None:
    backoff = Backoff(RetryConfig(), lambda: 0.5)

    assert [backoff.next_wait_s(0.0, asked_s) for asked_s in (12.0, None, None, 60.0, None)] == [12, 18, 27, 60, 30]


def test_it_gives_up_when_the_time_is_over() -> None:
    backoff = Backoff(RetryConfig(max_elapsed_time="300s"), lambda: 0.5)

    assert backoff.next_wait_s(290.0) == 5.0
    assert backoff.next_wait_s(295.0) is None


def test_without_retries_it_gives_up_at_once() -> None:
    assert waits(RetryConfig(enabled=False), 1) == [None]


@given(elapsed_s=st.floats(0, 1e9), random=st.floats(0, 1, exclude_max=True))
def test_by_default_it_never_gives_up(elapsed_s: float, random: float) -> None:
    wait_s = Backoff(RetryConfig(), lambda: random).next_wait_s(elapsed_s)

    assert wait_s is not None
    assert 2.5 <= wait_s <= 7.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"initial_interval": "soon"}, "retry_on_failure::initial_interval: 'soon' is not a duration"),
        ({"randomization_factor": 1.5}, "randomization_factor must be between 0 and 1"),
        ({"randomization_factor": float("nan")}, "randomization_factor must be between 0 and 1"),
        ({"multiplier": 0.5}, "multiplier must be at least 1"),
        ({"initial_interval": "0s"}, "retry_on_failure::initial_interval: must be longer than 0s"),
        ({"max_interval": "0"}, "retry_on_failure::max_interval: must be longer than 0s"),
        ({"max_elapsed_time": "10s"}, "retry_on_failure::max_elapsed_time: must not be less than initial_interval or"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RetryConfig(**wrong)  # type: ignore[arg-type]
