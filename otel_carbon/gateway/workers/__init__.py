"""Several gateways on one port: one process per worker, each with a journal of its own, all with one ledger."""
