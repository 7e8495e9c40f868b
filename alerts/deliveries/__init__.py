"""Messages on their way: claimed, sent, tried again, kept as a log."""
