"""People: their password hashes stay good; a name that is taken here stays this system's."""

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import identify_hasher, make_password

from moving.cells import first, flag, moment, text
from moving.pace import each_row
from moving.sources import Row
from moving.state import Move

STAFF_ROLES: Final = ("admin", "administrator", "superadmin", "superuser", "staff", "manager", "operator", "technician")
"""Roles of the second generation whose holders steer machines. Superusers are those that were Django's."""


def move_people(move: Move) -> None:
    table = move.generation.people if move.generation.people in move.source.columns else "auth_user"
    each_row(move.source, table, lambda row: _move_person(move, table, row))


def _move_person(move: Move, table: str, row: Row) -> None:
    counted, key = move.table(table), row[move.key_of(table)]
    counted.rows += 1
    if move.known(table, key) is not None:
        counted.there += 1
        return
    username = text(first(row, "username", "email"), 150)
    if not username:
        move.report.refuse(table, key, "It has no user name.")
        return
    users: Any = get_user_model()
    here = users.objects.filter(username__iexact=username).first()
    if here is not None:
        counted.there += 1
        move.report.note(table, key, f"{username} is taken here: devices of that account go to this system's.")
        move.remember(table, key, here.pk)
        return
    counted.added += 1
    role = text(row.get("role"), 32).lower()
    is_staff = flag(row.get("is_staff"), False) or role in STAFF_ROLES
    if role:
        move.report.note(table, key, f"{username}: the role {role} became {'staff' if is_staff else 'not staff'}.")
    if move.is_dry:
        move.remember(table, key, move.invented())
        return
    user = users.objects.create(
        username=username,
        password=_hash(move, table, key, row),
        first_name=text(row.get("first_name"), 150),
        last_name=text(row.get("last_name"), 150),
        email=text(row.get("email"), 254),
        is_staff=is_staff,
        is_superuser=flag(row.get("is_superuser"), False),
        is_active=flag(row.get("is_active"), True),
        date_joined=moment(row.get("date_joined")) or move.now,
        last_login=moment(row.get("last_login")),
    )
    move.remember(table, key, user.pk)


def _hash(move: Move, table: str, key: object, row: Row) -> str:
    stored = text(row.get("password"), 128)
    try:
        identify_hasher(stored)
    except ValueError:
        move.report.note(table, key, "The password is kept in a way that Django does not know: a new one is needed.")
        return make_password(None)
    return stored
