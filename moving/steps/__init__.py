"""What moves, one thing after the other: each step brings one kind of thing."""
