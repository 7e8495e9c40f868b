"""What is said, as plain text and as HTML: one column that a phone shows as it is, nothing that is fetched."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.utils.html import escape

Part = tuple[str, list[str]]
"""A title, and the lines below it."""

_FONT: Final = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"
_PAGE: Final = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title></head>'
    '<body style="margin:0;padding:16px;background:#f4f5f7;color:#1c2430;font-size:16px;line-height:1.5;{font}">'
    '<div style="max-width:560px;margin:0 auto">{blocks}'
    '<p style="margin:16px 4px;color:#5b6472;font-size:13px;overflow-wrap:anywhere">{foot}</p></div></body></html>\n'
)
_BLOCK: Final = (
    '<div style="margin:0 0 12px;padding:16px;background:#ffffff;border:1px solid #dfe3e8;border-radius:8px;'
    'overflow-wrap:anywhere"><h1 style="margin:0 0 8px;font-size:18px;line-height:1.3">{title}</h1>{lines}</div>'
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
        blocks="".join([*lines, *blocks, *rest]),
        foot="<br>".join(_linked(line, home) for line in said.foot),
    )


def _lines(lines: Sequence[str], home: str) -> str:
    return "".join(_LINE.format(_linked(line, home)) for line in lines if line)


def _linked(line: str, home: str) -> str:
    def word(one: str) -> str:
        return _LINK.format(escape(one)) if home and one.startswith(home) else escape(one)

    return " ".join(map(word, line.split(" ")))
