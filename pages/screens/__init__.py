"""What live pages show: rows and parts as plain values (pages/live.py), read in a fixed number of queries."""
