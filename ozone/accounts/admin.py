"""Django finds this when it collects admin modules: its sign-in shares our count of failures, and the forms of people
and groups keep what others have changed meanwhile."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from ozone.accounts.edits import EditAdmin
from ozone.accounts.forms import AdminSignInForm

admin.site.login_form = AdminSignInForm

for model, usual in ((User, UserAdmin), (Group, GroupAdmin)):
    # A host project may have its own.
    if type(admin.site._registry.get(model)) is usual:
        admin.site.unregister(model)
        admin.site.register(model, type(usual.__name__, (EditAdmin, usual), {}))
