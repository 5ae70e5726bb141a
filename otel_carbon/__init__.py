"""Energy, gCO2e and region on every OpenTelemetry GenAI span."""
