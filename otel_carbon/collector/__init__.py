"""A stock OpenTelemetry Collector that enriches by itself: its config, generated from the factor tables."""
