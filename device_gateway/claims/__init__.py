"""Provisioning tokens: issued, claimed for a key, revoked."""
