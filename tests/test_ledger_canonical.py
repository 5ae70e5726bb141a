"""The bytes that are hashed: fixed for ever, and the same by the fast way and by the plain one."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_cases import estimator, sighting

from otel_carbon.ledger.canonical import encode, encode_row, leaf_hash, real_digits
from otel_carbon.ledger.columns import COLUMN_NAMES, COLUMNS
from otel_carbon.ledger.lines import LineBuilder
from otel_carbon.model import FactorRef, Footprint, Interval, Mark, Status, Usage

_HEAD = (7, "2026-11-23T20:00:09.000000Z", "2026-11-23T20:00:00.000000Z", f"{1:032x}", f"{2:016x}")


def test_the_encoding_of_a_line_is_these_bytes() -> None:
    line = {
        "seq": 1,
        "kind": "call",
        "calls": 1.0,
        "input_tokens": 1200,
        "co2e_grams_central": 0.1,
        "water_liters_central": -0.0,
        "service": 'caf\u00e9 "a"\n\u0001\\',
        "project": None,
        "hash": "not part of it",
    }

    # 1.0 is 3ff0..., 0.1 is 3fb999999999999a (IEEE 754-2019, binary64); escapes as in RFC 8785 section 3.2.2.2
    assert encode(line) == (
        b'{"calls":"3ff0000000000000","co2e_grams_central":"3fb999999999999a","input_tokens":1200,"kind":"call",'
        b'"seq":1,"service":"caf\xc3\xa9 \\"a\\"\\n\\u0001\\\\","water_liters_central":"0000000000000000"}'
    )


def test_the_hash_is_that_of_a_merkle_tree_leaf() -> None:
    # The leaf hash of the empty string, from the test vectors of RFC 6962 implementations (SHA-256 of one zero byte).
    assert leaf_hash(b"") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"abc") == hashlib.sha256(b"\x00abc").hexdigest()


def test_an_outsider_can_recompute_a_hash_from_the_exported_line() -> None:
    call = sighting(1, response_id='r"1', model="gpt-4o")
    outcome = estimator().estimate(call.call)
    row = LineBuilder().row(_HEAD, call, outcome, outcome, "otlp")
    exported = json.loads(json.dumps({k: v for k, v in zip(COLUMN_NAMES, row, strict=True) if v is not None}))

    reals = {column.name for column in COLUMNS if column.type == "REAL"}
    members = {k: struct.pack(">d", v).hex() if k in reals else v for k, v in exported.items() if k != "hash"}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert hashlib.sha256(b"\x00" + text.encode()).hexdigest() == exported["hash"]


def test_the_columns_of_a_line_are_only_ever_added_to() -> None:
    first_version = Path(__file__).with_name("fixtures") / "ledger_columns_0001.txt"

    assert [f"{column.name} {column.type}" for column in COLUMNS] == first_version.read_text().splitlines()


_words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
_amounts = st.floats(0, 1e12).map(Interval.exact)
_marks = st.none() | st.builds(
    Mark,
    status=st.sampled_from(Status),
    energy_wh=st.none() | _amounts,
    co2e_grams=st.none() | _amounts,
    factor=st.none() | st.builds(FactorRef, set=_words, id=_words, match=st.just("pattern")),
)
_usages = st.none() | st.builds(Usage, *[st.integers(0, 10**20)] * 5)


@settings(max_examples=150)
@given(
    usage=_usages,
    words=st.lists(st.none() | _words, min_size=6, max_size=6),
    mark=_marks,
    count=st.sampled_from([1.0, 3.5, -1.0]),
)
def test_the_fast_way_and_the_plain_way_give_the_same_hash(
    usage: Usage | None, words: list[str | None], mark: Mark | None, count: float
) -> None:
    model, response_id, service, tenant, user, conversation = words
    call = sighting(
        1,
        usage=usage,
        model=model,
        response_id=response_id,
        mark=mark,
        adjusted_count=count,
        service=service,
        tenant=tenant,
        user=user,
        conversation=conversation,
    )
    assert call.call is not None
    outcome = estimator().estimate(call.call)

    place = outcome if isinstance(outcome, Footprint) else None
    row = LineBuilder().row(_HEAD, call, outcome, place, "otlp")

    assert row[-1] == leaf_hash(encode_row(row))


def test_digits_of_a_real_are_its_bits() -> None:
    assert real_digits(-2.0) == "c000000000000000"
    assert real_digits(-0.0) == real_digits(0.0) == "0000000000000000"
