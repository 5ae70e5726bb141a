"""HTTP for people and probes: health, report."""
