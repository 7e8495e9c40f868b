"""Each parameter of a query string is declared once: where OpenAPI is told of it, it is read."""

import re
from pathlib import Path

import pytest

import ozone.webapi.parameters as home

pytestmark = pytest.mark.sqlite_only

ROOT = Path(home.__file__).parents[2]
ROOMS = ("ozone", "device_gateway", "telemetry", "stations")
SECOND_WAY = re.compile(
    r'OpenApiParameter\((?!\s*"[\w-]+",\s*str,\s*OpenApiParameter\.HEADER)|query_params(\.get\(|\[)'
)


def test_no_view_describes_or_reads_a_parameter_on_its_own() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "tests" not in path.parts]
    assert Path(home.__file__) in files
    assert [path.name for path in files if SECOND_WAY.search(path.read_text())] == ["parameters.py"]


def test_the_second_way_is_seen() -> None:
    assert SECOND_WAY.search('OpenApiParameter("limit", int)')
    assert SECOND_WAY.search('request.query_params.get("limit")')
    assert not SECOND_WAY.search('OpenApiParameter("X-Timestamp", str, OpenApiParameter.HEADER, required=True)')
