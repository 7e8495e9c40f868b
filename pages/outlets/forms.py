"""The form of outlets. It holds to the bounds that the API's serializer has."""

from typing import Any

from django import forms

from ozone.webapi.names import NameField
from pages.kit.actions import Edit
from pages.kit.filters import Chosen, Filters, search
from pages.machines.forms import in_use
from telemetry.machines.serializers import BIGGEST
from telemetry.models import Outlet
from telemetry.opening import LONGEST, check_opening_hours


class NewOutletForm(forms.Form):
    name = NameField(max_length=200)
    region = forms.CharField(max_length=200, required=False)
    address = forms.CharField(max_length=500, required=False)
    contact_person = forms.CharField(label="Contact", max_length=200, required=False)
    opening_hours = forms.CharField(
        max_length=LONGEST,
        required=False,
        validators=[check_opening_hours],
        help_text="As Mo-Fr 07:00-22:00; Sa,Su 08:00-20:00. Empty: always open.",
    )
    is_active = in_use()
    number_of_machines = forms.IntegerField(
        label="Machines by the owner’s count", required=False, min_value=0, max_value=BIGGEST
    )
    total_sva = forms.IntegerField(label="Service advisors", required=False, min_value=0, max_value=BIGGEST)
    average_intage_services = forms.FloatField(label="Average intake of services", required=False)


class OutletForm(Edit, NewOutletForm):
    """An outlet's own fields."""

    @staticmethod
    def stored(outlet: Outlet) -> dict[str, Any]:
        return {name: getattr(outlet, name) for name in NewOutletForm.base_fields}


class OutletFilters(Filters):
    q = search("Name, region, address, contact")
    active = Chosen([("yes", "In use"), ("no", "Not in use")], label="State")
