"""The main job on real input, without keys and without a network."""
