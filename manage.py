#!/usr/bin/env python
"""Django's command line."""

import gc
import os
import sys

from ozontelemetry.server import end_at_once, keep_files_private


def main() -> None:
    keep_files_private()
    if sys.argv[1:2] == ["serve"]:
        end_at_once()
        gc.disable()  # until it has loaded, and checked, what stays
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
