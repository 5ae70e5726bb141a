"""From a call to its footprint. Pure arithmetic over the factor tables."""
