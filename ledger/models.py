"""The tables of the ledger, each declared in the folder of its subject."""

from ledger.epochs.models import Epoch
from ledger.lines.models import Line, Settlement
from ledger.prices.models import Price, Share

__all__ = ["Epoch", "Line", "Price", "Settlement", "Share"]
