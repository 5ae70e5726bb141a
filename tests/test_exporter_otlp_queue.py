"""Journal entries become few requests, and a failure costs no more than it must."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from otel_carbon.errors import ConfigError, PermanentExportError, RetryableExportError
from otel_carbon.exporters._queue import MAX_REQUEST_BYTES, BatchConfig, ContentRefusedError, Sender
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal


@dataclass
class Destination:
    """Takes requests but for those that hold a bad word."""

    bad: bytes = b"-"
    error: type[Exception] = ContentRefusedError
    taken: list[bytes] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)

    async def send(self, signal: Signal, body: bytes) -> None:
        del signal
        self.asked.append(body)
        if self.bad in body:
            raise self.error(f"{self.bad!r} is bad")
        self.taken.append(body)


def entries(*bodies: bytes, items: int = 1, first: int = 1) -> list[JournalEntry]:
    return [JournalEntry(first + index, 0, Payload(Signal.TRACES, body, items)) for index, body in enumerate(bodies)]


@pytest.mark.parametrize(
    ("batch", "requests"),
    [
        (BatchConfig("bytes", 100), [b"aabbcc"]),
        (BatchConfig("bytes", 4), [b"aabb", b"cc"]),
        (BatchConfig("bytes", 1), [b"aa", b"bb", b"cc"]),
        (BatchConfig("items", 20), [b"aabb", b"cc"]),
        (BatchConfig("requests", 2), [b"aabb", b"cc"]),
    ],
    ids=str,
)
async def test_entries_are_merged_up_to_the_size(batch: BatchConfig, requests: list[bytes]) -> None:
    destination = Destination()

    await Sender(batch, destination.send).deliver(entries(b"aa", b"bb", b"cc", items=10))

    assert destination.taken == requests


async def test_nothing_is_sent_for_nothing() -> None:
    destination = Destination()

    await Sender(BatchConfig(), destination.send).deliver([])
    await Sender(BatchConfig(), destination.send).deliver(entries(b"", b""))

    assert destination.asked == []


async def test_one_bad_entry_does_not_take_its_neighbours_along() -> None:
    destination = Destination()

    with pytest.raises(PermanentExportError, match="is bad") as caught:
        await Sender(BatchConfig(), destination.send).deliver(entries(b"a", b"b", b"-", b"d", items=5))

    assert destination.taken == [b"ab", b"d"]
    assert caught.value.failed_items == 5


async def test_an_error_that_is_not_about_the_content_is_asked_once() -> None:
    destination = Destination(error=PermanentExportError)

    with pytest.raises(PermanentExportError) as caught:
        await Sender(BatchConfig(), destination.send).deliver(entries(b"a", b"-", items=5))

    assert destination.asked == [b"a-"]
    assert caught.value.failed_items == 10


async def test_a_retry_does_not_repeat_what_was_delivered() -> None:
    destination = Destination(error=RetryableExportError)
    sender = Sender(BatchConfig("requests", 1), destination.send)
    waiting = entries(b"a", b"-", b"c")

    with pytest.raises(RetryableExportError):
        await sender.deliver(waiting)
    destination.bad = b"nothing"
    await sender.deliver(waiting)
    await sender.deliver(entries(b"d", first=4))

    assert destination.taken == [b"a", b"-", b"c", b"d"]


async def test_what_failed_for_good_before_a_retry_is_told_after_it() -> None:
    destination = Destination()
    sender = Sender(BatchConfig("requests", 1), destination.send)
    waiting = entries(b"-", b"b", items=3)

    async def unreachable(signal: Signal, body: bytes) -> None:
        if body == b"b":
            raise RetryableExportError("down")
        await destination.send(signal, body)

    sender._send = unreachable
    with pytest.raises(RetryableExportError):
        await sender.deliver(waiting)
    sender._send = destination.send

    with pytest.raises(PermanentExportError) as caught:
        await sender.deliver(waiting)

    assert destination.asked == [b"-", b"b"]
    assert caught.value.failed_items == 3


async def test_a_request_beyond_64_mib_is_never_sent() -> None:
    destination = Destination()

    with pytest.raises(PermanentExportError, match="over the limit of 67108864"):
        await Sender(BatchConfig(), destination.send).deliver(entries(b"a", bytes(MAX_REQUEST_BYTES + 1), b"c"))

    assert destination.taken == [b"a", b"c"]


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="sending_queue::batch::sizer: 'spans' is not one of bytes, items, requests"):
        BatchConfig(sizer="spans")
    with pytest.raises(ConfigError, match="sending_queue::batch::max_size"):
        BatchConfig(max_size=0)
