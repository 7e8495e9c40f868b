"""What Ozone machines say to us: handshake, events, polls, reports, the legacy form."""
