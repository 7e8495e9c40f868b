"""What goes over the wire: bodies, JSON, times, errors, addresses, limits. Knows no model and no app."""
