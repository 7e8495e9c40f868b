"""Django finds this when it collects admin modules: its sign-in shares our count of failures."""

from django.contrib import admin

from ozone.accounts.forms import AdminSignInForm

admin.site.login_form = AdminSignInForm
