"""The book: one line per counted call, append-only."""
