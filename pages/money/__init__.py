"""Prices, shares, statements."""
