"""Machines: the list, one machine's log, what is done to them."""
