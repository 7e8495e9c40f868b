"""Templates of pages are written a tag a line, and compiled without the blanks of that.

A line break beside a tag, ours or HTML's, is nothing; within words it is one blank. Blanks within a line stay, so two
things that are to stand apart stand on one line.
"""

import re
from typing import Final

from django.template import Origin
from django.template.loaders import app_directories

_BESIDE_A_TAG: Final = re.compile(r"(?<=>)\s*\n\s*|(?<=[%#]\})\s*\n\s*|\s*\n\s*(?=<|\{[%#])|\s*\n\s*\Z")
_WITHIN_WORDS: Final = re.compile(r"\s*\n\s*")


def compact(source: str) -> str:
    return _WITHIN_WORDS.sub(" ", _BESIDE_A_TAG.sub("", source))


class Loader(app_directories.Loader):
    """Of all apps; other people's templates are as they are."""

    def get_contents(self, origin: Origin) -> str:
        source: str = super().get_contents(origin)
        return compact(source) if str(origin.template_name).startswith("pages/") else source
