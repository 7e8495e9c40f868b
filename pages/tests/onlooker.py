"""Somebody who has a page open: what its tables say, and what travels when the page asks for what is new."""

import re
from html import unescape
from typing import Any

from django.test import Client

from pages.kit.live import TAGS, VERSION


class Onlooker:
    """Opens the page; `look` asks as the script does, with the tags of that first paint."""

    def __init__(self, client: Client, path: str) -> None:
        self.client, self.path = client, path
        reply = client.get(path)
        assert reply.status_code == 200, reply.content
        html = reply.content.decode()
        (self.version,) = re.findall(r'data-version="([^"]+)"', html)
        lists = re.findall(r'<tbody data-list="(\w+)"[^>]*>(.*?)</tbody>', html, re.DOTALL)
        groups = [f"{name}:{_pairs('key', inner)}" for name, inner in lists]
        self.tags = ";".join([*groups, f"parts:{_pairs('part', html)}"])

    def look(self) -> Any:
        return self.client.get(self.path, headers={"HX-Request": "true", VERSION: self.version, TAGS: self.tags})


def _pairs(name: str, html: str) -> str:
    return ",".join(f"{key}={tag}" for key, tag in re.findall(rf'data-{name}="([^"]+)" data-tag="([^"]+)"', html))


def table(reply: Any, name: str = "") -> list[list[str]]:
    """The words of each cell: of the live list of that name, or of a reply's changed rows."""
    html = reply.content.decode()
    if name:
        (html,) = re.findall(rf'<tbody data-list="{name}"[^>]*>(.*?)</tbody>', html, re.DOTALL)
    found = re.findall(r"<tr data-key[^>]*>(.*?)</tr>", html, re.DOTALL)
    return [[text(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in found]


def figures(reply: Any) -> list[list[str]]:
    """The small table of numbers, its head first."""
    (html,) = re.findall(r'<table class="figures">(.*?)</table>', reply.content.decode(), re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [[text(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def text(html: str) -> str:
    """Its words, one blank between two."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
