"""A form as a browser sends it: with all its fields, those that nobody sees included."""

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client


class _Fields(HTMLParser):
    """Of the form of an action's page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._select, self._textarea = "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attributes}
        name = told.get("name", "")
        if tag == "input" and name and (told.get("type") not in ("checkbox", "radio") or "checked" in told):
            self.found[name] = told.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "textarea":
            self._textarea, self.found[name] = name, ""
        elif tag == "option" and self._select and ("selected" in told or self._select not in self.found):
            self.found[self._select] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.found[self._textarea] += data.removeprefix("\n")


def form_of(reply: Any) -> dict[str, str]:
    found = re.search(r'<section id="action".*?<form method="post"(.*?)</form>', reply.content.decode(), re.DOTALL)
    assert found, reply.content
    return {name: re.sub(r"\r?\n", "\r\n", value) for name, value in _Fields(found[1]).found.items()}


def filled_in(client: Client, path: str, **fields: Any) -> dict[str, str]:
    """The form that is shown at the path, with these fields filled in."""
    return {**form_of(client.get(path)), **{name: str(value) for name, value in fields.items()}}
