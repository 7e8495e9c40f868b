#!/usr/bin/env python
"""Django's command line."""

import gc
import os
import sys
from typing import Any

from ozontelemetry.server import end_at_once, keep_files_private


def main() -> None:
    keep_files_private()
    if sys.argv[1:2] == ["serve"]:
        end_at_once()
    gc.disable()  # all that is loaded stays: to look for garbage in it is a sixth of a start
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    from django.core.management import ManagementUtility

    class Utility(ManagementUtility):
        def fetch_command(self, subcommand: str) -> Any:
            command = super().fetch_command(subcommand)
            gc.freeze()
            if subcommand != "serve":  # which checks first, and so loads the rest
                gc.enable()
            return command

    Utility(sys.argv).execute()


if __name__ == "__main__":
    main()
