"""Pages about where people are told."""
