"""Names of attributes and metrics: ours, and those that are read."""
