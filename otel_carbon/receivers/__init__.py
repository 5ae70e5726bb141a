"""Receivers take telemetry in: one module per component type. The catalogue is `receivers/README.md`."""
