"""A form acts once: sent again, by a double click or a page loaded again, it shows what came of it the first time.

Every form has a key of its own (`{% form_key %}`). Who sends it first puts a row into the database, acts, and leaves
there what came of it; others who send the same words with the same key wait for that, in whatever process. The
database holds a digest of the key and no key, and the outcome sealed with it: a page that shows a token can be shown
again to the browser that has the form, and to nobody who reads the database.
"""

import hashlib
import json
import logging
import re
import secrets
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any, Final

from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import MessageDecoder, MessageEncoder
from django.db import DatabaseError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone

from ozone.wire.errors import Conflict
from pages.models import SentForm

logger = logging.getLogger("ozontelemetry")

FIELD: Final = "form_key"
KEPT: Final = timedelta(days=1)
"""How long a form is known to have been sent."""
SHOWN: Final = timedelta(minutes=1)
"""How long a page that is shown once, as a token's, can be shown again to who sends its form again."""
MOST: Final = 10_000
"""Forms that are remembered."""
WAIT_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.05
_ALONE_SECONDS: Final = 1.0
"""After it only the newest of those who wait for one form goes on waiting: the others' browsers have turned away."""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}|[A-Za-z0-9]{64}")
_SENT_BEFORE: Final = "This form was sent before. Nothing was done a second time: open it anew to do it once more."

_newest: dict[str, object] = {}
"""Who waits for a form in this process."""

Act = Callable[[], HttpResponseBase]


def new_key() -> str:
    return secrets.token_urlsafe(32)


def shows_once(response: HttpResponse) -> HttpResponse:
    """Marks a page that shows what was done; a redirect says so by itself. A form that comes back is no outcome."""
    response.is_outcome = True  # type: ignore[attr-defined]
    return response


def once(request: HttpRequest, act: Act, *, strangers_act: bool = True, field: str = FIELD) -> HttpResponseBase:
    """What `act` answers; or, where this very form was sent before, what it answered then.

    Without a key, as a script sends it, each request acts. What was refused, or only asked about, may be sent again.
    `field` has the key. Unless `strangers_act`, a stranger's request writes nothing. Raises Conflict where the form was
    sent before and what came of it is not known.
    """
    form = _Form.of(request, field)
    if form is None:
        return act()
    if not strangers_act and not request.user.is_authenticated and not form.rows.exists():
        return act()
    while True:
        row, is_first = SentForm.objects.get_or_create(digest=form.digest, defaults={"sent_at": timezone.now()})
        if is_first:
            return _act(request, act, form, row)
        if known := _wait(form, row):
            return known.show(request, row.sent_at) if known.belongs_to(request) else act()


def _act(request: HttpRequest, act: Act, form: "_Form", row: SentForm) -> HttpResponseBase:
    before = _cookie(request)
    outcome = None
    try:
        response = act()
        outcome = _Outcome.of(request, response, before)
    finally:
        _leave(row, form.seal(outcome) if outcome else None)
    return response


def _leave(row: SentForm, sealed: bytes | None) -> None:
    """What came of it, for those who wait; None: nothing did, and the next who sends it acts."""
    mine = SentForm.objects.filter(pk=row.pk)
    try:
        if sealed is None:
            mine.delete()
            return
        mine.update(outcome=sealed)
        SentForm.objects.filter(Q(sent_at__lt=row.sent_at - KEPT) | Q(pk__lte=row.pk - MOST)).delete()
    except DatabaseError as error:  # it is done all the same; who sends it again is told that it was sent
        logger.warning("what came of a form is not remembered: %s", error)


def _wait(form: "_Form", row: SentForm) -> "_Outcome | None":
    """What came of the form; None where who sent it first was refused. Raises Conflict after WAIT_SECONDS."""
    since, me = monotonic(), object()
    _newest[form.digest] = me
    try:
        while row.outcome is None:
            waited = monotonic() - since
            if waited >= WAIT_SECONDS or (waited > _ALONE_SECONDS and _newest.get(form.digest) is not me):
                raise _unknown()
            sleep(LOOK_SECONDS)
            found = form.rows.first()
            if found is None:
                return None
            row = found
        return form.open(bytes(row.outcome))
    finally:
        if _newest.get(form.digest) is me:
            del _newest[form.digest]


def _unknown() -> Conflict:
    return Conflict(
        "This form was sent before, and nothing is done twice. What came of it is not known yet, or not any more: look"
        " before you open it anew."
    )


@dataclass(frozen=True)
class _Form:
    """What was sent: `digest` tells one act from another, `fernet` seals its outcome."""

    digest: str
    fernet: Fernet

    @property
    def rows(self) -> "QuerySet[SentForm]":
        return SentForm.objects.filter(digest=self.digest)

    @classmethod
    def of(cls, request: HttpRequest, field: str) -> "_Form | None":
        key = request.POST.get(field, "") if request.method == "POST" else ""
        if not _KEY.fullmatch(key):
            return None
        # The words count, too: who goes back, writes another name and sends it means another thing.
        digest = hashlib.sha256(f"{key} {request.get_full_path()}".encode())
        digest.update(json.dumps(sorted(request.POST.lists())).encode())
        files: dict[str, Any] = request.FILES.dict()
        for name, file in sorted(files.items()):
            digest.update(f"{name} {file.size} ".encode() + file.read())
            file.seek(0)
        sealing = hashlib.sha256(b"seal " + key.encode()).digest()
        return cls(digest.hexdigest(), Fernet(urlsafe_b64encode(sealing)))

    def seal(self, outcome: "_Outcome") -> bytes:
        return self.fernet.encrypt(zlib.compress(json.dumps(vars(outcome), cls=MessageEncoder).encode()))

    def open(self, sealed: bytes) -> "_Outcome":
        return _Outcome(**json.loads(zlib.decompress(self.fernet.decrypt(sealed)), cls=MessageDecoder))


@dataclass(frozen=True)
class _Outcome:
    """What a person got. `user`: who is signed in after it; `before` and `after`: the session's cookie with which the
    form came, and the session that took its place, if one did."""

    location: str
    page: str
    said: list[Message]
    user: int | None
    before: str
    after: str

    @classmethod
    def of(cls, request: HttpRequest, response: HttpResponseBase, before: str) -> "_Outcome | None":
        """None where nothing was done: a form came back, an error, a stream; or the person has to sign in first."""
        is_outcome = isinstance(response, HttpResponseRedirect) or hasattr(response, "is_outcome")
        if not is_outcome or not request.user.is_authenticated or not isinstance(response, HttpResponse):
            return None
        after = request.session.session_key or ""
        if after != before:
            request.session.save()  # who waits goes on with it, perhaps before it would have been saved
        return cls(
            response.get("Location", ""),
            response.content.decode(),
            list(_messages(request)._queued_messages),
            request.user.pk,
            before,
            after if after != before else "",
        )

    def belongs_to(self, request: HttpRequest) -> bool:
        """Whether who asks is the person of the form, or holds the session it came with, which it has ended."""
        return request.user.pk == self.user or _cookie(request) == self.before

    def show(self, request: HttpRequest, sent_at: datetime) -> HttpResponse:
        is_late = timezone.now() - sent_at > SHOWN
        if is_late and (self.page or self.after):
            raise Conflict(_SENT_BEFORE)
        if self.after and request.user.pk != self.user and request.session.exists(self.after):
            request.session = type(request.session)(self.after)
            request.session.modified = True
        shown = _messages(request)
        there = [str(message) for message in shown]
        shown.used = False
        for message in self.said:
            if str(message) not in there:
                shown.add(message.level, message.message, message.extra_tags or "")
        if is_late:
            messages.info(request, _SENT_BEFORE)
        return HttpResponseRedirect(self.location) if self.location else HttpResponse(self.page)


def _messages(request: HttpRequest) -> Any:
    return messages.get_messages(request)


def _cookie(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
