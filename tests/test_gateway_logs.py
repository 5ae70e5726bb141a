"""The gateway's own log: for people or programs, and never more of one message than is worth reading."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.gateway.log_sampling import LogSampler
from otel_carbon.gateway.logs import set_up_logging
from otel_carbon.gateway.service_config import LogSamplingConfig, LogsConfig

_LOG = logging.getLogger("otel_carbon.example")


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _record(message: str = "exporter %s: down", *values: str) -> logging.LogRecord:
    return logging.LogRecord("example", logging.WARNING, "file", 1, message, values, None)


def test_json_is_one_object_per_line_with_the_names_of_the_collector(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogsConfig(encoding="json", initial_fields={"cluster": "eu-1"}))
    _LOG.warning("two\nlines of %s", "gCO₂e")
    _LOG.debug("not at this level")

    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    timestamp = found.pop("ts")
    assert found == {
        "level": "warn",
        "logger": "otel_carbon.example",
        "msg": "two\nlines of gCO₂e",
        "cluster": "eu-1",
    }
    assert (len(timestamp), timestamp[-1]) == (24, "Z")


@pytest.mark.parametrize("encoding", ["json", "console"])
def test_a_line_says_which_worker_it_is_of(encoding: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogsConfig(encoding=encoding, initial_fields={"cluster": "eu-1"}), worker=1)  # type: ignore[arg-type]
    _LOG.warning("down")

    (line,) = capsys.readouterr().err.splitlines()
    if encoding == "json":
        assert json.loads(line)["worker"] == "1"
    else:
        assert line.endswith("WARNING otel_carbon.example down worker=1 cluster=eu-1")


def test_json_carries_the_trace_of_an_error_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogsConfig(encoding="json"))
    try:
        int("why")
    except ValueError:
        _LOG.exception("it failed")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["level"] == "error"
    assert json.loads(line)["stacktrace"].endswith("with base 10: 'why'")


def test_the_console_shows_time_level_logger_message_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogsConfig(level="debug", initial_fields={"share": "5%"}))
    _LOG.debug("hello")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.split(" ", 1)[1] == "DEBUG otel_carbon.example hello share=5%"


def test_a_level_can_be_set_again(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogsConfig(level="error"))
    _LOG.warning("not yet")
    set_up_logging(LogsConfig(level="warn"))
    _LOG.warning("now")

    assert [line.rsplit(" ", 1)[1] for line in capsys.readouterr().err.splitlines()] == ["now"]


def test_of_a_message_that_repeats_the_first_and_then_every_so_manieth_pass() -> None:
    sampler = LogSampler(LogSamplingConfig(initial=3, thereafter=5), _Clock())

    passed = [number for number in range(1, 20) if sampler.filter(_record("exporter %s: down", str(number)))]

    assert passed == [1, 2, 3, 8, 13, 18]
    assert sampler.filter(_record("another message"))


def test_the_next_tick_begins_anew_and_says_how_many_were_left_out() -> None:
    clock = _Clock()
    sampler = LogSampler(LogSamplingConfig(tick="10s", initial=1, thereafter=0), clock)
    assert [sampler.filter(_record()) for _ in range(5)] == [True, False, False, False, False]

    clock.now_s = 10.0
    record = _record("exporter %s: down", "tempo")

    assert sampler.filter(record)
    assert record.getMessage() == "exporter tempo: down (4 more like this were left out)"


def test_messages_that_are_all_different_do_not_grow_memory() -> None:
    sampler = LogSampler(LogSamplingConfig(initial=1, thereafter=0), _Clock())

    for number in range(10_000):
        sampler.filter(_record(f"client {number}"))

    assert len(sampler._seen) <= 4096


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tick": "0s"}, "tick: must be longer"),
        ({"initial": 0}, "initial: must be at least 1"),
        ({"thereafter": -1}, "^thereafter: must be at least 0"),
    ],
)
def test_sampling_that_cannot_work_is_refused(values: dict[str, int | str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LogSamplingConfig(**values)  # type: ignore[arg-type]
