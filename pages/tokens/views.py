"""Device Token Management: issue provisioning tokens, see what became of them, revoke them and devices' keys."""

from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from device_gateway.claims.queries import pending_tokens, recent_claims
from device_gateway.claims.services import Issued, issue_token, revoke_token
from device_gateway.keys.credentials import revoke_key
from device_gateway.models import Credential, ProvisioningToken
from device_gateway.registry.queries import find_device, visible_devices
from ozone.webapi.heavy import hashes_passwords
from ozone.wire.errors import ApiError, Conflict, NotFound
from pages.devices.tables import summary
from pages.kit.frame import refused, signed_in_page
from pages.kit.listing import Listing, Sort
from pages.kit.live import VERSION, Screen, live_page, part, rows, screen
from pages.kit.once import shows_once
from pages.kit.paths import address_of
from pages.people.forms import PasswordForm
from pages.tokens.forms import DevicePicker, TokenForm

FOLLOWS: Final = ("people", "tokens", "keys")
SORTS: Final = {"newest": Sort("Newest", F("revoked_at").desc(nulls_first=True), "-pk")}


class PendingRow(NamedTuple):
    pk: int
    device: str
    device_id: str
    prefix: str
    issuer: str
    created: datetime
    expires: datetime | None
    notes: str
    state: ProvisioningToken.State


class ClaimRow(NamedTuple):
    """`metadata` is the issuer's, `told` what the device told when it claimed, each in a line. `key`: its first
    letters, "" where the claim gave none that is left."""

    device_pk: int
    device: str
    device_id: str
    issuer: str
    claimed: datetime | None
    address: str
    notes: str
    metadata: str
    told: str
    state: ProvisioningToken.State
    key: str
    key_use: str


@signed_in_page
@sensitive_variables("issued")
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """A new token stands in the reply to the POST and nowhere else: in no URL, no session, no message. Its form sent
    once more within a minute gets the same reply."""
    follow = partial(live_page, request, "pages/tokens/tokens.html", FOLLOWS, lambda: _screen(request))
    if request.method != "POST" and VERSION in request.headers:
        return follow()  # the form is there already, and stays as it is
    picker = DevicePicker(request.user, request.GET.get("q", ""))
    form = TokenForm(request.user, picker, request.POST or None, {"device": request.GET.get("device")})
    issued: Issued | None = None
    if form.is_valid():
        try:
            issued = _issue(request, form)
        except ApiError as error:
            form.add_error(None, error.detail)
    elif form.names_no_device_of_theirs:
        raise NotFound("There is no such device.")
    shown = follow(
        form=TokenForm(request.user, picker) if issued else form,
        picker=picker,
        issued=issued,
        claim_url=address_of(request, "/api/devices/claim"),
    )
    return shows_once(shown) if issued else shown


def _screen(request: HttpRequest) -> Screen:
    now = timezone.now()
    # Its words are the device picker's, and narrow nothing here.
    listing: Listing[ProvisioningToken] = Listing(request.GET, SORTS, is_searched=False)
    pending = listing.cut(pending_tokens(request.user))
    claims = recent_claims(request.user)
    return screen(
        lists={
            "pending": rows("pages/tokens/pending_row.html", ((token.pk, _pending(token, now)) for token in pending)),
            "claims": rows("pages/tokens/claim_row.html", ((token.pk, _claimed(token, now)) for token in claims)),
        },
        parts=[part("pager", "pages/kit/pager.html", {"listing": listing, "anchor": "#pending"})],
    )


def _pending(token: ProvisioningToken, now: datetime) -> PendingRow:
    return PendingRow(
        token.pk,
        str(token.device),
        token.device.device_id or "",
        token.prefix,
        token.issuer_name,
        token.created_at,
        token.expires_at,
        token.notes,
        token.state_at(now),
    )


def _claimed(token: ProvisioningToken, now: datetime) -> ClaimRow:
    key = token.credential
    return ClaimRow(
        token.device_id,
        str(token.device),
        token.device.device_id or "",
        token.issuer_name,
        token.claimed_at,
        token.claimed_from,
        token.notes,
        summary(token.metadata),
        summary(token.device_metadata),
        token.state_at(now),
        str(key) if key else "",
        _use_of(key) if key else "",
    )


def _use_of(key: Credential) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "not used yet" if key.last_used_at is None else "in use"


def _issue(request: HttpRequest, form: TokenForm) -> Issued:
    data = form.cleaned_data
    return issue_token(
        device=data["device"],
        issuer=request.user,
        now=timezone.now(),
        lifetime_minutes=data["lifetime_minutes"],
        notes=data["notes"],
        encryption=data.get("encryption", ""),
    )


@signed_in_page
@require_POST
def revoke_pending(request: HttpRequest, number: int) -> HttpResponse:
    token = get_object_or_404(pending_tokens(request.user), pk=number)
    try:
        revoke_token(token=token, now=timezone.now())
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"The token {token} for {token.device} is revoked.")
    return redirect("device-tokens")


@hashes_passwords
@signed_in_page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_credential(request: HttpRequest) -> HttpResponse:
    """First which device (`?device=`), then the password of who asks."""
    name = request.GET.get("device", "")
    if not name:
        picker = DevicePicker(request.user, request.GET.get("q", ""))
        return render(request, "pages/tokens/revoke_key_choose.html", {"picker": picker})
    device = find_device(visible_devices(request.user), name)
    form = PasswordForm(request, request.POST or None)
    if form.is_valid():
        if revoke_key(device=device, now=timezone.now()):
            messages.success(request, f"The key of {device} is revoked. It needs a new token to come back.")
        else:
            messages.info(request, f"{device} had no key any more.")
        return redirect("device-tokens")
    key = device.credentials.filter(revoked_at=None).first()
    return refused(
        render(request, "pages/tokens/revoke_key.html", {"device": device, "key": key, "form": form}), form.refusal
    )
