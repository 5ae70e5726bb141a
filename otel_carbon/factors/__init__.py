"""Factor tables, their sources, and the look-ups in them."""
