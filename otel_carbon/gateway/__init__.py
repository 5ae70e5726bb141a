"""The service: reads a config, builds pipelines, runs them."""
