"""Ozone machines: handshake, events, commands, status, outlets, machines, statistics."""
