"""What is said, as plain text and as HTML: one column that a phone shows as it is, nothing that is fetched."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.utils.html import escape

Part = tuple[str, list[str]]
"""A title, and the lines below it."""

_FONT: Final = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"
_PAGE: Final = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title><style>{dark}</style></head>'
    '<body style="margin:0;padding:16px;background:#f4f5f7;color:#1c2430;font-size:16px;line-height:1.5;{font}">'
    '<div style="max-width:560px;margin:0 auto">{blocks}'
    '<p class="foot" style="margin:16px 4px;color:#5b6472;font-size:13px;overflow-wrap:anywhere">{foot}</p>'
    "</div></body></html>\n"
)
_DARK: Final = (
    ":root{color-scheme:light dark}@media (prefers-color-scheme:dark){body{background:#14181f!important;"
    "color:#e6e9ee!important}.block{background:#1f252e!important;border-color:#39424f!important}"
    ".foot{color:#a3adba!important}a{color:#7db8f5!important}}"
)
"""In the dark. The styles at the elements are what every mail program keeps; these come before them."""
_BLOCK: Final = (
    '<div class="block" style="margin:0 0 12px;padding:16px;background:#ffffff;border:1px solid #dfe3e8;'
    'border-radius:8px;overflow-wrap:anywhere"><h1 style="margin:0 0 8px;font-size:18px;line-height:1.3">{title}</h1>'
    "{lines}</div>"
)
_LINE: Final = '<p style="margin:0 0 6px">{}</p>'
_LINK: Final = '<a href="{0}" style="color:#0b5cad">{0}</a>'


class Said(NamedTuple):
    """A message. `heading`: of one with several parts; `more`: parts that are not told; `doubt`: a sentence, or ""."""

    heading: str
    parts: Sequence[Part]
    more: int
    foot: Sequence[str]
    doubt: str

    @property
    def rest(self) -> str:
        return f"… and {self.more:,} more." if self.more else ""


def as_text(said: Said) -> str:
    blocks = [said.doubt]
    if said.heading:
        blocks += [said.heading, *("\n".join([f"— {title}", *lines]) for title, lines in said.parts), said.rest]
    else:
        blocks += ["\n".join([title, "", *lines]) for title, lines in said.parts]
    return "\n\n".join([*filter(None, blocks), "\n".join(["-- ", *said.foot])]) + "\n"


def as_html(said: Said, home: str) -> str:
    """All of it escaped; of addresses those that begin with `home` are links: whatever somebody calls a machine leads
    nowhere."""
    lines = [_LINE.format(escape(line)) for line in (said.doubt, said.heading) if line]
    blocks = [_BLOCK.format(title=escape(title), lines=_lines(some, home)) for title, some in said.parts]
    rest = [_LINE.format(escape(said.rest))] if said.rest else []
    return _PAGE.format(
        title=escape(said.heading or said.parts[0][0]),
        font=_FONT,
        dark=_DARK,
        blocks="".join([*lines, *blocks, *rest]),
        foot="<br>".join(_linked(line, home) for line in said.foot),
    )


def _lines(lines: Sequence[str], home: str) -> str:
    return "".join(_LINE.format(_linked(line, home)) for line in lines if line)


def _linked(line: str, home: str) -> str:
    def word(one: str) -> str:
        return _LINK.format(escape(one)) if home and one.startswith(home) else escape(one)

    return " ".join(map(word, line.split(" ")))
