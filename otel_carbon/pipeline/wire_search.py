"""A cheap way to see that spans are foreign: what never stands in a span's bytes cannot be one of its keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os.path import commonprefix

from otel_carbon.pipeline.wire import Extent

__all__ = ["containing", "words_in", "words_of"]


def words_of(keys: Iterable[str]) -> tuple[bytes, ...]:
    """Return byte strings of which at least one stands in the encoding of every span that has one of the keys.

    What keys with the same first word have in common (`gen_ai.`) stands for all of them and is rare elsewhere. The
    longer it is, the faster it is searched for.
    """
    families: dict[str, list[str]] = {}
    for key in keys:
        families.setdefault(key.partition(".")[0], []).append(key)
    words = _by_ending(commonprefix(family) for family in families.values())  # noqa: RUF071 - characters are meant
    return tuple(sorted(word for word in words if not any(other in word for other in words - {word})))


def _by_ending(words: Iterable[str]) -> set[bytes]:
    """Return the words, those that end in the same two names as one: every word is a search of the whole request."""
    endings: dict[str, list[str]] = {}
    for word in words:
        names = word.split(".")
        endings.setdefault(".".join(["", *names[-2:]]) if len(names) > 2 and names[-1] else word, []).append(word)
    return {(ending if len(alike) > 1 else alike[0]).encode() for ending, alike in endings.items()}


def words_in(body: bytes, words: Iterable[bytes]) -> list[bytes]:
    """Return the words that stand anywhere in the bytes."""
    return [word for word in words if word in body]


def containing(body: bytes, spans: Sequence[Extent], words: Sequence[bytes]) -> list[Extent]:
    """Return the spans in whose bytes one of the words stands, be it in a prompt. The others have none of the keys.

    The bytes are searched once from end to end, not span by span.
    """
    found: list[Extent] = []
    nowhere = len(body)
    hits = [-1] * len(words)
    nearest = -1
    for extent in spans:
        _, start, end = extent
        if nearest < start:
            for index, word in enumerate(words):
                if hits[index] < start:
                    hit = body.find(word, start)
                    hits[index] = nowhere if hit < 0 else hit
            nearest = min(hits, default=nowhere)
        if nearest < end:
            found.append(extent)
    return found
