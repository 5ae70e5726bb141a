"""The book: one line per counted call, append-only."""

from otel_carbon.ledger.book import Ledger
from otel_carbon.ledger.paths import default_data_dir, ledger_path
from otel_carbon.ledger.recorded import Recorded

__all__ = ["Ledger", "Recorded", "default_data_dir", "ledger_path"]
