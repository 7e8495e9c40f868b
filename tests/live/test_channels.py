"""The running server sends by itself: a code, a test message, also after it was killed; and it ends in order."""

from typing import Any

import pytest

from tests.support.server import END_SECONDS, fresh_database, live_server
from tests.support.sinks import HttpSink, http_sink, until
from tests.support.staff import Staff

pytestmark = [pytest.mark.real_server, pytest.mark.alike]


def told(sink: HttpSink, kind: str) -> Any:
    """The last message of that type, once it has come."""
    found: list[Any] = []

    def has_come() -> bool:
        found[:] = [told for post in sink.posts if (told := post.json()).get("type") == kind]
        return bool(found)

    until(has_come, 60)  # whoever was killed had it in hand: its lease has to lapse
    return found[-1]["data"]


def test_it_works() -> None:
    with (
        http_sink() as sink,
        fresh_database() as url,
        live_server(url, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8", ALERT_CHANNEL_KINDS="webhook,json") as server,
    ):
        staff = Staff(server.url)
        token = staff.sign_in()
        made = staff.call("POST", "/api/channels/", {"kind": "webhook", "target": sink.url("/ok")}, bearer=token)
        assert made.status == 201, made.body
        path = f"/api/channels/{made.json()['id']}/"
        proved = staff.call("POST", f"{path}verify/", {"code": told(sink, "channel.verify")["code"]}, bearer=token)
        assert (proved.status, proved.json()["state"]) == (200, "active")
        assert staff.call("POST", f"{path}test/", bearer=token).status == 202
        server.kill()
        server.start()
        assert told(sink, "channel.test")["channel_id"] == made.json()["id"]
        log = staff.call("GET", "/api/deliveries/", bearer=token).json()["results"]
        assert {row["type"] for row in log} == {"channel.test", "channel.verify"}
        assert staff.call("DELETE", path, bearer=token).status == 204
        # By a process that this server starts: apprise's JSON is a chat that comes to our own sink.
        chat = {"kind": "json", "target": f"json://127.0.0.1:{sink.port}/ok"}
        assert staff.call("POST", "/api/channels/", chat, bearer=token, timeout=60).status == 201
        until(lambda: "title" in sink.posts[-1].json(), 60)
        assert sink.posts[-1].json()["title"].startswith("Your code: ")
        assert server.stop() < END_SECONDS
