"""What a device says next and what an answer means, without a network: `Device` and `AsyncDevice` carry it."""

import enum
import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from ozone_telemetry_client.queue import Kept, Queue, QueueFailed

REPEATABLE = frozenset({"GET_STATUS", "SYNC_TIME", "UPDATE_SETTINGS"})
LONGEST_WAIT = 300.0
BATCH = {"event": 500, "reading": 1000}
BATCH_BYTES = 200_000


class State(enum.Enum):
    OFFLINE = "offline"
    ENROLLING = "enrolling"
    WAITING_FOR_OPERATOR = "waiting for operator"
    ONLINE = "online"
    BLOCKED = "blocked"


class Command(NamedTuple):
    command_id: str
    command_type: str
    payload: dict[str, Any]


class Result(NamedTuple):
    success: bool
    message: str = ""
    data: Mapping[str, Any] = {}
    """Goes out as `response_data`."""


Handler = Callable[[Command], Result | bool | None]
"""What carries out a command; None and True are a success, an exception a failure with its text."""


@dataclass(frozen=True)
class Settings:
    """`mac` for an Ozone machine, `claim_token` for a meter that has no key yet."""

    mac: str | None = None
    claim_token: str | None = None
    firmware: str = ""
    poll_seconds: float = 30.0
    held_poll_seconds: int = 0
    """A poll is held up to so long (≤ 30) and answered at once when a command comes; 0: polls are answered at once."""
    hello_seconds: float = 30.0
    """Between two handshakes while it waits to be assigned."""
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    """By command type."""


class Request(NamedTuple):
    job: str
    method: str
    path: str
    body: Any
    token: str | None
    timeout: float
    about: Any = None


class Answer(NamedTuple):
    """`status` 0: there was none."""

    status: int
    body: Any
    retry_after: float = 0.0


class Conversation:
    """One device's. `next_request()` and `answered()` by turns; `due_in()` says how long there is nothing to do."""

    def __init__(self, queue: Queue, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        if settings.mac is None and settings.claim_token is None and queue.fact("token") is None:
            raise ValueError("a machine has a mac, a meter a claim_token or a key in its queue")
        if settings.mac is not None and settings.claim_token is not None:
            raise ValueError("a machine's mac or a meter's claim_token, not both")
        self.queue = queue
        self.settings = settings
        self.state = State.OFFLINE
        self.why = "not connected yet"
        self._clock = clock
        self._due: dict[str, float] = {}
        self._fails: dict[str, int] = {}
        self._batch = dict(BATCH)
        self._token_is_bad = False
        self._unsaved: dict[str, Kept] = {}
        """What came of commands while the disk took nothing: told once it has."""
        for kept in queue.commands("begun"):
            queue.put_command(kept._replace(stage="done", success=False, message="interrupted"))

    @property
    def _is_machine(self) -> bool:
        return self.settings.mac is not None

    @property
    def device_id(self) -> str | None:
        return self.queue.fact("device_id")

    def press(self, treatment: str, counter: int, counters: Mapping[str, int] | None = None) -> str:
        """The press's event_id; it is on disk. QueueFull, QueueFailed, ValueError: it is not.

        `counters`: `{"basic", "standard", "premium"}`.
        """
        body: dict[str, Any] = {"event": "treatment", "treatment": treatment, "counter": counter}
        if treatment not in ("BASIC", "STANDARD", "PREMIUM") or not 0 <= counter < 2**31:
            raise ValueError("treatment is BASIC, STANDARD or PREMIUM, counter 0 to 2,147,483,647")
        if counters is not None:
            body["current_counters"] = dict(counters)
        return self.queue.append("event", body | _now("ts"))

    def reading(self, values: Mapping[str, Any]) -> str:
        """The reading's message_id; it is on disk."""
        return self.queue.append("reading", {**_now("timestamp"), **values})

    def due_in(self) -> float:
        """Seconds until there may be something to do."""
        now = self._clock()
        return max(0.0, min((self._due.get(job, 0.0) - now for job in self._wanted()), default=1.0))

    def next_request(self) -> Request | None:
        self._save()
        now = self._clock()
        for job in self._wanted():
            if self._due.get(job, 0.0) <= now:
                return self._request(job)
        return None

    def _wanted(self) -> list[str]:
        has_token = self.queue.fact("token") is not None
        if not has_token or self._token_is_bad or self.state is State.WAITING_FOR_OPERATOR:
            return ["hello"]
        wanted = []
        if self.queue.commands("done"):
            wanted.append("result")
        if len(self.queue):
            wanted.append("send")
        return [*wanted, "poll"] if self._is_machine else wanted

    def _request(self, job: str) -> Request | None:
        token = self.queue.fact("token")
        base = f"/api/device/{quote(self.device_id or '', safe='')}/commands/"
        match job:
            case "hello" if self._is_machine:
                hello = {"mac": self.settings.mac, "firmware": self.settings.firmware}
                return Request(job, "POST", "/api/handshake/", hello, token, 10.0)
            case "hello":
                return Request(job, "POST", "/api/devices/claim", {"token": self.settings.claim_token}, None, 10.0)
            case "result":
                kept = self.queue.commands("done")[0]
                body: dict[str, Any] = {"success": kept.success, "message": kept.message, "response_data": kept.data}
                return Request(job, "POST", f"{base}{quote(kept.command_id, safe='')}/", body, token, 10.0, kept)
            case "poll":
                held = self.settings.held_poll_seconds if self.state is State.ONLINE else 0
                query = {"wait": held, "queue_length": len(self.queue), "firmware": self.settings.firmware}
                return Request(job, "GET", f"{base}?{urlencode(query)}", None, token, 10.0 + held)
        records = self.queue.oldest(500)
        records = records[: self._batch[records[0].kind]]
        while len(records) > 1 and len(json.dumps([record.body for record in records])) > BATCH_BYTES:
            records = records[: len(records) // 2]
        path = "/api/device/events/" if records[0].kind == "event" else "/api/device-data/ingest"
        bodies = [record.body for record in records]
        return Request(job, "POST", path, bodies[0] if len(bodies) == 1 else bodies, token, 10.0, records)

    def answered(self, request: Request, answer: Answer) -> None:
        """What the server said to it; status 0 when nothing came."""
        code = answer.body.get("code", "") if isinstance(answer.body, dict) else ""
        job = request.job
        match answer.status:
            case 200 | 201 if job == "hello" and _is_welcome(answer.body, machine=self._is_machine):
                self._welcomed(answer.body)
            case 200 | 201 if job != "hello" and _is_ours(request, answer.body):
                self._taken(request, answer.body)
            case 200 | 201:
                self._later(job, answer, State.OFFLINE, "the server's answer makes no sense")
            case 401 if code == "not_assigned":
                self._turn(State.WAITING_FOR_OPERATOR, "waiting until it is assigned to a machine")
            case 401 if self._is_machine:
                if not self._token_is_bad:
                    self._token_is_bad = True
                    self._due["hello"] = 0.0
                self._turn(State.ENROLLING, "asks for a new token")
                self._later(job, answer)
            case 401:
                self._block(job, "the server does not know its key: claim it anew")
            case 403 if code == "not_assigned":
                self._later(job, answer, State.WAITING_FOR_OPERATOR, "waiting until it is assigned")
                self.state = State.WAITING_FOR_OPERATOR if self._is_machine else State.BLOCKED
            case 403 if code == "reenrolment_required":
                self._block(job, "known by its MAC, its token is not: press Allow re-enrolment on its page")
            case 403 if code == "device_archived":
                self._block(job, "archived by an operator: restore it there")
            case 400 if job == "hello":
                self._block(job, _detail(answer) or "refused")
            case 400 | 413 | 415 if job == "send":
                self._refused(request.about, answer)
            case 400 | 404 | 409 | 413 if job == "result":
                self.queue.put_command(request.about._replace(stage="told"))
            case 0:
                self._later(job, answer, State.OFFLINE, "no answer")
            case status:
                self._later(job, answer, State.OFFLINE, f"the server answers with {status}")

    def failed(self, request: Request, problem: QueueFailed) -> None:
        """Its answer could not be written down: it is asked again, later."""
        self._later(request.job, Answer(0, None), why=str(problem))

    def _welcomed(self, body: dict[str, Any]) -> None:
        token = body["token" if self._is_machine else "api_key"]
        self.queue.put_facts(token=token, device_id=str(body.get("device_id", "")))
        self._token_is_bad = False
        self._fine("hello", self.settings.hello_seconds)
        if not self._is_machine or body.get("assigned"):
            self._turn(State.ONLINE, "online")
        else:
            self._turn(State.WAITING_FOR_OPERATOR, "waiting until it is assigned to a machine")

    def _taken(self, request: Request, body: dict[str, Any]) -> None:
        self._turn(State.ONLINE, "online")
        if request.job == "result":
            self.queue.put_command(request.about._replace(stage="told"))
        elif request.job == "poll":
            for told in body["commands"]:
                match told:
                    case {"command_id": str(identifier), "command_type": str(command_type)}:
                        payload = told.get("payload")
                        payload = payload if isinstance(payload, dict) else {}
                        self._carry_out(Command(identifier, command_type, payload))
            self._fine("poll", 0.0 if self.settings.held_poll_seconds else self.settings.poll_seconds)
            return
        else:
            results = [] if body.get("ack") is True else body.get("results", [])
            refused = {item["event_id"]: str(item.get("detail", "")) for item in results if item.get("ack") is not True}
            for record in request.about:
                if record.body.get("event_id") in refused:
                    self.queue.set_aside(record, refused[record.body["event_id"]])
            self.queue.stored(request.about)
            self._batch = dict(BATCH)
            if body.get("commands"):
                self._due["poll"] = 0.0
        self._fine(request.job, 0.0)

    def _refused(self, records: list[Any], answer: Answer) -> None:
        if len(records) > 1:  # which of them?
            self._batch[records[0].kind] = len(records) // 2 if answer.status == 413 else 1
        else:
            self.queue.set_aside(records[0], _detail(answer))
        self._fine("send", 0.0)

    def _carry_out(self, command: Command) -> None:
        """At most once, where the type may not be repeated: what was begun stands on disk first."""
        known = self._unsaved.get(command.command_id) or self.queue.command(command.command_id)
        if known is not None and not (command.command_type in REPEATABLE and known.stage == "told"):
            if known.stage == "told":
                self.queue.put_command(known._replace(stage="done"))
            return
        kept = Kept(command.command_id, "begun", False, "", {})
        try:
            self.queue.put_command(kept)
        except QueueFailed as problem:
            self._unsaved[command.command_id] = kept._replace(stage="done", message=f"not carried out: {problem}")
            return
        try:
            result = self._do(command)
            json.dumps(dict(result.data), allow_nan=False)
        except Exception as problem:
            result = Result(False, f"{type(problem).__name__}: {problem}"[:500])
        done = Kept(command.command_id, "done", result.success, result.message, dict(result.data))
        self._unsaved[command.command_id] = done
        self._save()

    def _save(self) -> None:
        with suppress(QueueFailed):
            for identifier, kept in list(self._unsaved.items()):
                self.queue.put_command(kept)
                del self._unsaved[identifier]

    def _do(self, command: Command) -> Result:
        handler = self.settings.handlers.get(command.command_type)
        if handler is not None:
            said = handler(command)
            return said if isinstance(said, Result) else Result(said is not False)
        match command.command_type:
            case "CLEAR_QUEUE":
                self.queue.clear()
                return Result(True, "queue cleared")
            case "CLEAR_MEMORY":
                self.queue.put_facts(token=None)
                return Result(True, "token forgotten")
            case "GET_STATUS" | "SYNC_TIME":
                return Result(True, data={"queue_length": len(self.queue), "refused": self.queue.refused})
        return Result(False, "unknown command")

    def _turn(self, state: State, why: str) -> None:
        self.state, self.why = state, why

    def _fine(self, job: str, wait: float) -> None:
        self._fails[job] = 0
        self._due[job] = self._clock() + wait

    def _block(self, job: str, why: str) -> None:
        self._turn(State.BLOCKED, why)
        self._due[job] = self._clock() + LONGEST_WAIT

    def _later(self, job: str, answer: Answer, state: State | None = None, why: str = "") -> None:
        """2 s doubling to 300 s, ± 20 %, never sooner than the server asked for."""
        fails = self._fails.get(job, 0)
        self._fails[job] = fails + 1
        wait = min(2.0 * 2**fails, LONGEST_WAIT) * random.uniform(0.8, 1.2)
        self._due[job] = self._clock() + max(wait, answer.retry_after)
        if why:
            self._turn(state or self.state, why)


def _is_welcome(body: Any, *, machine: bool) -> bool:
    if not isinstance(body, dict):
        return False
    words = (body.get("token"), body.get("device_id")) if machine else (body.get("api_key"),)
    return all(isinstance(word, str) and word and word.isascii() and word.isprintable() for word in words)


def _is_ours(request: Request, body: Any) -> bool:
    """Whether a 2xx has this server's words in it: a hotel's login page says 200 to whatever it is sent."""
    if not isinstance(body, dict):
        return False
    match request.job:
        case "poll":
            return isinstance(body.get("commands"), list)
        case "send" if request.about[0].kind == "event":
            results = body.get("results")
            answered = results if isinstance(results, list) else []
            of_one = [item for item in answered if isinstance(item, dict) and isinstance(item.get("ack"), bool)]
            ids = [item.get("event_id") for item in of_one]
            return body.get("ack") is True or ids == [record.body["event_id"] for record in request.about]
    return "status" in body


def _detail(answer: Answer) -> str:
    return str(answer.body.get("detail", "")) if isinstance(answer.body, dict) else ""


def _now(name: str) -> dict[str, str]:
    """Left out while the clock is unset."""
    now = datetime.now(UTC)
    return {name: now.isoformat(timespec="milliseconds").replace("+00:00", "Z")} if now.year >= 2020 else {}
