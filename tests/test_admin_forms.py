"""The forms of the admin site: neither of two people writes over what the other has changed; two clicks are one act."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from device_gateway.models import Device
from pages.tests.forms import filled_in, form_of
from telemetry.machines.bindings import add_machine, change_machine
from telemetry.models import Machine, Outlet

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]


class Form(NamedTuple):
    """A row's form; a field that somebody else changes by `change`, and how that reads; what its person has chosen
    there meanwhile; and a field that its person alone changes."""

    path: str
    row: Any
    field: str
    change: Callable[[], Any]
    words: str
    mine: Any
    other: str


def value(row: Any, name: str) -> Any:
    row.refresh_from_db()
    found = getattr(row, name)
    return set(found.all()) if hasattr(found, "all") else found


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def vera(db: None) -> User:
    return User.objects.create_user("vera", first_name="Vera")


@pytest.fixture(params=["device", "outlet", "machine", "person", "group"])
def form(request: pytest.FixtureRequest, vera: User) -> Form:
    north, south, east = (Outlet.objects.create(name=name) for name in ("North", "South", "East"))
    device = Device.objects.create(device_id="OZ-1", name="One", notes="Line 1\nLine 2", location="Bay 1")
    machine = add_machine(fields={"name": "One", "outlet": north})
    team, crew = Group.objects.create(name="Team"), Group.objects.create(name="Crew")
    add, view = Permission.objects.filter(codename__in=["add_device", "view_device"]).order_by("codename")

    def update(row: Any, **fields: Any) -> Callable[[], Any]:
        return lambda: type(row)._default_manager.filter(pk=row.pk).update(**fields)

    forms = {
        "device": Form(
            f"device_gateway/device/{device.pk}", device, "location", update(device, location="Bay 2"),
            "“Bay 2”", "Bay 3", "name",
        ),
        "outlet": Form(
            f"telemetry/outlet/{north.pk}", north, "region", update(north, region="Hills"), "“Hills”", "Coast", "name"
        ),
        "machine": Form(
            f"telemetry/machine/{machine.pk}", machine, "outlet",
            lambda: change_machine(machine=Machine.objects.get(), fields={"outlet": south}), "“South”", east.pk, "name",
        ),
        "person": Form(
            f"auth/user/{vera.pk}", vera, "groups", lambda: vera.groups.add(team), "“Team”", [crew.pk], "first_name"
        ),
        "group": Form(
            f"auth/group/{team.pk}", team, "permissions", lambda: team.permissions.add(add),
            f"“{add}”", [view.pk], "name",
        ),
    }  # fmt: skip
    form: Form = forms[request.param]
    return form._replace(path=f"/admin/{form.path}/change/")


@pytest.mark.each_case
def test_what_one_did_not_touch_stays_as_others_have_made_it(root: Client, form: Form) -> None:
    sent = filled_in(root, form.path, **{form.other: "Ours"})
    form.change()
    theirs = value(form.row, form.field)
    reply = root.post(form.path, sent)
    assert reply.status_code == 302, reply.context["adminform"].form.errors
    assert (value(form.row, form.other), value(form.row, form.field)) == ("Ours", theirs)


@pytest.mark.each_case
def test_the_same_field_is_named_and_ones_words_are_kept(root: Client, form: Form) -> None:
    sent = filled_in(root, form.path, **{form.field: form.mine, form.other: "Ours"})
    form.change()
    theirs = value(form.row, form.field)
    reply = root.post(form.path, sent)
    sentence = f"Changed meanwhile: {form.words} is stored now. Send the form again to put yours in its place."
    assert reply.context["adminform"].form.errors == {form.field: [sentence]}
    assert (value(form.row, form.field), value(form.row, form.other)) != (theirs, "Ours")
    assert value(form.row, form.field) == theirs
    again = form_of(reply)
    assert (again[form.field], again[form.other]) == (_told(form.mine), "Ours")
    assert root.post(form.path, again).status_code == 302
    assert value(form.row, form.field) != theirs
    assert value(form.row, form.other) == "Ours"


def _told(mine: Any) -> Any:
    return [str(one) for one in mine] if isinstance(mine, list) else str(mine)


@pytest.mark.each_case
def test_nothing_is_changed_by_a_form_that_nobody_touched(root: Client, form: Form) -> None:
    before = type(form.row)._default_manager.filter(pk=form.row.pk).values().get()
    assert root.post(form.path, filled_in(root, form.path)).status_code == 302
    assert type(form.row)._default_manager.filter(pk=form.row.pk).values().get() == before


def test_a_day_and_a_time_are_one_field(root: Client, vera: User) -> None:
    path = f"/admin/auth/user/{vera.pk}/change/"
    sent = filled_in(root, path, date_joined_0="2020-01-01")
    User.objects.filter(pk=vera.pk).update(date_joined=datetime(2021, 5, 5, 12, tzinfo=UTC))
    reply = root.post(path, sent)
    assert "Changed meanwhile: “2021-05-05 12:00:00+00:00” is stored now." in reply.content.decode()
    assert root.post(path, form_of(reply)).status_code == 302
    vera.refresh_from_db()
    assert vera.date_joined.date() == date(2020, 1, 1)


def said(reply: Any) -> tuple[int, str | None, str]:
    words = reply.cookies["messages"].value.partition(":")[0] if "messages" in reply.cookies else ""
    return reply.status_code, reply.get("Location"), words


def test_sent_twice(root: Client, vera: User) -> None:
    twin = Client()
    twin.cookies.update(root.cookies)
    key = {"csrfmiddlewaretoken": form_of(root.get("/admin/telemetry/outlet/add/"))["csrfmiddlewaretoken"]}
    for path, fields in (
        ("/admin/telemetry/outlet/add/", {"name": "Twin"}),
        (f"/admin/auth/user/{vera.pk}/delete/", {"post": "yes"}),
    ):
        first, second = (client.post(path, {**key, **fields}) for client in (root, twin))
        assert first.status_code == 302
        assert said(second) == said(first)
    assert Outlet.objects.filter(name="Twin").count() == 1
    assert not User.objects.filter(pk=vera.pk).exists()
    again = form_of(root.get("/admin/telemetry/outlet/add/"))
    root.post("/admin/telemetry/outlet/add/", {**again, "name": "Twin"})
    assert Outlet.objects.filter(name="Twin").count() == 2


@pytest.mark.each_case
@pytest.mark.parametrize("asked", [{"q": "vera " * 2_000}, {"q": "vera" + "\u0300" * 1_000}, {"o": "1." * 6_000}])
def test_a_search_looks_at_a_few_words(root: Client, vera: User, asked: dict[str, str]) -> None:
    """Django makes conditions of all of them: SQLite takes no thousand, and PostgreSQL seconds."""
    with CaptureQueriesContext(connection) as seen:
        shown = root.get("/admin/auth/user/", asked)
    assert shown.status_code == 200
    assert "vera" in shown.content.decode()
    assert max(len(query["sql"]) for query in seen.captured_queries) < 10_000


@pytest.mark.parametrize("lookup", ["regex", "iregex"])
def test_nobody_asks_by_a_regular_expression(root: Client, vera: User, lookup: str) -> None:
    """SQLite leaves it to Python, which serves nobody meanwhile: this takes an hour of a name of 40 letters."""
    with CaptureQueriesContext(connection) as seen:
        shown = root.get("/admin/auth/user/", {f"username__{lookup}": "^(a|a)*b"})
    assert shown.status_code == 200
    assert "vera" in shown.content.decode()
    assert not [query for query in seen.captured_queries if "(a|a)" in query["sql"]]


@pytest.mark.parametrize("number", ["9" * 30, "9" * 4000])
def test_a_number_that_no_row_has_is_refused(root: Client, number: str) -> None:
    reply = root.post("/admin/auth/group/add/", {"name": "crew", "permissions": number})
    assert reply.status_code == (400 if connection.vendor == "sqlite" else 200)
    assert ("A number in this form is larger" in reply.content.decode()) == (connection.vendor == "sqlite")
    assert not Group.objects.filter(name="crew").exists()
