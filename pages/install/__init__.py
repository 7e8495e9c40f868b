"""Putting a board into a machine, by somebody who stands before it."""
