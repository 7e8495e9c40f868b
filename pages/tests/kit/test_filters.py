"""The widget of long lists of rows: it writes what Django's own does."""

from typing import Any

import pytest
from django import forms
from pytest_django.asserts import assertHTMLEqual

from pages.kit.filters import RowSelect

pytestmark = pytest.mark.alike

CHOICES = [("", "Any"), (7, "Chai Chee"), (70, '<b onclick="x">&'), ("x&y", "'")]


@pytest.mark.parametrize("value", ["", None, 7, "7", 70, "x&y", "no such row"])
def test_a_row_is_chosen_as_djangos_widget_has_it(value: Any) -> None:
    own, djangos = (
        widget({"aria-describedby": '"error"'}, choices=CHOICES).render("outlet", value, {"id": "id_outlet"})
        for widget in (RowSelect, forms.Select)
    )
    assertHTMLEqual(own, djangos)
    assert "<b" not in own
