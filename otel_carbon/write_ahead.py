"""Switches a SQLite file to its write-ahead log, and keeps the log from staying as large as it once was."""

from __future__ import annotations

import sqlite3
import time

__all__ = ["log_ahead"]

_AGAIN_AFTER_S = 0.01


def log_ahead(connection: sqlite3.Connection, *, within_s: float, keep_bytes: int) -> None:
    """Switch to the write-ahead log, which SQLite refuses at once while another process is at it on a new file.

    SQLite waits for every other lock. Here it already holds one itself, and would wait for ever if the other did, too.
    A long reader lets the log grow; after it, the file is cut to `keep_bytes` where it begins anew.

    Raises:
        sqlite3.Error: the file cannot be used, or another process held it for longer than `within_s`.
    """
    until_s = time.monotonic() + within_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until_s:
                raise
        else:
            break
        time.sleep(_AGAIN_AFTER_S)
    connection.execute(f"PRAGMA journal_size_limit = {keep_bytes}")
