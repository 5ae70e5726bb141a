"""Components that deliver telemetry."""
