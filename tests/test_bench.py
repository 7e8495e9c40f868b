"""Servers of the benchmarks that are not the product itself: they start."""

import os
import subprocess
import sys

import pytest

from tests.support.server import ROOT


@pytest.mark.sqlite_only
@pytest.mark.parametrize("module", ["bench.nosubmit", "bench.quiet"])
def test_it_can_be_served(module: str) -> None:
    code = f"from {module} import application; assert callable(application)"
    environment = {**os.environ, "DJANGO_DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
