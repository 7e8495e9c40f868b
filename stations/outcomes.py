"""What became of a message, and how that is written down for whoever sends it again."""

from dataclasses import dataclass, field
from typing import Any

from ozone.wire import jsonio
from stations.models import SyncLog


@dataclass(frozen=True)
class Acknowledgement:
    """The reply to a message that was acknowledged."""

    message: str
    data: dict[str, Any]
    stale: bool = False
    replayed: bool = False
    warnings: dict[str, str] = field(default_factory=dict)
    """Sentences by place of what was left as it was."""

    def body(self) -> dict[str, Any]:
        """The reply's JSON object; `warnings`, `stale` and `replayed` stand in it only where there are any."""
        body: dict[str, Any] = {"success": True, "message": self.message, "data": self.data}
        if self.warnings:
            body["warnings"] = self.warnings
        if self.stale:
            body["stale"] = True
        if self.replayed:
            body["replayed"] = True
        return body

    def written(self) -> str:
        """For `read_again`."""
        kept = {"message": self.message, "data": self.data, "stale": self.stale, "warnings": self.warnings}
        return jsonio.encode(kept).decode()

    @classmethod
    def read_again(cls, reply: str) -> "Acknowledgement":
        """What was written, as a repeat gets it."""
        return cls(**jsonio.decode(reply.encode()), replayed=True)

    @property
    def kind(self) -> SyncLog.Outcome:
        if self.replayed:
            return SyncLog.Outcome.REPLAYED
        return SyncLog.Outcome.STALE if self.stale else SyncLog.Outcome.APPLIED
