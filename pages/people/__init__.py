"""Signing in, registering, one's account."""
