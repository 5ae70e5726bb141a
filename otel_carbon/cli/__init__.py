"""The `otel-carbon` command."""
