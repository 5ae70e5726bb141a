"""The page about instrumentations says what the table says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from otel_carbon.spans import DialectTable, SpanReader

ROOT = Path(__file__).parent.parent


def test_the_tables_of_the_page_are_up_to_date() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate-instrumentations", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (check.returncode, check.stderr) == (0, "")


def test_no_prompt_and_no_answer_is_ever_read() -> None:
    reader = SpanReader.bundled()

    for dialect in DialectTable.bundled().dialects:
        prefixes = tuple(key for key in dialect.content if key.endswith("."))
        assert reader.keys.isdisjoint(dialect.content)
        looked_at = {key for key in reader.keys if prefixes and key.startswith(prefixes)}
        # Who spoke first, not what was said: whether there are messages at all tells a call from its preparation.
        assert looked_at <= {"llm.input_messages.0.message.role"}
