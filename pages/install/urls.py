from django.urls import re_path

from pages.install import views
from pages.kit.paths import NUMBER

urlpatterns = [
    re_path(r"^install/?$", views.install, name="install"),
    re_path(rf"^machines/{NUMBER}/install/?$", views.board, name="machine-install"),
    re_path(rf"^machines/{NUMBER}/install/undo/?$", views.undo, name="machine-install-undo"),
    re_path(rf"^machines/{NUMBER}/install/boards/(?P<name>[^/]+)/?$", views.put_in, name="machine-install-board"),
]
