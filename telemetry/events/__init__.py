"""Billing events: stored once, refused ones kept, read, exported, flushed."""
