"""Handshakes: who gets a token for a MAC."""
