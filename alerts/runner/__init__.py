"""Who looks: one process at a time, some seconds apart."""
