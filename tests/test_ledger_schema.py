"""The file: append-only, upgraded once, readable by anybody, and refused with a clear word when it is damaged."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import estimator, open_ledger, rows, sighting
from privileges import bound_by_permissions
from sqlite_utils import Database

from otel_carbon.errors import ConfigError, LedgerError, MissingExtraError, StorageError
from otel_carbon.ledger import Ledger, default_data_dir, ledger_path
from otel_carbon.ledger.verify import verify


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.db")
    opened.record([sighting(1, response_id="r"), sighting(2, model="gpt-4o-mini", start_s=90_000)])
    opened.record([sighting(3, response_id="r", parent=1)])
    yield opened
    opened.close()


def _python(code: str, *arguments: object, bound: bool = False) -> subprocess.CompletedProcess[str]:
    imports = "import sys; from pathlib import Path; from ledger_cases import *; from otel_carbon.ledger import Ledger"
    command = [sys.executable, "-c", f"{imports}\n{code}", *map(str, arguments)]
    return subprocess.run(
        bound_by_permissions(command) if bound else command,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent / "support")},
    )


@pytest.mark.parametrize("statement", ["UPDATE lines SET co2e_grams_central = 0", "DELETE FROM lines WHERE seq = 1"])
def test_lines_can_only_be_added(ledger: Ledger, statement: str) -> None:
    connection = sqlite3.connect(ledger.path)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_a_line_cannot_be_taken_back_twice(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    columns = [name for (_, name, *_) in connection.execute("PRAGMA table_info(lines)")]
    again = ", ".join({"seq": "99"}.get(name, f'"{name}"') for name in columns)

    with pytest.raises(sqlite3.IntegrityError, match="reverses_seq"):
        connection.execute(f"INSERT INTO lines SELECT {again} FROM lines WHERE kind = 'reversal'")
    connection.close()


def test_a_kind_that_does_not_exist_is_refused(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    columns = [name for (_, name, *_) in connection.execute("PRAGMA table_info(lines)")]
    other = ", ".join({"seq": "99", "kind": "'guess'"}.get(name, f'"{name}"') for name in columns)

    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute(f"INSERT INTO lines SELECT {other} FROM lines WHERE seq = 1")
    connection.close()


def test_opening_again_changes_nothing(ledger: Ledger) -> None:
    before = rows(ledger, "SELECT name, applied_at FROM _sqlite_migrations")
    identity = rows(ledger, "SELECT * FROM meta")

    again = open_ledger(ledger.path)

    assert rows(again, "SELECT name, applied_at FROM _sqlite_migrations") == before
    assert [name for name, _ in before] == ["0001_book"]
    assert rows(again, "SELECT * FROM meta") == identity
    again.close()


def test_the_files_of_a_new_ledger_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        opened = open_ledger(tmp_path / "ledger.db")
    finally:
        os.umask(before)
    opened.record([sighting(1)])

    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "ledger.db": 0o600,
        "ledger.db-wal": 0o600,
        "ledger.db-shm": 0o600,
    }
    opened.close()


def test_an_existing_ledger_keeps_the_rights_that_somebody_gave_it(ledger: Ledger) -> None:
    ledger.path.chmod(0o640)

    open_ledger(ledger.path).close()

    assert ledger.path.stat().st_mode & 0o777 == 0o640


def test_processes_that_begin_a_ledger_together_make_one(tmp_path: Path) -> None:
    code = "print(rows(open_ledger(Path(sys.argv[1])), 'SELECT value FROM meta'))"

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: _python(code, tmp_path / "ledger.db"), range(3)))

    assert [process.stderr for process in done] == ["", "", ""]
    assert len({process.stdout for process in done}) == 1


def test_a_ledger_of_a_newer_version_is_refused(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('otel_carbon_ledger', '0099_moon')"
    )
    connection.commit()
    connection.close()

    with pytest.raises(LedgerError, match=r"newer version of otel-carbon \(0099_moon\)"):
        open_ledger(ledger.path)


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is not a ledger, it is a diary" * 100)

    with pytest.raises(StorageError, match=rf"{path}: file is not a database; .* restore it from a backup"):
        open_ledger(path)
    with pytest.raises(StorageError, match="file is not a database"):
        Ledger.open_read_only(path)


def test_a_database_of_another_program_is_neither_read_nor_changed(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = Database(path)
    other["books"].insert({"title": "Accounting for carbon"})
    other.close()
    before = path.read_bytes()

    with pytest.raises(StorageError, match=r"other\.db: not a ledger .* the table 'books'; name another file"):
        Ledger.open_read_only(path)
    with pytest.raises(StorageError, match=r"other\.db: not a ledger .* the table 'books'; name another file"):
        open_ledger(path)

    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_ledger_and_is_none_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()

    with pytest.raises(StorageError, match=r"ledger\.db: is empty or of an older version"):
        Ledger.open_read_only(path)
    open_ledger(path).close()

    Ledger.open_read_only(path).close()


def test_damage_is_found(ledger: Ledger) -> None:
    ledger.record([sighting(number) for number in range(10, 400)])
    ledger.close()
    content = bytearray(ledger.path.read_bytes())
    last_page = len(content) - 4096
    content[last_page : last_page + 64] = b"\xff" * 64
    ledger.path.write_bytes(content)

    reader = Ledger.open_read_only(ledger.path)
    with closing(reader):
        problems = verify(reader).problems

    assert problems[0].startswith("the file is damaged: ")


def test_a_changed_line_is_found(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    connection.execute("DROP TRIGGER lines_no_update")
    connection.execute("UPDATE lines SET output_tokens = output_tokens + 1 WHERE seq = 2")
    connection.commit()
    connection.close()

    problems = verify(ledger).problems

    assert problems[0] == "line 2 was changed: its content does not give its hash"
    assert any("has output_tokens 345" in problem for problem in problems)


def test_a_missing_line_is_found(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    connection.execute("DROP TRIGGER lines_no_delete")
    connection.execute("DELETE FROM lines WHERE seq = 1")
    connection.commit()
    connection.close()

    problems = verify(ledger).problems

    assert problems[0] == "line 1 is missing: after line 0 comes line 2"
    assert "line 3 takes back line 1, which does not exist" in problems


def test_a_rollup_that_is_off_is_found(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    connection.execute("UPDATE hourly SET calls = calls + 1 WHERE model = 'gpt-4o-mini'")
    connection.execute("UPDATE hourly_spans SET spans = 5 WHERE status = 'duplicate'")
    connection.commit()
    connection.close()

    first, second = verify(ledger).problems

    assert "gpt-4o-mini" in first
    assert first.endswith("has calls 2.0, its lines 1.0")
    assert second == "the roll-up of 2026-11-23T20:00Z has 5 spans duplicate, not 1"


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o500)

    done = _python("open_ledger(Path(sys.argv[1]))", folder / "ledger.db", bound=True)

    assert "StorageError: ledger" in done.stderr
    assert "sealed/ledger.db: unable to open database file; check that the file and its directory" in done.stderr


def test_a_ledger_on_a_medium_that_cannot_be_written_can_be_read(ledger: Ledger) -> None:
    ledger.close()
    ledger.path.chmod(0o400)
    ledger.path.parent.chmod(0o500)

    done = _python(
        "print(rows(Ledger.open_read_only(sys.argv[1]), 'SELECT COUNT(*) FROM lines'))",
        ledger.path,
        bound=True,
    )
    ledger.path.parent.chmod(0o700)

    assert done.stdout == "[(4,)]\n"


def test_a_file_in_the_way_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")

    with pytest.raises(StorageError, match=r"data/ledger\.db"):
        open_ledger(tmp_path / "data" / "ledger.db")


def test_datasette_serves_the_ledger(ledger: Ledger) -> None:
    ledger.close()
    command = [sys.executable, "-m", "datasette", str(ledger.path), "--get"]

    def get(path: str) -> dict[str, Any]:
        done = subprocess.run([*command, path], check=True, capture_output=True, text=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    assert get("/ledger/by_model.json?_shape=objects&_col=model&_col=calls")["rows"] == [
        {"model": "gpt-4o", "calls": 1.0},
        {"model": "gpt-4o-mini", "calls": 1.0},
    ]
    assert {view["name"] for view in get("/ledger.json")["views"]} == {"by_model", "calls", "daily"}


def test_the_views_show_what_stands(ledger: Ledger) -> None:
    assert rows(ledger, "SELECT span_id, model, calls FROM calls ORDER BY seq") == [
        (f"{2:016x}", "gpt-4o-mini", 1.0),
        (f"{3:016x}", "gpt-4o", 1.0),
    ]
    assert rows(ledger, "SELECT day, calls, input_tokens, output_tokens FROM daily") == [
        ("2026-11-23", 1.0, 1200, 345),
        ("2026-11-24", 1.0, 1200, 345),
    ]
    (of_calls,) = rows(ledger, "SELECT SUM(co2e_grams_central) FROM calls")
    (of_days,) = rows(ledger, "SELECT SUM(co2e_grams_central) FROM daily")
    (of_models,) = rows(ledger, "SELECT SUM(co2e_grams_central) FROM by_model")
    assert of_calls[0] == pytest.approx(of_days[0], rel=1e-12)
    assert of_calls[0] == pytest.approx(of_models[0], rel=1e-12)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("ledger.db", "/base/ledger.db"),
        ("sqlite:///ledger.db", "/base/ledger.db"),
        ("sqlite:///sub/led%20ger.db", "/base/sub/led ger.db"),
        ("sqlite:////var/lib/ledger.db", "/var/lib/ledger.db"),
        ("/var/lib/ledger.db", "/var/lib/ledger.db"),
    ],
)
def test_a_url_names_a_file(text: str, path: str) -> None:
    assert str(ledger_path(text, Path("/base"))) == path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgresql://user:secret@host/db", "keeps its ledger in SQLite"),
        ("sqlite://ledger.db", "write sqlite:///ledger.db"),
        (":memory:", "a ledger is a file"),
        ("", "a ledger is a file"),
    ],
)
def test_what_cannot_be_a_ledger_is_refused_without_repeating_secrets(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        Ledger.open(text, estimator=estimator())

    assert "secret" not in str(raised.value)


def test_the_data_directory_follows_the_environment() -> None:
    assert default_data_dir({"OTEL_CARBON_DATA_DIR": "/srv/carbon"}) == Path("/srv/carbon")
    assert default_data_dir({"XDG_DATA_HOME": "/home/a/data"}) == Path("/home/a/data/otel-carbon")
    # The XDG Base Directory Specification: "consider the path invalid and ignore it"
    assert default_data_dir({"XDG_DATA_HOME": "data"}) == Path("~/.local/share/otel-carbon").expanduser()
    assert default_data_dir({"XDG_DATA_HOME": "~/data"}) == Path("~/data/otel-carbon").expanduser()
    assert default_data_dir({}) == Path("~/.local/share/otel-carbon").expanduser()


def test_without_sqlite_utils_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(MissingExtraError, match=r"pip install 'otel-carbon\[ledger\]'"):
        open_ledger(tmp_path / "ledger.db")
