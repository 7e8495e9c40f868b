"""Who the partner is: whether there is one, from where it may call, and how it signs."""
