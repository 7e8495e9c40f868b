"""Commands: one device's, and many devices' at once."""
