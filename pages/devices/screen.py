"""One device, as its page shows it: what it is, what it says, what it needs from an operator."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.urls import reverse
from django.utils.html import format_html

from device_gateway.enrolment.services import HOLD, is_open
from device_gateway.models import Credential, Device
from device_gateway.registry.queries import find_device, visible_devices
from ozone.wire.conf import options
from ozone.wire.words import duration
from pages.devices import tables
from pages.kit.live import Screen, part, rows, screen
from pages.templatetags.facts import exact, local
from telemetry.machines.logs import last_events
from telemetry.models import QuarantinedEvent
from telemetry.presence import Presence, presence, silences
from telemetry.visible import visible_events

_QUIET: Final = timedelta(minutes=2)
_RELATED: Final = ("state", "status", "owner", "enrolment", "machine__outlet")


class Notice(NamedTuple):
    """What somebody should know or do. `level`: warning or error; `href`: where it is done, "" for nowhere."""

    level: str
    words: str
    href: str = ""
    button: str = ""


class Window(NamedTuple):
    """Whether, and until when, a handshake gets the device a token."""

    words: str
    until: datetime | None = None
    held_by: str = ""
    may_allow: bool = False


def device_screen(actor: Any, name: str, now: datetime) -> Screen:
    """The page of the device of that name. Raises NotFound unless the actor may see it; staff see archived ones too."""
    devices = visible_devices(actor, archived=actor.is_staff).select_related(*_RELATED)
    device = find_device(devices, name)
    key = device.credentials.filter(revoked_at=None).first()
    status = getattr(device, "status", None)
    machine = getattr(device, "machine", None)
    attempts = list(device.handshake_attempts.all())
    suspects = visible_events(actor).filter(device=device, clock_suspect=True).count()
    refused = device.quarantine.filter(state=QuarantinedEvent.State.OPEN).count()
    readings = tables.last_readings(device)
    events = last_events(actor, device, tables.EVENTS)
    may_write = actor.is_staff and device.archived_at is None
    common = {"device": device, "machine": machine, "may_write": may_write}
    presence_now = presence(device.state.last_poll, device.state.last_seen, now)
    notices = list(_notices(device, machine, suspects, refused, actor.is_staff))
    if attempts and not attempts[0].permitted and not _is_in_use(key, attempts[0].at):
        notices.append(_refused_handshake(device, may_write))
    return screen(
        parts=[
            part("head", "pages/devices/head.html", {**common, "presence": presence_now}),
            part("notices", "pages/devices/notices.html", {"notices": notices}),
            part("counters", "pages/devices/counters.html", {"status": status}),
            part(
                "status",
                "pages/devices/status.html",
                {
                    **common,
                    "presence": presence_now,
                    "why": _why(device, presence_now),
                    "status": status,
                    "suspects": suspects,
                    "sends_readings": bool(readings),
                },
            ),
            part("facts", "pages/devices/facts.html", {**common, "former": _former_names(device)}),
            part("charts", "pages/devices/charts.html", {"charts": tables.reading_charts(readings)}),
            part("key", "pages/devices/key.html", {**common, "key": key, "claim": tables.claim_of(key)}),
            part(
                "enrolment",
                "pages/devices/enrolment.html",
                {**common, "window": _window(device, key, now), "enrolment": getattr(device, "enrolment", None)},
            ),
            part("silence", "pages/devices/silence.html", {**common, "is_silent": not events and not readings}),
        ],
        lists={
            "refused": rows("pages/devices/refused_row.html", tables.refused(device, may_write=may_write)),
            "events": rows("pages/devices/event_row.html", ((event.pk, tables.event_row(event)) for event in events)),
            "readings": rows("pages/devices/reading_row.html", tables.reading_rows(readings)),
            "commands": rows("pages/devices/command_row.html", tables.commands(device, now)),
            "attempts": rows("pages/devices/attempt_row.html", tables.attempts(attempts)),
            "bindings": rows("pages/devices/binding_row.html", tables.bindings(device, machine, actor)),
        },
        title=str(device),
        device_id=device.device_id,
        may_write=may_write,
    )


def _why(device: Device, found: Presence) -> str:
    """Which silence makes it online, idle or offline."""
    state = device.state
    if state.last_poll is None and state.last_seen is None:
        return "It was never heard from."
    what = "poll" if state.last_poll else "message"
    online, idle = map(duration, (silence.total_seconds() for silence in silences()))
    if found == Presence.ONLINE:
        return f"Its last {what} is no older than {online}."
    words = f"Its last {what} is older than {online if found == Presence.IDLE else idle}."
    if state.last_poll and state.last_seen and state.last_seen > state.last_poll:
        words += " It has sent since then, but of a device that has polled only polls count."
    return words


def _notices(device: Device, machine: Any, suspects: int, refused: int, is_staff: bool) -> Iterator[Notice]:
    def to(name: str) -> str:
        return reverse(f"device-{name}", args=[device.device_id]) if is_staff else ""

    if device.archived_at is not None:
        archived = "Archived {}. It is in no list, and whatever it sends is refused."
        words: str = format_html(archived, local(device.archived_at))
        yield Notice("warning", words, to("restore"), "Restore")
        return
    if not device.assigned:
        words = "Not assigned: what it sends is refused."
        yield Notice("warning", words, to("assign"), "Assign to a machine")
    if refused:
        words = f"{refused} events were refused" if refused > 1 else "An event was refused"
        words += ", and may hold up all that the device has queued behind."
        yield Notice("error", words, "#refused", "Show")
    state = device.state
    if state.refused_at is not None:
        many = f"{state.refused_readings:,} times" if state.refused_readings > 1 else "once"
        why = (state.refused_code, state.refused_detail)
        words = format_html("Its readings were refused {}, last at {} ({}): {}", many, exact(state.refused_at), *why)
        yield Notice("warning", words)
    if state.reused_ids:
        reused = "It reuses its ids: {} readings came under an id that had named another one, last at {}."
        words = format_html(reused + " All are stored.", f"{state.reused_ids:,}", exact(state.reused_at))
        yield Notice("warning", words)
    if suspects:
        words = f"{suspects:,} events" if suspects > 1 else "An event"
        words += " came with a time that cannot be right."
        yield Notice("warning", words, to("redate"), "Give the time of arrival")


def _is_in_use(key: Credential | None, moment: datetime) -> bool:
    """Machines poll twice a minute, and a use is noted once a minute."""
    return key is not None and key.last_used_at is not None and key.last_used_at > moment - _QUIET


def _refused_handshake(device: Device, may_write: bool) -> Notice:
    words = "Its last handshake was refused, and its token is not in use."
    href = reverse("device-allow", args=[device.device_id]) if may_write else ""
    return Notice("warning", words, href, "Allow re-enrolment")


def _former_names(device: Device) -> list[str]:
    names = device.names.order_by("since", "pk").values_list("name", flat=True)
    return [name for name in names if name not in (device.device_id, device.mac)]


def _window(device: Device, key: Credential | None, now: datetime) -> Window:
    if key is not None and key.source == Credential.Source.CLAIM:
        return Window("Closed: its key came by a claim, and no handshake replaces it.")
    if options().HANDSHAKE_POLICY == "open":
        return Window("Open to everybody: HANDSHAKE_POLICY is “open”.")
    if not device.assigned:
        return Window("Open until it is assigned.")
    enrolment = getattr(device, "enrolment", None)
    if enrolment is None or not is_open(enrolment, key, now):
        return Window("Closed: a handshake needs the token in force.", may_allow=True)
    given = enrolment.issued_at is not None and enrolment.issued_at >= enrolment.opened_at
    held = given and abs(now - enrolment.issued_at) < HOLD
    return Window("Open", enrolment.open_until, enrolment.held_by if held else "", may_allow=True)
