"""`python manage.py document_options`: the options of ozone/wire/conf.py become the tables of docs/configuration.md."""

import re
from dataclasses import Field
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand

from ozone.wire.conf import documented_options

_MARKED: Final = re.compile(r"(<!-- options: ([^\n]+) -->\n).*?(<!-- end of options -->\n)", re.DOTALL)
_HEAD: Final = "| Name | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"


class Command(BaseCommand):
    help = "Writes the tables of options in docs/configuration.md anew."

    def handle(self, **_: Any) -> None:
        page = Path(settings.BASE_DIR, "docs", "configuration.md")
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(page: str) -> str:
    """The page, in Markdown, with the table of its section between each pair of markers."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{_table(found[2])}\n{found[3]}", page)


def _table(section: str) -> str:
    return _HEAD + "".join(_row(option) for option in documented_options() if option.metadata["section"] == section)


def _row(option: Field[Any]) -> str:
    kind, meaning = option.metadata["kind"], option.metadata["meaning"]
    return f"| `{option.name}` | {kind} | {_default(option.default)} | {meaning} |\n"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "empty" if value in ("", ()) else f"`{value}`"
