"""Simulated fleets that speak to a running server over HTTP, as real devices do.

Nothing here imports another app of the project: what these devices know of the server is what the wire tells them.
"""
