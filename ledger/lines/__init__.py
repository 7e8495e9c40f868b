"""What no press explains, line by line, and how people have settled it."""
