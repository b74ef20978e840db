"""What docs/deploying.md tells a pipeline to do, followed literally."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "deploying.md"
MAKE, CHECK = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
(LENIENT,) = re.findall(r"`(\|\| test .*?)`", PAGE.read_text("utf-8"))
SHOP = """\
from longterm import deflow, suspend


@deflow
def sell(cart):
    agreed = suspend("agreed")
    return agreed, cart
"""
START = "import longterm, shop; longterm.start_flow(shop.sell, 'the secret')"


@pytest.fixture
def shell(tmp_path):
    """Run a script as a pipeline does, in the folder of the shop."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    command = f"#!/bin/sh\nexec '{sys.executable}' -m longterm.cli \"$@\"\n"
    (bin_folder / "longterm").write_text(command)
    (bin_folder / "longterm").chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    for name in ("LONGTERM_APP", "LONGTERM_URL"):
        environment.pop(name, None)

    def run(script, **variables):
        done = subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=tmp_path,
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_pipeline_lets_through_what_goes_on_and_stops_what_does_not(shell, tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    (tmp_path / "shop.py").write_text(SHOP)
    shell(f'{sys.executable} -c "{START}"', LONGTERM_URL=url)
    assert shell(CHECK)[0] == 2
    assert shell(MAKE, SHOP_STORE=url) == (0, "")
    assert "secret" not in (tmp_path / "positions.json").read_text()
    (tmp_path / "runs.db").unlink()  # the pipeline has none

    (tmp_path / "shop.py").write_text(SHOP.replace("    agreed =", "    print\n    agreed ="))
    status, said = shell(CHECK)
    assert (status, "go on: the same rest" in said) == (0, True), said

    (tmp_path / "shop.py").write_text(SHOP.replace("agreed, cart", "cart, agreed"))
    status, said = shell(CHECK)
    assert (status, "STAY: shop:sell has changed" in said) == (1, True), said
    assert shell(f"{CHECK.rstrip()} {LENIENT}")[0] == 0

    (tmp_path / "shop.py").write_text("")
    status, said = shell(f"{CHECK.rstrip()} {LENIENT}")
    assert (status != 0, "no flows are known here" in said) == (True, True), said
