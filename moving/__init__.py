"""Whole databases on the move: `move_in` brings a fleet of an earlier system here, with its past."""
