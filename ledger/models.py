"""The tables of the ledger, each declared in the folder of its subject."""

from ledger.prices.models import Price, Share

__all__ = ["Price", "Share"]
