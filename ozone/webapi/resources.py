"""What people write to a resource: no member is passed over in silence, and nobody writes over another's change unseen
(contract, section 0)."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.wire import jsonio
from ozone.wire.errors import Invalid, PreconditionFailed

COMPUTED: Final = frozenset(
    {
        "bound_machine",
        "counts",
        "credential",
        "last_heard",
        "last_poll",
        "last_seen",
        "machine_count",
        "online",
        "status",
    }
)
"""Members of replies that follow from other rows or from the time: what is read can be written back with them."""


NAMED: Final = 20
"""Members at fault that a refusal names; there may be tens of thousands."""


class Resource:
    """One kind of resource. `request`: the serializer of its writable members; `elsewhere`: members that are written at
    another address, and the sentence that names it."""

    def __init__(self, request: Callable[..., serializers.Serializer[Any]], **elsewhere: str) -> None:
        self._request = request
        self._elsewhere = elsewhere

    @property
    def editable(self) -> list[str]:
        return [name for name, field in self._request().fields.items() if not field.read_only]

    def wanted(self, data: Any, stored: Mapping[str, Any] | None = None, *, partial: bool = True) -> dict[str, Any]:
        """The members to write. `stored`: the resource as it is read; None: it is about to be made.

        Raises Invalid naming each member that the resource does not have, or that may only be read and says something
        else than what is stored; ValidationError naming those that are not valid.
        """
        members = self._writable(data, stored) if isinstance(data, Mapping) else data
        serializer = self._request(data=members, partial=partial)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _writable(self, data: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
        editable = self.editable
        faults: dict[str, list[str]] = {}
        for name, value in data.items():
            if name in editable or name in COMPUTED:
                continue
            if len(faults) == NAMED:
                break
            if stored is None or name not in stored:
                faults[name] = [f"There is no such field. Those that can be written: {', '.join(editable)}."]
            elif not _same(value, stored[name]):
                faults[name] = [self._elsewhere.get(name, "It can only be read, and is another one.")]
        if faults:
            raise Invalid(f"Not valid: {', '.join(faults)}.", errors=faults)
        return {name: value for name, value in data.items() if name in editable}

    def etag(self, stored: Mapping[str, Any]) -> str:
        """Of the editable members as they are stored."""
        content = jsonio.encode([stored[name] for name in self.editable])
        return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'

    def reply(self, stored: Mapping[str, Any], status: int = 200) -> Response:
        return Response(stored, status=status, headers={"ETag": self.etag(stored)})

    def change(
        self,
        request: Request,
        read: Callable[[], Mapping[str, Any]],
        write: Callable[[dict[str, Any]], Any],
        *,
        partial: bool = True,
    ) -> Response:
        """`read` gives the resource, its row locked; between that and `write` nobody else changes it."""
        told = request.data  # read before anything is locked: a large body waits for its turn
        with transaction.atomic():
            stored = read()
            self.check(request, stored)
            write(self.wanted(told, stored, partial=partial))
            return self.reply(read())

    def check(self, request: Request, stored: Mapping[str, Any]) -> None:
        """Raises PreconditionFailed where `If-Match` names another state (weak comparison)."""
        told = request.headers.get("If-Match")
        if told is None or told.strip() == "*":
            return
        known = {tag.strip().removeprefix("W/") for tag in told.split(",")}
        if self.etag(stored) not in known:
            raise PreconditionFailed


def _same(told: Any, stored: Any) -> bool:
    return bool(told == stored and isinstance(told, bool) == isinstance(stored, bool))
