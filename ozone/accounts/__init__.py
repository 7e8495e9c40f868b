"""People: sessions, access tokens, the role of the caller. Knows no Device, and has no model."""
