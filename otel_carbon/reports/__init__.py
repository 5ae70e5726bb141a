"""Questions to the ledger, and their answers for people and machines."""
