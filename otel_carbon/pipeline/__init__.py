"""Component life cycle and OTLP wire data (pdata)."""
