"""Who may enter: the registry of devices, their credentials, claims, and the readings they send (seed 000)."""
