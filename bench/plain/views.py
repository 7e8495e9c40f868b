"""Ingest in three statements: look up, insert, update."""

import json

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from bench.plain.models import Device, DeviceTelemetry


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
