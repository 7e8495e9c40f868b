"""Outlets: the list, one outlet, what is done to them."""
