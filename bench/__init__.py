"""Benchmarks of the write path (`make bench`), and the private PostgreSQL server the tests use too."""
