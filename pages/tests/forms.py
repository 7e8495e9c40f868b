"""A form as a browser sends it: with all its fields, those that nobody sees included."""

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client


class _Fields(HTMLParser):
    """Of a form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, Any] = {}
        self._lists: set[str] = set()
        self._select, self._textarea = "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attributes}
        name = told.get("name", "")
        if tag == "input" and name and (told.get("type") not in ("checkbox", "radio") or "checked" in told):
            value = told.get("value", "on" if told.get("type") == "checkbox" else "")
            self.found[name] = [*self.found[name], value] if name in self._lists else value
        elif tag == "select":
            self._select = name
            if "multiple" in told:
                self.found[name], self.found[f"initial-{name}"] = [], []
                self._lists |= {name, f"initial-{name}"}
        elif tag == "textarea":
            self._textarea, self.found[name] = name, ""
        elif tag == "option" and self._select and ("selected" in told or self._select not in self.found):
            value = told.get("value", "")
            if self._select not in self._lists:
                self.found[self._select] = value
            elif "selected" in told:
                self.found[self._select].append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.found[self._textarea] += data.removeprefix("\n")


def form_of(reply: Any) -> dict[str, Any]:
    """That of an action's page, or of a row's page in the admin site."""
    marks = r'(?:<section id="action".*?<form method="post"|<form [^>]*id="\w+_form")(.*?)</form>'
    found = re.search(marks, reply.content.decode(), re.DOTALL)
    assert found, reply.content
    fields = _Fields(f"<form {found[1]}").found
    return {name: re.sub(r"\r?\n", "\r\n", one) if isinstance(one, str) else one for name, one in fields.items()}


def filled_in(client: Client, path: str, **fields: Any) -> dict[str, Any]:
    """The form that is shown at the path, with these fields filled in."""
    return {**form_of(client.get(path)), **fields}
