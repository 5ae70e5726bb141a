"""Journal entries become few requests, and a failure costs no more than it must."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from otel_carbon.errors import ConfigError, PermanentExportError, RetryableExportError
from otel_carbon.exporters._queue_config import BatchConfig, QueueConfig, queue_limit
from otel_carbon.exporters._requests import MAX_REQUEST_BYTES
from otel_carbon.exporters._sender import ContentRefusedError, Sender
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.undelivered import RefusedError, Undelivered, UnfinishedError

IN_ORDER = QueueConfig(num_consumers=1)
SECOND_UNIX_NANO = 1_000_000_000


@dataclass
class Destination:
    """Takes requests but for those that hold a bad word."""

    bad: bytes = b"-"
    error: Exception = field(default_factory=lambda: ContentRefusedError("'-' is bad"))
    taken: list[bytes] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)

    async def send(self, signal: Signal, body: bytes) -> None:
        del signal
        self.asked.append(body)
        if self.bad in body:
            raise self.error
        self.taken.append(body)


@dataclass
class Slow:
    """Answers when it is told to, and knows how many requests it had at once."""

    most: int = 0
    under_way: int = 0
    answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, signal: Signal, body: bytes) -> None:
        del signal, body
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.answer.wait()
        self.under_way -= 1


def entries(
    *bodies: bytes, items: int = 1, first: int = 1, signal: Signal = Signal.TRACES, at: int = 0
) -> list[JournalEntry]:
    return [JournalEntry(first + index, at, Payload(signal, body, items)) for index, body in enumerate(bodies)]


def names(undelivered: Sequence[Undelivered]) -> list[bytes]:
    return [one.entry.payload.body for one in undelivered]


def batch(**keys: Any) -> QueueConfig:
    return QueueConfig(num_consumers=1, batch=BatchConfig(**{"min_size": 0, **keys}))


# ---- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "requests"),
    [
        (IN_ORDER, [b"aabbcc"]),
        (batch(sizer="bytes", max_size=4), [b"aabb", b"cc"]),
        (batch(sizer="bytes", max_size=2), [b"aa", b"bb", b"cc"]),
        (batch(max_size=20), [b"aabb", b"cc"]),
        (batch(), [b"aabbcc"]),
    ],
    ids=str,
)
async def test_entries_are_merged_up_to_the_size(queue: QueueConfig, requests: list[bytes]) -> None:
    destination = Destination()

    await Sender(queue, destination.send).deliver(entries(b"aa", b"bb", b"cc", items=10))

    assert destination.taken == requests


async def test_what_waits_is_merged_up_to_2_mib_where_no_batch_is_configured() -> None:
    destination, mebibyte = Destination(), bytes(1 << 20)

    await Sender(IN_ORDER, destination.send).deliver(entries(mebibyte, mebibyte, mebibyte, bytes(3 << 20)))

    assert [len(body) >> 20 for body in destination.taken] == [2, 1, 3]


async def test_nothing_is_sent_for_nothing() -> None:
    destination = Destination()

    await Sender(IN_ORDER, destination.send).deliver([])
    await Sender(IN_ORDER, destination.send).deliver(entries(b"", b""))

    assert destination.asked == []


async def test_a_received_request_beyond_max_size_is_cut() -> None:
    destination = Destination()
    span = b"\x12\x02\x2a\x00"  # a span with an empty name, in its scope

    def request(spans: int) -> bytes:
        scope = span * spans
        resource = b"\x12" + bytes([len(scope)]) + scope
        return b"\x0a" + bytes([len(resource)]) + resource

    await Sender(batch(max_size=2), destination.send).deliver(
        [JournalEntry(1, 0, parse(Signal.TRACES, request(5))), JournalEntry(2, 0, parse(Signal.TRACES, request(1)))]
    )

    assert destination.taken == [request(2), request(2), request(1), request(1)]


@pytest.mark.parametrize(
    ("queue", "waiting", "waited_s", "wait_s"),
    [
        (QueueConfig(), entries(b"a"), 0.0, 0.0),
        (QueueConfig(batch=BatchConfig()), entries(b"a"), 0.0, 0.2),
        (QueueConfig(batch=BatchConfig()), entries(b"a"), 0.15, 0.05),
        (QueueConfig(batch=BatchConfig()), entries(b"a"), 7.0, 0.0),
        (
            QueueConfig(batch=BatchConfig()),
            entries(b"a"),
            -7.0,
            0.0,
        ),  # the clock was set back: it would wait until it is right again
        (QueueConfig(batch=BatchConfig()), entries(b"a", items=8192), 0.0, 0.0),
        (QueueConfig(batch=BatchConfig(min_size=0)), entries(b"a"), 0.0, 0.0),
        (QueueConfig(batch=BatchConfig(flush_timeout="1m")), entries(b"a", b"b", items=4096), 0.0, 0.0),
        (QueueConfig(batch=BatchConfig(sizer="bytes", min_size=2)), entries(b"a", items=9999), 0.0, 0.2),
        (QueueConfig(sizer="bytes", batch=BatchConfig(min_size=2)), entries(b"ab", items=1), 0.0, 0.0),
    ],
    ids=str,
)
def test_a_batch_waits_for_its_size_or_its_time(
    queue: QueueConfig, waiting: list[JournalEntry], waited_s: float, wait_s: float
) -> None:
    sender = Sender(queue, Destination().send)

    assert sender.wait_s(waiting, round(waited_s * SECOND_UNIX_NANO)) == pytest.approx(wait_s)


# ---- several at a time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "signal", "most"),
    [
        (QueueConfig(), Signal.TRACES, 10),
        (QueueConfig(), Signal.LOGS, 10),
        (QueueConfig(), Signal.METRICS, 1),
        (QueueConfig(num_consumers=3), Signal.METRICS, 3),
        (QueueConfig(num_consumers=1), Signal.TRACES, 1),
    ],
    ids=str,
)
async def test_as_many_requests_are_under_way_as_there_are_consumers(
    queue: QueueConfig, signal: Signal, most: int
) -> None:
    slow, large = Slow(), bytes(2 << 20)
    sender = Sender(queue, slow.send)

    delivering = asyncio.create_task(sender.deliver(entries(*[large] * 12, signal=signal)))
    while slow.under_way < most:  # noqa: ASYNC110  the sender says nothing
        await asyncio.sleep(0)
    slow.answer.set()
    await delivering

    assert slow.most == most


async def test_with_one_consumer_everything_arrives_in_order_whatever_fails() -> None:
    destination = Destination(error=RetryableExportError("down"))
    sender = Sender(batch(max_size=1), destination.send)
    waiting = entries(b"a", b"b", b"-", b"c", b"d")

    with pytest.raises(UnfinishedError):
        await sender.deliver(waiting)
    destination.bad = b"nothing"
    await sender.deliver(waiting)

    assert destination.taken == [b"a", b"b", b"-", b"c", b"d"]


async def test_a_destination_that_asks_for_a_pause_gets_nothing_more() -> None:
    destination = Destination(bad=b"", error=RetryableExportError("slow down", 7.0))
    sender = Sender(QueueConfig(num_consumers=2, batch=BatchConfig(min_size=0, max_size=1)), destination.send)

    with pytest.raises(UnfinishedError) as caught:
        await sender.deliver(entries(b"a", b"b", b"c", b"d"))

    assert len(destination.asked) <= 2
    assert caught.value.retry_after_s == 7.0
    assert sorted(names(caught.value.undelivered)) == [b"a", b"b", b"c", b"d"]


# ---- what is refused ------------------------------------------------------------------------------------------------


async def test_one_bad_entry_does_not_take_its_neighbours_along() -> None:
    destination = Destination()

    with pytest.raises(RefusedError, match="is bad") as caught:
        await Sender(IN_ORDER, destination.send).deliver(entries(b"a", b"b", b"-", b"d", items=5))

    assert destination.taken == [b"ab", b"d"]
    assert (caught.value.failed_items, names(caught.value.undelivered)) == (5, [b"-"])


async def test_an_error_that_is_not_about_the_content_is_asked_once() -> None:
    destination = Destination(error=PermanentExportError("go away"))

    with pytest.raises(RefusedError) as caught:
        await Sender(IN_ORDER, destination.send).deliver(entries(b"a", b"-", items=5))

    assert destination.asked == [b"a-"]
    assert (caught.value.failed_items, names(caught.value.undelivered)) == (10, [b"a", b"-"])


async def test_a_destination_that_refuses_everything_is_not_asked_about_every_entry() -> None:
    destination = Destination(bad=b"")
    bodies = [b"%d" % number for number in range(1000)]

    with pytest.raises(RefusedError) as caught:
        await Sender(IN_ORDER, destination.send).deliver(entries(*bodies))

    assert len(destination.asked) < 80
    assert sorted(names(caught.value.undelivered)) == sorted(bodies)


async def test_what_is_too_large_for_the_destination_is_cut_until_it_is_not() -> None:
    body = parse(Signal.LOGS, b"\x0a\x28\x12\x26" + b"\x12\x11\x12\x0f" + bytes(15) + b"\x12\x11\x12\x0f" + bytes(15))
    taken: list[int] = []

    async def send(signal: Signal, sent: bytes) -> None:
        if len(sent) > 30:
            raise ContentRefusedError("larger than 30 bytes", too_large=True)
        taken.append(parse(signal, sent).items)

    await Sender(IN_ORDER, send).deliver([JournalEntry(1, 0, body)])

    assert taken == [1, 1]


async def test_a_single_record_that_is_too_large_is_refused_alone() -> None:
    destination = Destination(bad=b"", error=ContentRefusedError("too large", too_large=True))
    record = b"\x0a\x04\x12\x02\x12\x00"

    with pytest.raises(RefusedError) as caught:
        await Sender(IN_ORDER, destination.send).deliver(entries(record))

    assert (destination.asked, names(caught.value.undelivered)) == ([record], [record])


async def test_a_request_beyond_64_mib_is_never_sent_whole() -> None:
    destination = Destination(bad=b"nothing")
    log_record = b"\x12\xff\xff\xff\x0f" + b"\x1a\xfa\xff\xff\x0f" + bytes((32 << 20) - 6)  # 32 MiB of severity text
    scope = b"\x12" + _varint(2 * len(log_record)) + 2 * log_record
    body = b"\x0a" + _varint(len(scope)) + scope

    await Sender(IN_ORDER, destination.send).deliver([JournalEntry(1, 0, Payload(Signal.LOGS, body, 2))])

    assert len(body) > MAX_REQUEST_BYTES
    assert [len(taken) for taken in destination.taken] == [len(log_record) + 10] * 2


async def test_what_cannot_be_cut_to_64_mib_is_refused_with_a_record() -> None:
    destination = Destination()

    with pytest.raises(RefusedError, match="over the limit of 67108864") as caught:
        await Sender(IN_ORDER, destination.send).deliver(entries(b"a", bytes(MAX_REQUEST_BYTES + 1), b"c", items=3))

    assert destination.taken == [b"a", b"c"]
    assert caught.value.failed_items == 3


# ---- again ----------------------------------------------------------------------------------------------------------


async def test_a_retry_does_not_repeat_what_was_delivered() -> None:
    destination = Destination(error=RetryableExportError("down"))
    sender = Sender(batch(max_size=1), destination.send)
    waiting = entries(b"a", b"-", b"c")

    with pytest.raises(UnfinishedError) as caught:
        await sender.deliver(waiting)
    destination.bad = b"nothing"
    await sender.deliver(waiting)
    await sender.deliver(entries(b"d", first=4))

    assert names(caught.value.undelivered) == [b"-", b"c"]
    assert destination.taken == [b"a", b"-", b"c", b"d"]


async def test_what_failed_for_good_before_a_retry_is_told_after_it() -> None:
    bad, down = {b"-"}, {b"b"}
    asked: list[bytes] = []

    async def send(signal: Signal, body: bytes) -> None:
        del signal
        asked.append(body)
        if body in bad:
            raise ContentRefusedError("bad")
        if body in down:
            raise RetryableExportError("down")

    sender, waiting = Sender(batch(max_size=3), send), entries(b"-", b"b", items=3)
    with pytest.raises(UnfinishedError) as unfinished:
        await sender.deliver(waiting)
    down.clear()
    with pytest.raises(RefusedError) as refused:
        await sender.deliver(waiting)

    assert asked == [b"-", b"b", b"b"]
    assert names(unfinished.value.undelivered) == [b"-", b"b"]
    assert (names(refused.value.undelivered), refused.value.failed_items) == ([b"-"], 3)


async def test_after_a_fault_entries_that_come_one_by_one_are_not_sent_twice() -> None:
    destination = Destination(error=ZeroDivisionError("a fault"))
    sender = Sender(batch(max_size=1), destination.send)
    waiting = entries(b"a", b"-", b"c")

    with pytest.raises(ZeroDivisionError):
        await sender.deliver(waiting)
    for one in waiting:
        if one.payload.body == b"-":
            with pytest.raises(ZeroDivisionError):
                await sender.deliver([one])
        else:
            await sender.deliver([one])

    assert destination.taken == [b"a", b"c"]


# ---- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ({"enabled": False}, "sending_queue::enabled: cannot be false: the journal is the queue"),
        ({"wait_for_result": True}, "sending_queue::wait_for_result: cannot be true: a sender is answered when"),
        ({"block_on_overflow": True}, "sending_queue::block_on_overflow: cannot be true: senders are told"),
        ({"storage": "file_storage/otc"}, "sending_queue::storage: the queue is always on disk"),
        ({"num_consumers": 0}, "sending_queue::num_consumers: must be at least 1"),
        ({"queue_size": 0}, "sending_queue::queue_size: must be at least 1"),
        ({"sizer": "spans"}, "sending_queue::sizer: 'spans' is not one of bytes, items, requests"),
    ],
)
def test_a_key_that_the_journal_does_not_do_or_a_wrong_value_is_refused(queue: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        QueueConfig(**queue)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"flush_timeout": "0s"}, "sending_queue::batch::flush_timeout: must be longer than 0s"),
        ({"flush_timeout": "soon"}, "sending_queue::batch::flush_timeout: 'soon' is not a duration"),
        ({"min_size": -1}, "sending_queue::batch::min_size: must not be negative"),
        ({"max_size": 5}, "sending_queue::batch::max_size: 5 must be at least min_size, which is 8192"),
        ({"sizer": "requests"}, "sending_queue::batch::sizer: 'requests' is not one of bytes, items"),
    ],
)
def test_a_wrong_value_of_a_batch_is_refused_by_its_key(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BatchConfig(**keys)


def test_the_defaults_of_a_batch_are_those_of_the_collector() -> None:
    assert BatchConfig() == BatchConfig(flush_timeout="200ms", min_size=8192, max_size=0)


def test_the_limit_of_the_queue_counts_what_the_sizer_says() -> None:
    assert queue_limit(QueueConfig()) is None
    for sizer, counted in ((None, "payloads"), ("requests", "payloads"), ("items", "items"), ("bytes", "bytes")):
        limit = queue_limit(QueueConfig(sizer=sizer, queue_size=7))
        assert limit is not None
        found = {name for name in ("payloads", "items", "bytes") if getattr(limit, name) == 7}
        assert found == {counted}


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


async def test_a_failure_holds_no_body_until_somebody_looks_for_cycles() -> None:
    class Held:
        """Stands for the body, which cannot be watched."""

    held: list[weakref.ref[Held]] = []

    async def send(_signal: Signal, _body: bytes) -> None:
        local = Held()
        held.append(weakref.ref(local))
        raise RetryableExportError("is down") from OSError("no route")

    sender = Sender(IN_ORDER, send)
    gc.disable()
    try:
        for _ in range(3):
            with contextlib.suppress(RetryableExportError):
                await sender.deliver(entries(b"aa"))
        await asyncio.sleep(0)
        assert [one() for one in held] == [None] * 3
    finally:
        gc.enable()
