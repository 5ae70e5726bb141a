"""Components that work on telemetry, in the gateway and inside an application."""
