"""Pages that follow what happens: a first paint, and after it only what has changed.

A page is made of *lists* of rows and of *parts*. The browser asks again and again, with the version that it shows and
a tag for each row and part. Where the version is the same the answer is 204, made by one cheap query. Else the page is
built (once for all who look at the same), and the rows and parts whose tags differ are sent.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pages.kit.version import version

VERSION: Final = "X-Live-Version"
UNKNOWN: Final = "unknown"
"""The version of a page that is to be asked for again, whatever happens."""
TAGS: Final = "X-Live-Tags"
_KEPT: Final = 64
"""Pages built lately; a fleet's operators look at few."""
_KEPT_SECONDS: Final = 2.0


class Piece(NamedTuple):
    """A row or a part as the page has it, and the tag by which the browser knows it."""

    key: str
    html: SafeString
    tag: str


@dataclass(frozen=True)
class Screen:
    """All of a page that lives: `lists` of rows and `parts`, by name. Templates print a part or a list's rows by
    `{{ screen.parts.name }}` and `{{ screen.lists.name }}`; `facts` are whatever else they need at first paint. Of one
    that `is_pending` something is still being found: it is built anew at the next look."""

    lists: Mapping[str, Sequence[Piece]]
    parts: Mapping[str, Piece]
    facts: Mapping[str, Any]
    is_pending: bool = False


def rows(template: str, found: Iterable[tuple[Hashable, Hashable]], *, element: str = "tr") -> list[Piece]:
    """A list: for each (key, row) the cells that `template` makes of `row`, inside an element of its own.

    Rows are plain values (named tuples, frozen dataclasses) that hold all the template needs, already judged: equal
    rows are rendered once. Nothing of the request may be in them, and no form.
    """
    return [_row(template, element, str(key), row) for key, row in found]


@lru_cache(maxsize=8192)
def _row(template: str, element: str, key: str, row: Hashable) -> Piece:
    cells = get_template(template).render({"row": row})
    tag = _tag(cells)
    return Piece(
        key,
        format_html('<{} data-key="{}" data-tag="{}">{}</{}>', element, key, tag, cells, element),
        tag,
    )


def part(name: str, template: str, context: Mapping[str, Any], *, element: str = "div") -> Piece:
    """A part by its name: what `template` makes of `context`. Nothing of the request may be in it, and no form."""
    inner = get_template(template).render(dict(context))
    tag = _tag(inner)
    return Piece(
        name,
        format_html('<{} data-part="{}" data-tag="{}">{}</{}>', element, name, tag, inner, element),
        tag,
    )


def _tag(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def screen(
    *,
    lists: Mapping[str, Sequence[Piece]] | None = None,
    parts: Iterable[Piece] = (),
    is_pending: bool = False,
    **facts: Any,
) -> Screen:
    return Screen(lists or {}, {piece.key: piece for piece in parts}, facts, is_pending)


def live_page(
    request: HttpRequest, template: str, follows: Sequence[str], build: Callable[[], Screen], **context: Any
) -> HttpResponse:
    """The page, or what changed on it since the browser asked last.

    `follows` names what the page depends on (`kit.version.SOURCES`). `build` is called where the page was not built
    at this version for these rows and this query; it may raise what a page may raise. `context` is for this request's
    first paint: a query in it is a SimpleLazyObject, or every look would pay for it.
    """
    user: Any = request.user
    known = request.headers.get(VERSION)
    owner = None if user.is_staff else user.pk
    # Whoever has just changed something sees it.
    now_version = version(timezone.now(), follows, owner=owner, fresh=known is None)
    if known == now_version:
        return _answer(HttpResponse(status=204), now_version)
    key = (now_version, _scope(user), request.get_full_path(), template)
    found = built.get(key) or built.put(key, build())
    if found.is_pending:
        now_version = UNKNOWN
    if known is None:
        shown = {
            "lists": {name: _joined(pieces) for name, pieces in found.lists.items()},
            "parts": {name: piece.html for name, piece in found.parts.items()},
        }
        return render(request, template, {"screen": shown, "version": now_version, **found.facts, **context})
    changes = _changes(found, _read_tags(request.headers.get(TAGS, "")))
    return _answer(HttpResponse(changes) if changes else HttpResponse(status=204), now_version)


def _answer(response: HttpResponse, now_version: str) -> HttpResponse:
    response[VERSION] = now_version
    return response


def _scope(user: Any) -> tuple[Any, ...]:
    """People of one scope see the same page: all superusers, all staff, anybody else only their own."""
    return (user.is_superuser, user.is_staff, None if user.is_staff else user.pk)


def _read_tags(text: str) -> dict[str, dict[str, str]]:
    """`list:key=tag,key=tag;parts:name=tag` by list, in the browser's order."""
    found: dict[str, dict[str, str]] = {}
    for group in text.split(";"):
        name, _, pairs = group.partition(":")
        found[name] = {key: tag for key, _, tag in (pair.partition("=") for pair in pairs.split(",") if pair)}
    return found


def _joined(pieces: Iterable[Piece]) -> SafeString:
    return format_html_join("", "{}", ((piece.html,) for piece in pieces))


def _changes(found: Screen, known: Mapping[str, Mapping[str, str]]) -> SafeString:
    said = []
    for name, pieces in found.lists.items():
        before = known.get(name, {})
        changed = [piece for piece in pieces if before.get(piece.key) != piece.tag]
        order = [piece.key for piece in pieces]
        if changed or order != list(before):
            inner = _joined(changed)
            said.append(
                format_html('<template data-list="{}" data-order="{}">{}</template>', name, " ".join(order), inner)
            )
    before = known.get("parts", {})
    for name, piece in found.parts.items():
        if before.get(name) != piece.tag:
            said.append(format_html("<template>{}</template>", piece.html))
    return format_html_join("", "{}", ((words,) for words in said))


class _Built:
    """The pages built last, shared by the threads of this process; each for a moment, because a database that is
    restored counts its versions anew."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, tuple[float, Screen]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Screen | None:
        with self._lock:
            built_at, page = self._pages.get(key, (float("-inf"), None))
        return page if time.monotonic() - built_at < _KEPT_SECONDS else None

    def put(self, key: Hashable, page: Screen) -> Screen:
        if page.is_pending:
            return page
        with self._lock:
            self._pages[key] = (time.monotonic(), page)
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return page

    def clear(self) -> None:
        with self._lock:
            self._pages.clear()


built: Final = _Built()
