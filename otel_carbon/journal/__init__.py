"""The write-ahead journal: what is acknowledged is on disk, and every exporter reads it with a cursor of its own."""

from otel_carbon.journal.directory import DataDirectory
from otel_carbon.journal.journal import Journal
from otel_carbon.journal.values import Backlog, CursorSpec, Dropped, JournalSettings, ReadLimits

__all__ = ["Backlog", "CursorSpec", "DataDirectory", "Dropped", "Journal", "JournalSettings", "ReadLimits"]
