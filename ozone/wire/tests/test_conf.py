"""Options: the host's settings, else the defaults; of the right types, and told to nobody by accident."""

import dataclasses
from typing import get_type_hints

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from ozone.wire.conf import Options, documented_options, options


def test_a_setting_comes_before_the_default(settings: Settings) -> None:
    assert options().BODY_LIMIT == 256 * 1024
    settings.BODY_LIMIT = 7
    assert options().BODY_LIMIT == 7
    del settings.BODY_LIMIT  # no signal tells of this
    options.cache_clear()
    assert options().BODY_LIMIT == 256 * 1024


def test_lists_are_tuples(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert options().TRUSTED_PROXIES == ("10.0.0.0/8",)


def test_they_are_remembered() -> None:
    assert options() is options()


def test_they_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        options().BODY_LIMIT = 1  # type: ignore[misc]


def test_secrets_are_not_in_their_repr(settings: Settings) -> None:
    settings.METRICS_TOKEN = "not for a log"
    assert options().METRICS_TOKEN == "not for a log"
    assert "not for a log" not in repr(options())


@pytest.mark.parametrize("option", documented_options(), ids=lambda option: option.name)
def test_the_default_and_what_the_environment_gives_have_the_type(option: "dataclasses.Field[object]") -> None:
    expected = get_type_hints(Options)[option.name]
    expected = tuple if expected == tuple[str, ...] else expected
    assert type(option.default) is expected
    given = getattr(django_settings, option.name)
    assert type(given) is (list if expected is tuple else expected)


def test_every_option_is_explained() -> None:
    assert len(documented_options()) == len(dataclasses.fields(Options)) - 2  # Django's own
    for option in documented_options():
        assert option.metadata["kind"]
        assert option.metadata["meaning"]
