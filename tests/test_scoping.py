"""Every address of the URL map, asked by everybody: nobody reads or changes what is not theirs."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django import Settings

from ozone.accounts.tokens import issue
from ozone.webapi.view import NothingHere
from tests.support import costly
from tests.support.doors import Answer, DjangoDoor
from tests.support.estate import STATION_WORD, Estate, settle, station
from tests.support.length import IS_LONG
from tests.support.scoping import CALLERS, WITH_TOKEN, Row, rows

# Who may what is decided before any database is asked.
pytestmark = [pytest.mark.sqlite_only, pytest.mark.thorough]

PASSWORD = "a long walk to the well"
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
ROWS = rows()


# --- the URL map and the table ---


def walk(patterns: list[Any], prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Path as the table has it, its names left out, and view; Django's own admin apart."""
    for item in patterns:
        path = prefix + str(item.pattern).removeprefix("^")
        if isinstance(item, URLPattern):
            yield plain(path), item.callback
        elif item.app_name != "admin":
            yield from walk(item.url_patterns, path)


def plain(path: str) -> str:
    path = re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]*>", "<>", path.partition("?device")[0].removesuffix("$").removesuffix("/?"))
    return "/" + path.replace("\\", "").strip("/")


def is_nothing(view: Any) -> bool:
    """Whether the view answers 404 to whatever else is below a mount."""
    view_class = getattr(view, "cls", None)
    return view_class is not None and issubclass(view_class, NothingHere)


PATHS = {path for path, view in walk(get_resolver().url_patterns) if not is_nothing(view)}


def test_every_route_has_a_row() -> None:
    assert len(PATHS) > 50
    missing = sorted(PATHS - {plain(row.path) for row in ROWS})
    assert missing == [], "tests/support/scoping.py says nothing of these: add a row for each method they take"


def test_every_row_has_a_route() -> None:
    assert sorted({plain(row.path) for row in ROWS} - PATHS) == [], "rows for routes that are gone"


def test_a_row_is_written_once() -> None:
    named = [(row.method, row.path) for row in ROWS]
    assert len(set(named)) == len(named)


def test_every_address_has_its_costliest_requests() -> None:
    """Which tests/live/test_fairness.py sends."""
    named = {plain(line.path) for line in costly.lines()}
    assert sorted(PATHS - named) == [], "tests/support/costly.py says nothing of these: add a line for each"
    assert sorted(named - PATHS) == [], "lines of addresses that are gone"


# --- who gets what ---


@dataclass
class Scene:
    """The callers' credentials, and the things the paths name."""

    mine: Estate
    theirs: Estate
    stranger: User
    staff: User
    named: dict[str, str]
    shown: dict[tuple[str, bool], dict[str, str]] = field(default_factory=dict)

    def people(self) -> dict[str, User]:
        assert self.mine.owner and self.theirs.owner
        return {"stranger": self.stranger, "owner": self.mine.owner, "other": self.theirs.owner, "staff": self.staff}

    def credential(self, caller: str, *, with_token: bool) -> dict[str, str]:
        """The headers by which the caller is known."""
        if caller in self.people():
            user = self.people()[caller]
            return bearer(issue(user, as_staff=False)[0]) if with_token else cookie(user)
        keys = {"key": self.mine.key, "strange": self.theirs.key}
        return bearer(keys[caller]) if caller in keys else {}

    def fill(self, text: str) -> str:
        """The text with the owner's things in the place of their names."""
        return re.sub(r"<(\w+)>", lambda found: self.named[found[1]], text)

    def ask(self, caller: str, method: str, path: str, body: str = "", *, with_token: bool = False) -> Answer:
        headers = dict(self.shown[caller, with_token])
        if body or method not in ("GET", "DELETE"):
            headers["Content-Type"] = "application/json"
        return DjangoDoor().send(method, self.fill(path), self.fill(body).encode(), headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def cookie(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


@pytest.fixture(scope="module")
def kept() -> Iterator[sqlite3.Connection]:
    """The scene's rows once they have been made: to make them anew for each row of the table would take most of the
    time."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as rows:
        yield rows


@pytest.fixture(scope="module")
def made() -> list[Scene]:
    return []


@pytest.fixture
def scene(write_path: None, settings: Settings, kept: sqlite3.Connection, made: list[Scene]) -> Scene:
    settings.IOT_SYSTEM_SIGNATURE_SECRET = "a secret of the partner's system, long enough"
    settings.LIMIT_PERSON_CALLS = "100000/1"
    connection.ensure_connection()
    if made:
        kept.backup(connection.connection)
    else:
        scene = new_scene()
        for caller, with_token in product(CALLERS, (False, True)):
            scene.shown[caller, with_token] = scene.credential(caller, with_token=with_token)
        made.append(scene)
        connection.connection.backup(kept)
    return made[0]


def new_scene() -> Scene:
    settle(STATION_WORD, None)  # what staff alone sees
    mine = settle("quokka", User.objects.create_user("quokka"))
    theirs = settle("numbat", User.objects.create_user("numbat"))
    staff = User.objects.create_user("olga", is_staff=True)
    body = f'{{"username": "caller", "password": "{PASSWORD}"}}'.encode()
    made = DjangoDoor().send("POST", "/api/auth/register/", body, {"Content-Type": "application/json"})
    assert made.status == 201, made.body
    return Scene(mine, theirs, User.objects.get(username="caller"), staff, mine.named | station())


def outcome(answer: Answer) -> str:
    if answer.status == 302 and answer.headers["location"].startswith("/login/?next="):
        return "login"
    return str(answer.status)


def asked_by_everybody(scene: Scene, row: Row) -> dict[str, str]:
    """Staff come last: what they delete or cancel, nobody else could find."""
    found = {}
    for caller in sorted(CALLERS, key=lambda caller: caller == "staff"):
        answer = scene.ask(caller, row.method, row.path, row.body, with_token=row.comes_with_token)
        found[caller] = outcome(answer)
        if row.path.startswith(("/api/", "/gateway/")) and answer.status >= 400:
            assert answer.headers["content-type"] == "application/json"
    return found


def test_who_reads_what(scene: Scene) -> None:
    wrong = []
    for row in ROWS:
        if row.method == "GET":
            found = asked_by_everybody(scene, row)
            wrong += [(row.path, found, row.expected)] if found != row.expected else []
    assert wrong == []


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.method != "GET"], ids=lambda row: f"{row.method} {row.path}"
)
def test_who_may_do_what(scene: Scene, row: Row) -> None:
    assert asked_by_everybody(scene, row) == row.expected


def test_no_other_method(scene: Scene) -> None:
    """Whatever a route takes stands in the table, with a row for each method."""
    wrong = []
    methods: dict[str, set[str]] = {}
    for row in ROWS:
        methods.setdefault(plain(row.path), set()).add(row.method)
    for path in sorted({row.path for row in ROWS}):
        taken = methods[plain(path)]
        for method in sorted(METHODS - taken):
            answer = scene.ask("staff", method, path, with_token=path.startswith(WITH_TOKEN))
            if answer.status != 405 or not set(answer.headers["allow"].split(", ")) >= taken:
                wrong.append((method, path, answer.status, answer.headers.get("allow")))
    assert wrong == [], "each of these wants a row in tests/support/scoping.py, or a 405"


@pytest.mark.parametrize("path", ["/api/no-such", "/gateway/no-such", "/api/stations/a/b", "/api/devices/a/b/c"])
def test_where_nothing_is(scene: Scene, path: str) -> None:
    for caller in CALLERS:
        for method in sorted(METHODS):
            answer = scene.ask(caller, method, path)
            assert (answer.status, answer.headers["content-type"]) == (404, "application/json")


# --- Django's own admin ---


def admin_paths(patterns: list[Any], prefix: str = "/admin/") -> Iterator[str]:
    for item in patterns:
        path = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from admin_paths(item.url_patterns, path)
        elif not path.startswith(("/admin/login/", "/admin/logout/", "/admin/jsi18n/", "/admin/^")):
            yield re.sub(r"<[^>]*>", "1", path)


ADMIN_PATHS = sorted({path for path in admin_paths(admin.site.urls[0]) if "(" not in path and "^" not in path})


def test_the_admin_is_for_staff(scene: Scene) -> None:
    assert len(ADMIN_PATHS) > 50
    for caller in ("nobody", "owner", "key"):
        for path in ADMIN_PATHS:
            for method in ("GET", "POST"):
                answer = scene.ask(caller, method, path)
                assert (path, answer.status) == (path, 302)
                assert answer.headers["location"].startswith("/admin/login/?next="), path


def test_the_admin_is_read_by_staff_only_where_the_api_is(scene: Scene) -> None:
    """`is_staff` opens the door; but for stations, what is behind it is for permissions, which a superuser gives."""
    everybody = {"/admin/", "/admin/password_change/", "/admin/password_change/done/"}
    for path in ADMIN_PATHS:
        answer = scene.ask("staff", "GET", path)
        of_stations = re.fullmatch(r"/admin/stations/(\w+/)?", path)
        one_of_them = re.fullmatch(r"/admin/stations/\w+/1/(change|history)/", path)
        expected = {200} if of_stations or path in everybody else {302, 403, 404} | ({200} if one_of_them else set())
        assert answer.status in expected, (path, answer.status)


# --- what stands in the replies ---

LISTS = [
    row.path
    for row in ROWS
    if row.method == "GET" and "<" not in row.path and row.expected["stranger"] == row.expected["other"] == "200"
    if row.path not in ("/api/schema/", "/api/docs/")
]
"""Whatever anybody may read who is signed in, the API's description apart."""
API_LISTS = [path for path in LISTS if path.startswith("/api/")]
FILTERS = [
    f"{name}=<{thing}>"
    for name, things in {
        "device_id": ("device", "device_pk", "mac", "spare"),
        "machine_id": ("machine",),
        "outlet_id": ("outlet",),
        "q": ("device",),
        "device": ("device", "device_pk"),
    }.items()
    for thing in things
]


def said(answer: Answer, marks: tuple[str, ...]) -> list[str]:
    """Which of the marks stand in the reply, its headers included."""
    text = (answer.body.decode() + str(dict(answer.headers))).lower()
    return [mark for mark in marks if mark.lower() in text]


def nowhere(asked: str) -> str:
    """Of the same kind as what was asked for."""
    return "799999999" if asked.isdigit() else "no-such-thing"


@pytest.mark.parametrize("caller", ["stranger", "other"])
def test_nothing_of_anybody_else(scene: Scene, caller: str) -> None:
    """Neither plain nor with filters that point at what is another's: a page may show again what was typed into its
    filter, and the API answers as if it were nowhere. Who has nothing at all tries the filters at night only."""
    queries = ("", *FILTERS) if caller == "other" or IS_LONG else ("",)
    marks = scene.mine.marks if caller == "other" else (*scene.mine.marks, *scene.theirs.marks, STATION_WORD)
    wrong: list[Any] = []
    with time_machine.travel(timezone.now(), tick=False):
        for path in LISTS:
            of_nowhere: dict[str, Answer] = {}
            for query in queries:
                name, _, asked = scene.fill(query).partition("=")
                answer = scene.ask(caller, "GET", f"{path}?{name}={asked}" if name else path)
                told = [mark for mark in said(answer, marks) if mark not in asked or path in API_LISTS]
                wrong += [(path, query, answer.status, told)] if told or answer.status not in (200, 400, 404) else []
                if name and path in API_LISTS:
                    other = f"{name}={nowhere(asked)}"
                    if other not in of_nowhere:
                        of_nowhere[other] = scene.ask(caller, "GET", f"{path}?{other}")
                    nothing = of_nowhere[other]
                    is_same = (answer.status, answer.body) == (nothing.status, nothing.body)
                    wrong += [] if is_same else [(path, query, "tells what exists")]
    assert wrong == []


def test_what_others_have_changes_nothing(scene: Scene) -> None:
    """Counts and totals included: a stranger's reply is the same, byte for byte, after everybody has got more."""
    with time_machine.travel(timezone.now(), tick=False):
        before = {path: scene.ask("stranger", "GET", path) for path in API_LISTS}
        settle("possum", scene.staff)
        after = {path: scene.ask("stranger", "GET", path) for path in API_LISTS}
    assert {answer.status for answer in before.values()} == {200}
    assert {path: answer.body for path, answer in after.items()} == {
        path: answer.body for path, answer in before.items()
    }


@pytest.mark.parametrize("path", ["/api/devices/", "/api/machines/", "/api/outlets/", "/api/events/"])
def test_the_owner_and_staff_do_see_it(scene: Scene, path: str) -> None:
    """Or the tests above could not fail."""
    assert said(scene.ask("owner", "GET", path), scene.mine.marks[:1]) == ["quokka"]
    everything = scene.ask("staff", "GET", path)
    assert said(everything, ("quokka", "numbat", STATION_WORD)) == ["quokka", "numbat", STATION_WORD]
