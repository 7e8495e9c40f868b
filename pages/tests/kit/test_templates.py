"""Templates are written a tag a line, and what they make has none of the blanks of that."""

import re
from pathlib import Path

import pytest
from django.template.loader import get_template
from django.test import Client

from pages.kit.templates import compact

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
LONGEST = 120


def test_no_line_of_a_template_is_too_long() -> None:
    long = [
        f"{path.relative_to(TEMPLATES)}:{number}"
        for path in TEMPLATES.rglob("*.html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LONGEST
    ]
    assert long == []


@pytest.mark.parametrize(
    ("written", "compiled"),
    [
        ("<td>\n  {{ row.name }}\n</td>\n<td></td>\n", "<td>{{ row.name }}</td><td></td>"),
        ("{% if a %}\n  <b>a</b>\n{% endif %}\n", "{% if a %}<b>a</b>{% endif %}"),
        ("<p>\n  Words that\n  go on.\n</p>", "<p>Words that go on.</p>"),
        ("{{ a }}\n{{ b }}", "{{ a }} {{ b }}"),
        ('<input name="q"\n  value="{{ q }}">', '<input name="q" value="{{ q }}">'),
        ("<b>a</b> <i>b</i>\n\n  <i>c</i>", "<b>a</b> <i>b</i><i>c</i>"),
        ("{# why #}\n<b>a</b>{% if b %} b{% endif %}", "{# why #}<b>a</b>{% if b %} b{% endif %}"),
    ],
)
def test_a_line_break_is_a_blank_within_words_only(written: str, compiled: str) -> None:
    assert compact(written) == compiled


def test_what_people_wrote_is_left_as_it_is() -> None:
    words = "the first line\n  the second"
    html = get_template("pages/kit/form_errors.html").render({"form": {"non_field_errors": [words]}})
    assert html == f'<p class="message error" role="alert">{words}</p>'


def test_others_templates_are_as_they_are() -> None:
    assert "\n" in get_template("admin/base.html").template.source  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_a_page_has_no_blank_lines_and_no_indentation(client: Client) -> None:
    html = client.get("/login/").content.decode()
    assert re.findall(r">\s*\n\s*<", html) == []
