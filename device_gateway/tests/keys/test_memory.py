"""Who may enter, as remembered in memory: new keys work at once, revoked ones stop, and a 401 is always fresh."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from device_gateway import versions
from device_gateway.keys import memory
from device_gateway.keys.credentials import revoke_key
from device_gateway.keys.memory import keyring
from device_gateway.models import Credential, Device
from device_gateway.secret import hash_secret
from device_gateway.tests.conftest import CLAIM, INGEST, Meter, equip, eventually, provisioned, refusal
from device_gateway.versions import RegistryChange, RegistryVersion
from ozone.intake import Watcher
from tests.support.doors import Door

ANOTHER_PROCESS = """
import sys
import django
django.setup()
from django.db import connection
from django.utils import timezone
from device_gateway.models import Credential, Device
from device_gateway.keys.credentials import revoke_key, set_key
from device_gateway.registry.services import archive_device
for line in sys.stdin:
    exec(line)
    connection.close()
    print("done", flush=True)
"""

Elsewhere = Callable[[Device, str], None]


@pytest.fixture(scope="module")
def elsewhere(django_db_setup: None, django_db_blocker: Any) -> Iterator[Elsewhere]:
    """A process of the same installation that does what it is told, of a device, and is still there."""
    with django_db_blocker.unblock():
        database = connection.get_connection_params()
    if connection.vendor == "postgresql":
        url = "postgres://{user}@{host}:{port}/{dbname}".format(**database)
    else:
        url = f"sqlite:///{database['database']}"
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS],
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    told, said = process.stdin, process.stdout
    assert told is not None and said is not None

    def do(device: Device, act: str) -> None:
        told.write(f"device = Device.objects.get(pk={device.pk}); {act}\n")
        told.flush()
        assert said.readline() == "done\n"

    try:
        yield do
    finally:
        process.communicate(timeout=10)


class TestInThisProcess:
    """At once: the very next request."""

    def test_revoked_by_service(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        revoke_key(device=meter.device, now=timezone.now())
        assert refusal(meter.send(door)) == (401, "bad_credential")

    def test_revoked_by_orm_save(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        credential = Credential.objects.get()
        credential.revoked_at = timezone.now()
        credential.save()
        assert refusal(meter.send(door)) == (401, "bad_credential")

    @pytest.mark.parametrize(
        "delete", [lambda: Credential.objects.all().delete(), lambda: Credential.objects.get().delete()]
    )
    def test_deleted(self, door: Door, meter: Meter, delete: Callable[[], Any]) -> None:
        assert meter.send(door).status == 201
        delete()
        assert refusal(meter.send(door)) == (401, "bad_credential")

    def test_revoked_in_admin_by_a_new_token(self, door: Door, meter: Meter) -> None:
        root = User.objects.create_superuser("root")
        client = Client()
        client.force_login(root)
        assert meter.send(door).status == 201
        fields = {"name": "Meter", "device_id": meter.device.device_id, "assigned": "on", "token": "set-by-hand-0001"}
        path = f"/admin/device_gateway/device/{meter.device.pk}/change/"
        assert client.post(path, fields).status_code == 302
        assert refusal(meter.send(door)) == (401, "bad_credential")
        assert door.post(INGEST, {}, "set-by-hand-0001").status == 201

    def test_a_fresh_key_works_at_once(self, door: Door, device: Device) -> None:
        for number in range(5):
            assert equip(device, f"key-{number}").send(door).status == 201

    def test_a_device_that_is_gone(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        meter.device.delete()
        assert refusal(meter.send(door)) == (401, "bad_credential")

    def test_what_is_rolled_back_changed_nothing(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201

        @transaction.atomic
        def revoked_and_regretted() -> None:
            revoke_key(device=meter.device, now=timezone.now())
            raise LookupError

        with pytest.raises(LookupError):
            revoked_and_regretted()
        assert meter.send(door).status == 201


class TestWithinASecond:
    """What passes by the signals, or was done by another process."""

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        ("act", "refused"),
        [
            (lambda: Credential.objects.update(revoked_at=timezone.now()), (401, "bad_credential")),
            (lambda: Device.objects.update(assigned=False), (403, "not_assigned")),
            (lambda: Device.objects.update(archived_at=timezone.now()), (403, "device_archived")),
            (
                lambda: Device.objects.bulk_update([Device(pk=Device.objects.get().pk, assigned=False)], ["assigned"]),
                (403, "not_assigned"),
            ),
        ],
    )
    def test_by_query(self, door: Door, meter: Meter, act: Callable[[], Any], refused: tuple[int, str]) -> None:
        assert meter.send(door).status == 201
        act()
        assert eventually(lambda: meter.send(door).status != 201)
        assert refusal(meter.send(door)) == refused

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        ("act", "status"),
        [
            ("revoke_key(device=device, now=timezone.now())", 401),
            ("device.credentials.update(revoked_at=timezone.now())", 401),
            ("archive_device(device=device, now=timezone.now())", 403),
        ],
    )
    @pytest.mark.both_doors
    @pytest.mark.thorough
    def test_by_another_process(self, door: Door, meter: Meter, elsewhere: Elsewhere, act: str, status: int) -> None:
        assert meter.send(door).status == 201
        elsewhere(meter.device, act)
        assert eventually(lambda: meter.send(door).status == status)

    def test_a_key_made_by_another_process_works_at_once(self, door: Door, meter: Meter, elsewhere: Elsewhere) -> None:
        assert meter.send(door).status == 201
        act = "set_key(device=device, key='from-elsewhere', source='admin', now=timezone.now())"
        elsewhere(meter.device, act)
        assert door.post(INGEST, {}, "from-elsewhere").status == 201
        assert eventually(lambda: meter.send(door).status == 401)

    def test_a_restored_backup_has_an_older_version(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        with connection.cursor() as cursor:  # as if the file had been put in place of ours
            cursor.execute("UPDATE device_gateway_credential SET revoked_at = created_at")
            cursor.execute("UPDATE device_gateway_registryversion SET registry_version = 0")
        assert eventually(lambda: meter.send(door).status == 401)


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


class TestWhatIsLoaded:
    """The devices that changed; everything where nobody can tell which."""

    @pytest.fixture
    def reloads(self, monkeypatch: pytest.MonkeyPatch) -> list[None]:
        """One for each time everything was loaded, after the first."""
        keyring.find("warm up the watcher")
        found: list[None] = []
        reload = keyring.reload

        def noted() -> None:
            found.append(None)
            reload()

        monkeypatch.setattr(keyring, "reload", noted)
        return found

    def test_a_change_elsewhere_is_loaded_by_itself(
        self, door: Door, meter: Meter, other_meter: Meter, reloads: list[None], elsewhere: Elsewhere
    ) -> None:
        assert [each.send(door).status for each in (meter, other_meter)] == [201, 201]
        elsewhere(meter.device, "revoke_key(device=device, now=timezone.now())")
        assert eventually(lambda: meter.send(door).status == 401)
        assert other_meter.send(door).status == 201
        assert reloads == []

    @pytest.mark.parametrize(
        "lost",
        [
            "DELETE FROM device_gateway_registrychange",  # more than are kept
            "UPDATE device_gateway_registrychange SET version = 7",  # a failover has given its number out again
        ],
    )
    def test_a_change_whose_forerunner_is_gone(
        self, door: Door, meter: Meter, other_meter: Meter, reloads: list[None], lost: str
    ) -> None:
        assert [each.send(door).status for each in (meter, other_meter)] == [201, 201]
        _execute(lost, "UPDATE device_gateway_credential SET revoked_at = created_at")
        other_meter.device.save()
        assert eventually(lambda: meter.send(door).status == 401)
        assert reloads

    def test_old_changes_are_forgotten(self, door: Door, meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(versions, "KEPT", 20)
        for _ in range(50):
            meter.device.save()
        assert 20 <= RegistryChange.objects.count() <= 22
        assert meter.send(door).status == 201


def test_an_assignment_works_at_once(door: Door, meter: Meter) -> None:
    Device.objects.update(assigned=False)
    assert eventually(lambda: meter.send(door).status == 403)
    Device.objects.update(assigned=True)
    assert meter.send(door).status == 201


@pytest.mark.both_doors
class TestFailedLookUp:
    """503, never 401: a meter erases its key on a 401."""

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    def test_the_database_does_not_answer(
        self, door: Door, meter: Meter, error: type[Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken:
            closed = 0

            def cursor(self) -> Any:
                raise error("the database is away")

            def close(self) -> None:
                self.closed += 1

        broken = Broken()
        keyring.find("warm up the watcher")
        keyring.clear()
        with monkeypatch.context() as patch:
            patch.setattr(memory, "connection", broken)
            answer = meter.send(door)
            assert refusal(answer) == (503, "lookup_failed")
            assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert broken.closed  # the next one connects anew
        assert meter.send(door).status == 201

    def test_the_registry_cannot_be_watched(self, door: Door, meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
        assert meter.send(door).status == 201
        with monkeypatch.context() as patch:
            patch.setattr(Watcher, "is_blind", True)
            for key in (meter.key, "unknown"):
                answer = door.post(INGEST, {}, key)
                assert refusal(answer) == (503, "registry_unavailable")
                assert "retry-after" in answer.headers
        assert meter.send(door).status == 201


@pytest.mark.both_doors
class TestUnknownKeys:
    @pytest.fixture(autouse=True)
    def _three_a_minute(self, settings: Settings) -> None:
        settings.LIMIT_UNKNOWN_KEYS = "3/60"

    def test_they_are_limited_by_address(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        assert [door.post(INGEST, {}, f"unknown-{n}").status for n in range(3)] == [401] * 3
        answer = door.post(INGEST, {}, "unknown")
        assert refusal(answer) == (429, "too_many_requests")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert meter.send(door).status == 201  # who is known is not held up
        headers = {"Content-Type": "application/json", "Authorization": "Bearer unknown"}
        assert door.send("POST", INGEST, b"{}", headers, peer="203.0.113.77").status == 401

    def test_a_known_key_that_may_not_send_is_not_counted(self, door: Door, meter: Meter) -> None:
        meter.device.assigned = False
        meter.device.save()
        assert [meter.send(door).status for _ in range(6)] == [403] * 6

    def test_keys_that_are_there_are_not_counted(self, door: Door, write_path: None) -> None:
        meters = [equip(Device.objects.create()) for _ in range(6)]
        keyring.clear()
        assert [each.send(door).status for each in meters] == [201] * 6


class TestUse:
    def test_the_first_use_is_noted_with_its_reply(self, door: Door, meter: Meter) -> None:
        assert Credential.objects.get().last_used_at is None
        meter.send(door)
        assert Credential.objects.get().last_used_at is not None

    def test_a_use_that_found_the_queue_full_is_noted_next_time(
        self, door: Door, meter: Meter, settings: Settings
    ) -> None:
        settings.WRITE_QUEUE_BYTES = 100
        assert refusal(meter.send(door)) == (503, "queue_full")
        settings.WRITE_QUEUE_BYTES = 1_000_000
        assert meter.send(door).status == 201
        assert Credential.objects.get().last_used_at is not None

    def test_use_is_noted_once_a_minute(self, door: Door, meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
        meter.send(door)
        first = Credential.objects.get().last_used_at
        meter.send(door)
        assert Credential.objects.get().last_used_at == first
        monkeypatch.setattr(memory, "USE_NOTED_EVERY", 0.0)
        meter.send(door)
        assert Credential.objects.get().last_used_at > first  # type: ignore[operator]

    def test_another_address_is_noted_at_once(
        self, door: Door, meter: Meter, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever a stranger writes before it."""
        settings.TRUSTED_PROXIES = ["203.0.113.9"]
        monkeypatch.setattr(memory, "MOVE_NOTED_EVERY", 0.0)
        meter.send(door, X_Forwarded_For="192.0.2.1")
        first = Credential.objects.get()
        assert (first.address, first.address_since) == ("192.0.2.1", None)
        meter.send(door, X_Forwarded_For="198.51.100.7")
        moved = Credential.objects.get()
        assert (moved.address, moved.address_since) == ("198.51.100.7", moved.last_used_at)
        assert moved.last_used_at > first.last_used_at  # type: ignore[operator]
        meter.send(door, X_Forwarded_For="192.0.2.9, 198.51.100.7")
        assert Credential.objects.get().last_used_at == moved.last_used_at

    def test_noting_a_use_makes_nobody_load_the_registry_anew(self, door: Door, meter: Meter) -> None:
        before = RegistryVersion.objects.get().registry_version
        meter.send(door)
        assert RegistryVersion.objects.get().registry_version == before


@pytest.mark.both_doors
def test_a_failure_after_the_commit_takes_nothing_back(
    door: Door, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise RuntimeError

    token = provisioned(device)
    monkeypatch.setattr(keyring, "forget", fail)
    answer = door.post(CLAIM, {"token": token})
    assert answer.status == 201
    assert door.post(INGEST, {}, answer.json()["api_key"]).status == 201
    assert Credential.objects.count() == 1


def test_at_rest_only_the_hash_is_kept(door: Door, meter: Meter) -> None:
    meter.send(door)
    credential = Credential.objects.get()
    assert credential.hash == hash_secret(meter.key)
    assert meter.key not in str(Credential.objects.values().get())


def test_one_credential_is_in_force(door: Door, device: Device) -> None:
    first = equip(device, "first-key")
    second = equip(device, "second-key")
    assert first.send(door).status == 401
    assert second.send(door).status == 201
    assert Credential.objects.filter(revoked_at=None).count() == 1
    assert Credential.objects.count() == 2
