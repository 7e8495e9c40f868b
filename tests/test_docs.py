"""The documentation against the code: what exists is documented, and what is documented exists."""

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

import device_gateway.routes
import telemetry.device_side.routes
from ozone.wire import errors
from ozone.wire.conf import documented_options
from ozontelemetry import __version__, health
from ozontelemetry.management.commands.document_options import with_tables

pytestmark = pytest.mark.sqlite_only

ROOT: Final = Path(__file__).resolve().parent.parent
APPS: Final = (
    "alerts",
    "ozone",
    "device_gateway",
    "ledger",
    "moving",
    "pages",
    "simulators",
    "stations",
    "telemetry",
    "ozontelemetry",
)
README: Final = ROOT / "README.md"
OPTIONS: Final = {option.name for option in documented_options()}
DOCS: Final = sorted((ROOT / "docs").rglob("*.md"))
PAGES: Final = [README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS]

# As seed 000 prints them.
CURLS: Final = (
    r"""
curl -X POST http://localhost:8000/gateway/devices/1/provision \
     -H "Content-Type: application/json" \
     -d '{"notes": "Line A ESP32"}'
""",
    r"""
curl -X POST http://localhost:8000/gateway/devices/claim \
     -H "Content-Type: application/json" \
     -d '{"token": "<one-time-token>", "device_metadata": {"fw": "1.0.0"}}'
""",
    r"""
curl -X POST http://localhost:8000/gateway/device-data/ingest \
     -H "Content-Type: application/json" \
     -H "Authorization: Bearer <bearer-token>" \
     -d '{"voltage": 228.4, "current": 3.2, "power_factor": 0.97, "kwh": 1234.5}'
""",
    "\ncurl http://localhost:8000/gateway/devices/1/telemetry/latest\n",
)


@cache
def _doc(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@cache
def _sources() -> dict[Path, str]:
    """The product's own modules, without tests and migrations."""
    return {
        path.relative_to(ROOT): path.read_text(encoding="utf-8")
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if not {"tests", "migrations"} & set(path.parts)
    }


def _table(text: str) -> dict[str, str]:
    """Rows of all tables by the code-formatted word in their first cell."""
    return {found[1]: found[0] for found in re.finditer(r"^\| `([^`|]+)`.*$", text, re.MULTILINE)}


# --- routes ---


def _walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for item in patterns:
        path = prefix + str(item.pattern).removeprefix("^")
        if isinstance(item, URLPattern):
            yield path, item.callback
        elif item.app_name != "admin":  # Django's own
            yield from _walk(item.url_patterns, path)


def _plain(path: str) -> str:
    """A path as documents write it, whatever its placeholders are called: `/api/devices/<>/restore`."""
    path = re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]*>", "<>", path.removesuffix("$").removesuffix("/?"))
    return "/" + path.replace("\\", "").strip("/")


def _methods(view: Any) -> list[str]:
    """Of a class of ours; [""] for a page, of which only the path is asked for."""
    view_class = getattr(view, "cls", None)
    if view_class is None:
        return [""]
    names = [name for name in view_class.http_method_names if name not in ("head", "options", "trace")]
    return [name.upper() for name in names if hasattr(view_class, name)]


def _routes() -> set[tuple[str, str]]:
    doors = [*device_gateway.routes.ROUTES, *telemetry.device_side.routes.ROUTES, *health.ROUTES]
    found = {(method, _plain(path)) for path, route in doors for method in route.allowed if method != "HEAD"}
    served = {path for _, path in found}
    for path, view in _walk(get_resolver().url_patterns):
        # The last pattern of a mount is empty: it answers 404 for everything else below it.
        if _plain(path) not in served and path not in ("api/", "gateway/"):
            found |= {(method, _plain(path)) for method in _methods(view)}
    return found


def _documented_routes() -> set[tuple[str, str]]:
    found = set()
    for method, path in re.findall(r"`(?:(GET|POST|PUT|PATCH|DELETE) )?(/[^`\s?]*)[^`]*`", _doc("api.md")):
        found |= {(method, _plain(path)), ("", _plain(path))}
    return found


def test_every_route_is_documented() -> None:
    assert len(_routes()) > 30
    assert sorted(_routes() - _documented_routes()) == []


def test_every_documented_route_exists() -> None:
    named = {route for route in _documented_routes() if route[0]}
    paths = {path for _, path in _routes()}
    # A page's methods are its own; of everything else the method is checked, too.
    pages = {path for method, path in _routes() if method == ""}
    assert sorted(route for route in named if route not in _routes() and route[1] not in pages) == []
    assert paths


# --- settings, checks, error codes ---


def _environment_names() -> set[str]:
    pattern = re.compile(
        r"""env(?:\.\w+)?\(\s*["']([A-Z][A-Z0-9_]+)"""
        r"""|os\.environ(?:\.(?:get|setdefault|pop))?[\[(]\s*["']([A-Z][A-Z0-9_]+)"""
        r"""|["']([A-Z][A-Z0-9_]+)["'] in os\.environ"""
    )
    found = {name for text in _sources().values() for names in pattern.findall(text) for name in names if name}
    assert {"DJANGO_DEBUG", "DATABASE_URL", "HOST", "PORT", "WORKERS"} <= found
    return found


def test_every_setting_is_documented() -> None:
    documented = _table(_doc("configuration.md"))
    assert sorted({*OPTIONS, *_environment_names()} - documented.keys()) == []


def test_every_documented_setting_exists() -> None:
    documented = {name for name in _table(_doc("configuration.md")) if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}
    assert sorted(documented - {*OPTIONS, *_environment_names()}) == []


def test_the_tables_of_options_are_made_from_the_code() -> None:
    """Else: python manage.py document_options."""
    page = _doc("configuration.md")
    assert with_tables(page) == page
    assert with_tables(page.replace("Largest body", "A body")) == page
    marked = re.findall("^<!-- options: (.+) -->$", page, re.MULTILINE)
    assert sorted(marked) == sorted({option.metadata["section"] for option in documented_options()})


def _words(pattern: str, *, skip: tuple[str, ...] = ()) -> set[str]:
    return {
        word for path, text in _sources().items() if path.parts[0] not in skip for word in re.findall(pattern, text)
    }


def test_every_startup_check_is_documented() -> None:
    ids = _words(r"ozone\.[EW]\d{3}")
    documented = set(re.findall(r"ozone\.[EW]\d{3}", _doc("configuration.md")))
    assert ids
    assert documented == ids


def test_every_error_code_is_documented() -> None:
    # The codes in `pages` are of form fields: a person sees their sentence, no client their word.
    codes = _words(r"""\bcode(?:: str)? ?= ?["']([a-z_]+)["']""", skip=("pages",))
    documented = {code for code in _table(_doc("api.md")) if re.fullmatch(r"[a-z_]+", code)}
    assert "invalid_token" in codes
    assert documented == codes


def test_error_codes_have_the_documented_status() -> None:
    documented = _table(_doc("api.md"))
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.ApiError):
            assert documented[error.code].startswith(f"| `{error.code}` | {error.status} |"), error


def test_every_metric_is_documented() -> None:
    names = _words(r'"(ozone_[a-z_]+)"') - {"ozone_accounts"}  # the label of an app
    assert "ozone_requests_total" in names
    assert sorted(names - set(re.findall(r"`(ozone_[a-z_]+)", _doc("operations.md")))) == []


# --- the version ---


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "ozontelemetry.__version__"}
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == __version__
    assert [path for path, text in _sources().items() if f'"{__version__}"' in text] == [
        Path("ozontelemetry/__init__.py")
    ]


def test_the_changelog_has_the_version() -> None:
    """The newest closed one is what the code says it is."""
    headings = re.findall(
        r"^## (\S+)(?: – (\d{4}-\d\d-\d\d))?$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == __version__
    assert date.fromisoformat(headings[1][1])


# --- the README, and what every page refers to ---


@pytest.mark.parametrize("curl", CURLS)
def test_the_readme_has_the_seeds_curls(curl: str) -> None:
    assert curl in README.read_text(encoding="utf-8")


def test_the_readme_has_no_other_form_of_them() -> None:
    text = README.read_text(encoding="utf-8")
    for curl in CURLS:
        address = re.search(r"http\S+", curl)
        assert address
        assert text.count(f"{address[0]} ") + text.count(f"{address[0]}\n") == 1, address[0]


def _slug(heading: str) -> str:
    words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
    return words.strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        assert "://" not in target, f"{target}: a link out of the repository"
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert fragment in map(_slug, headings), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [name for code in re.findall(r"`([^`\n]+)`", text) for name in re.findall(r"(?<![\w./-])[\w./-]+", code)]
    files = [name for name in named if re.search(r"\w\.(py|md|toml|service|conf)$", name) and name[0] not in "/."]
    assert [name for name in files if not (ROOT / name).exists()] == []
