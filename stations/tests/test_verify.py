"""`stations/verify`: the same checks, which one fails, what was signed; nothing applied."""

import hashlib
import time
from typing import Any

import pytest
from pytest_django import Settings

from stations.models import AppliedMessage, Station, SyncLog
from stations.tests.cast import SECRET, SETTINGS, VERIFY, Connector, compact, full, make_connector, signature

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]


@pytest.fixture(autouse=True)
def _stations_are_on(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)


@pytest.fixture
def connector() -> Connector:
    return Connector(make_connector())


def nothing_stored() -> bool:
    return not (Station.objects.exists() or AppliedMessage.objects.exists() or SyncLog.objects.exists())


def test_it_works(connector: Connector) -> None:
    body, now = compact(full()), int(time.time())
    reply = connector.send(body, path=VERIFY, at=now)
    assert reply.status_code == 200
    answer: dict[str, Any] = reply.json()
    assert now <= answer["data"]["signed"].pop("server_time") <= time.time()
    assert answer == {
        "success": True,
        "message": "Every check passes",
        "data": {
            "failed_step": None,
            "signed": {
                "body_bytes": len(body),
                "body_sha256": hashlib.sha256(body).hexdigest(),
                "timestamp": str(now),
                "matches_current": True,
                "matches_previous": None,
            },
        },
    }
    assert nothing_stored()


def test_a_wrong_signature(connector: Connector, settings: Settings) -> None:
    settings.IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS = "the secret before"
    reply = connector.send(full(), path=VERIFY, secret="another")
    answer = reply.json()
    assert (reply.status_code, answer["success"], answer["error"]) == (403, False, "INVALID_SIGNATURE")
    assert answer["data"]["failed_step"] == 5
    assert answer["data"]["signed"]["matches_current"] is False
    assert answer["data"]["signed"]["matches_previous"] is False
    assert nothing_stored()


def test_the_previous_secret(connector: Connector, settings: Settings) -> None:
    settings.IOT_SYSTEM_SIGNATURE_SECRET, settings.IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS = "the new one", SECRET
    answer = connector.send(full(), path=VERIFY).json()
    assert answer["success"] is True
    assert (answer["data"]["signed"]["matches_current"], answer["data"]["signed"]["matches_previous"]) == (False, True)


@pytest.mark.parametrize(
    ("step", "broken"),
    [
        (3, {"at": "soon"}),
        (4, {"at": "1000"}),
        (6, {"message": b"{}"}),
        (6, {"message": b'{"type": "x"}'}),
    ],
)
def test_which_step_fails(connector: Connector, step: int, broken: dict[str, Any]) -> None:
    answer = connector.send(**({"message": full()} | broken), path=VERIFY).json()
    assert answer["data"]["failed_step"] == step
    assert answer["data"]["signed"]["matches_current"] is True


def test_nothing_is_told_before_step_3(connector: Connector, settings: Settings) -> None:
    reply = connector.send(full(), path=VERIFY, headers={"Authorization": None})
    assert (reply.status_code, reply.json()["data"]) == (401, {"failed_step": 2})
    settings.IOT_SYSTEM_ALLOWED_IPS = ["192.0.2.1"]
    reply = connector.send(full(), path=VERIFY)
    assert (reply.status_code, reply.json()["data"]) == (403, {"failed_step": 1})


def test_the_expected_signature_is_not_told(connector: Connector) -> None:
    body, now = compact(full()), str(int(time.time()))
    reply = connector.send(body, path=VERIFY, headers={"X-Signature": "wrong", "X-Timestamp": now})
    assert signature(body, now) not in reply.content.decode()
    assert SECRET not in reply.content.decode()
