"""What is said: plain text for people, JSON for machines."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from alerts.carriers.letters import Part, Said, as_html, as_text
from alerts.carriers.outgoing import Outgoing
from alerts.channels.codes import code_of, stop_token
from alerts.channels.models import EMAIL, WEBHOOK, Channel
from alerts.deliveries.claiming import Claim
from alerts.deliveries.models import DAILY, STATEMENT, TEST, VERIFY, WEEKLY, Delivery
from alerts.deliveries.report_texts import report_text
from alerts.incidents.happening import ACKNOWLEDGED, ENDED, ESCALATED, OPENED, REMINDED
from ozone.wire import jsonio
from ozone.wire.conf import options
from ozone.wire.http import public_url
from ozone.wire.times import iso, parse_iso, people_zone
from ozone.wire.words import duration

SEVERAL: Final = "several"
"""The type of a webhook's message that tells of more than one happening."""
TOLD: Final = 20
"""Happenings that a text tells one by one."""
LONGEST_SUBJECT: Final = 150

DOUBT: Final = "(You may have had this message before.)"


def outgoing(claim: Claim, secret: bytes) -> Outgoing:
    """The message as it goes out; the same at every try."""
    channel, rows = claim.channel, claim.rows
    parts = [_part(channel, row) for row in rows[:TOLD]]
    subject = parts[0][0] if claim.number == 1 else _several(claim)
    stop_url = "" if rows[0].type == VERIFY else link(f"/channels/stop/{quote(stop_token(channel))}/")
    said = Said(
        heading=subject if claim.number > 1 else "",
        parts=parts,
        more=claim.number - len(parts) if claim.number > 1 else 0,
        foot=_foot(channel, rows[0].type, stop_url),
        doubt=DOUBT if any(row.maybe_twice for row in rows) else "",
    )
    return Outgoing(
        id=f"msg_{claim.message}",
        kind=channel.kind,
        target=channel.target,
        secret=secret,
        subject=" ".join(subject.split())[:LONGEST_SUBJECT],
        text=as_text(said),
        body=_body(claim) if channel.kind == WEBHOOK else b"",
        stop_url=stop_url if channel.kind == EMAIL else "",
        html=as_html(said, link("/")) if channel.kind == EMAIL else "",
    )


def link(path: str) -> str:
    """An address of our pages; "" where PUBLIC_URL is not set."""
    return public_url(path) if options().PUBLIC_URL else ""


def _several(claim: Claim) -> str:
    kinds = Counter(_WORDS.get(row.type, row.type) for row in claim.rows)
    noun = "alerts" if all(row.incident_id for row in claim.rows) else "messages"
    if claim.number > len(claim.rows):
        return f"{claim.number:,} {noun}"
    return f"{claim.number:,} {noun}: " + ", ".join(f"{number} {word}" for word, number in kinds.most_common())


_WORDS: Final = {
    OPENED: "new",
    ENDED: "over",
    ESCALATED: "not acknowledged",
    ACKNOWLEDGED: "acknowledged",
    REMINDED: "still open",
    DAILY: "daily report",
    WEEKLY: "weekly report",
    STATEMENT: "closed",
    TEST: "test",
}


def _foot(channel: Channel, kind: str, stop_url: str) -> list[str]:
    lines = [f"To {channel.person.get_username()}, by the channel “{channel}” of Ozone Telemetry."]
    if kind == VERIFY:
        return ["Somebody with an account of Ozone Telemetry asked for this. If that was not you, do nothing."]
    return [*lines, f"Stop these messages: {stop_url}"] if stop_url else lines


def _part(channel: Channel, row: Delivery) -> Part:
    return _PARTS.get(row.type, _incident)(channel, row)


def _incident(channel: Channel, row: Delivery) -> Part:
    """What happened, since when, what is usual, what to do, the link."""
    told = row.data
    prefix = {ENDED: "Over", REMINDED: "Still open", ESCALATED: "Not acknowledged", ACKNOWLEDGED: "Acknowledged"}
    title = f"{prefix[row.type]}: {told['title']}" if row.type in prefix else str(told["title"])
    lines = _over(told, row.at) if row.type == ENDED else _open(told, row.at)
    if row.type == ACKNOWLEDGED:
        lines.append(f"Acknowledged by {told.get('acknowledged_by') or 'somebody'}. {told.get('note') or ''}".strip())
    address = link(f"/incidents/{told['id']}/")
    return title, [line for line in (*lines, address) if line]


def _open(told: Mapping[str, Any], at: datetime) -> list[str]:
    since = parse_iso(told["since"]) or at
    cause = told.get("cause")
    return [
        str(told.get("sentence") or ""),
        f"Since {local(since)}.",
        f"Likeliest cause: {cause}" if cause else "",
        f"What to do: {told['advice']}" if told.get("advice") else "",
    ]


def _over(told: Mapping[str, Any], at: datetime) -> list[str]:
    since, ended = parse_iso(told["since"]) or at, parse_iso(told.get("ended_at") or "") or at
    return [f"From {local(since)} until {local(ended)}: {duration(max((ended - since).total_seconds(), 0))}."]


def local(moment: datetime) -> str:
    """A time by the clock of the pages, with its zone."""
    return f"{moment.astimezone(people_zone()):%Y-%m-%d %H:%M} ({people_zone().key})"


def _verify(channel: Channel, row: Delivery) -> Part:
    where = link("/channels/")
    lines = [f"Type it where you added the channel{f': {where}' if where else '.'}", "It is good for an hour."]
    return f"Your code: {code_of(channel)}", lines


def _test(channel: Channel, row: Delivery) -> Part:
    return "Test message", [f"The channel “{channel}” works. This was asked for at {local(row.at)}."]


def _statement(channel: Channel, row: Delivery) -> Part:
    told = row.data
    lines = [f"{told['revenue']} {told['currency']}, by {told['closed_by'] or 'somebody'}, at {local(row.at)}."]
    lines.append(link(f"/statements/{told['outlet_id']}-{told['month']}/"))
    return f"Statement {told['number']} is closed: {told['outlet']}, {told['month']}", [line for line in lines if line]


def _report(channel: Channel, row: Delivery) -> Part:
    title, lines = report_text(row.data)
    return title, [*lines, *filter(None, [link("/")])]


_PARTS: Final[Mapping[str, Callable[[Channel, Delivery], Part]]] = {
    VERIFY: _verify,
    TEST: _test,
    DAILY: _report,
    WEEKLY: _report,
    STATEMENT: _statement,
}


def _body(claim: Claim) -> bytes:
    told = [{"type": row.type, "timestamp": iso(row.at), "data": _data(claim.channel, row)} for row in claim.rows]
    if claim.number == 1:
        return jsonio.encode(told[0])
    newest = max(row.at for row in claim.rows)
    return jsonio.encode(
        {"type": SEVERAL, "timestamp": iso(newest), "data": {"count": claim.number, "happenings": told}}
    )


def _data(channel: Channel, row: Delivery) -> dict[str, Any]:
    if row.type == VERIFY:
        return {**row.data, "code": code_of(channel)}
    return dict(row.data)
