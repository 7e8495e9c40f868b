"""The tables of the ledger, each declared in the folder of its subject."""

from ledger.epochs.models import Epoch
from ledger.lines.models import Line, Settlement
from ledger.prices.models import Price, Share
from ledger.statements.models import Books, Statement, StatementLine

__all__ = ["Books", "Epoch", "Line", "Price", "Settlement", "Share", "Statement", "StatementLine"]
