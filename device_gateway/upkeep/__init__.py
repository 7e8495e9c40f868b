"""What one process does for the database while all serve: it deletes what is not to be kept, and looks how it grows."""
