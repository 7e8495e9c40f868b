"""Outlets, machines, and which device each holds."""
