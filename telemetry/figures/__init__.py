"""Counts by hour and day, and the statistics made of them."""
