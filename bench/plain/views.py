"""Ingest in three statements: look up, insert, update. An event in five or so, as the seeds' server took it."""

import json

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from bench.plain.models import Device, DeviceStatus, DeviceTelemetry, TelemetryEvent


@csrf_exempt
def ingest(request: HttpRequest) -> JsonResponse:
    """Store one reading of the device whose key the request carries."""
    if request.method != "POST":
        return JsonResponse({"detail": "Use POST."}, status=405)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    device = Device.objects.filter(token=token).first() if scheme == "Bearer" else None
    if device is None:
        return JsonResponse({"detail": "Invalid API key."}, status=401)
    try:
        payload = json.loads(request.body)
    except ValueError:
        return JsonResponse({"detail": "Invalid JSON."}, status=400)
    DeviceTelemetry.objects.create(device=device, payload=payload)
    device.last_seen = timezone.now()
    device.last_payload = payload
    device.save(update_fields=["last_seen", "last_payload"])
    return JsonResponse({"status": "ok"}, status=201)


@csrf_exempt
def event(request: HttpRequest) -> JsonResponse:
    """Store one treatment, unless its event_id is known, and bring the device's status up to date."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    device = Device.objects.filter(token=token).first() if scheme == "Bearer" else None
    if device is None:
        return JsonResponse({"detail": "Invalid token."}, status=401)
    body = json.loads(request.body)
    now = timezone.now()
    _, is_new = TelemetryEvent.objects.get_or_create(
        event_id=body["event_id"],
        defaults={
            "device": device,
            "event": body["event"],
            "treatment": body["treatment"],
            "counter": body["counter"],
            "occurred_at": now,
            "payload": body,
        },
    )
    if is_new:
        status, _ = DeviceStatus.objects.get_or_create(device=device)
        setattr(status, f"current_count_{body['treatment'].lower()}", body["counter"])
        status.last_seen = now
        status.save()
        device.last_seen = now
        device.save(update_fields=["last_seen"])
    return JsonResponse({"ack": True, "event_id": body["event_id"]})
