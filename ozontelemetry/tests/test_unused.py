"""Django REST framework has no part of what nobody sees here; others have it all the same."""

from importlib import import_module

from rest_framework import compat

from ozontelemetry.unused import UNUSED


def test_it_is_not_loaded() -> None:
    assert {name: getattr(compat, name) for name in UNUSED} == dict.fromkeys(UNUSED)


def test_others_find_it() -> None:
    assert {import_module(name).__name__ for name in UNUSED} == set(UNUSED)
