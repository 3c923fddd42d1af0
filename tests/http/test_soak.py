"""The soak of the streams (make soak-streams), for a few seconds."""

import pathlib
import subprocess
import sys

from conftest import BINARY, PATIENCE

SCRIPT = pathlib.Path(__file__).parents[1] / "soak" / "streams.py"


def test_many_streams_and_clients_for_a_while():
    result = subprocess.run(
        [sys.executable, SCRIPT, BINARY, "--seconds", "4", "--streams", "64", "--pollers", "50"],
        capture_output=True, text=True, timeout=120 * PATIENCE,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert "all is well" in result.stdout
