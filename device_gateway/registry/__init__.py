"""Devices: what they are called, who sees them, what an operator changes."""
