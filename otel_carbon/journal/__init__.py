"""Acknowledged means on disk: the queue between receivers and exporters."""
