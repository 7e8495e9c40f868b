"""What a host project may hear of."""

from typing import Final

from django.dispatch import Signal

power_bank_returned: Final = Signal()
"""A power bank came back. Sent once for each return, inside the transaction that stores it: whatever a receiver
writes is committed with the return or not at all, and a receiver that raises refuses the return (the partner's
system sends it again).

Keyword arguments: `power_bank_return` (models.PowerBankReturn, with its `power_bank` and `station`), `stale` (bool:
a message newer than this return had been applied, so the return is history and moved nothing). The sender is
`PowerBankReturn`.
"""
