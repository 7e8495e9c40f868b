"""Charging stations, told to us by a partner's system in signed messages (contract, section 4)."""
