"""Connectors end one pipeline and begin another: one module per type. The catalogue is `connectors/README.md`."""
