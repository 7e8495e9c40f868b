"""What is told of a failure in development."""

from typing import Any

from django.views.debug import SafeExceptionReporterFilter


class NoVariables(SafeExceptionReporterFilter):
    """A traceback without the variables of its frames: to write out those of a large request takes half a minute."""

    def get_traceback_frame_variables(self, request: Any, tb_frame: Any) -> Any:
        return ()
