"""`lccp run` with the real engine; trainer and evaluator are stand-ins (tests/support)."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
RUN = Path("runs/default/tiny")


def finished(process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    output, errors = process.communicate(timeout=240)
    assert errors == ""
    return process.returncode, output.splitlines()


def last_screen(lines: list[str]) -> list[str]:
    return lines[len(lines) - lines[::-1].index("") :]


@pytest.mark.slow
def test_a_run_ends_with_report_and_verdict_and_says_so_again(
    start: Start, manifest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCCP_STAGES_BEFORE", "1")
    code, lines = finished(start("run", str(manifest())))
    assert code == 0
    assert lines[0] == "[2/4] training and measuring"
    stages = [line.partition(":")[0] for line in lines if line.startswith("[")][1:]
    assert stages == ["[2/4] training and measuring", "[3/4] verdict", "[4/4] report"]
    rows = [line for line in lines if re.match(r"\d\d:\d\d  checkpoint ", line)]
    assert [row.split()[2] for row in rows] == ["0:", "102", "205"]
    screen = last_screen(lines)
    assert len(screen) <= 12
    assert screen[0].startswith("Undetermined: ")
    assert "Trained 205 K of 205 K tokens." in screen
    assert f"Report: {RUN / 'report.html'}" in screen
    assert "Undetermined" in (RUN / "report.html").read_text()
    assert "\x1b" not in "".join(lines)

    code, again = finished(start("run", str(manifest())))
    assert code == 0
    assert last_screen(again) == screen
    assert [line for line in again if "measured before: 2 checkpoints" in line]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_measures_nothing_twice(
    start: Start, manifest: Callable[..., Path]
) -> None:
    path = str(manifest())
    process = start("run", path)
    assert process.stdout is not None
    before = []
    for line in process.stdout:
        before.append(line)
        if "  checkpoint 0:" in line:
            break
    process.send_signal(signal.SIGINT)
    code, lines = finished(process)
    assert code == 130
    assert "Interrupted: the same command goes on where it was." in lines
    assert lines[-1] == f"Next:   lccp run {path}"

    code, lines = finished(start("run", path))
    assert code == 0
    logs = sorted(log.name for log in (RUN / "logs").glob("eval-*"))
    evaluated = json.loads((RUN / "journal.json").read_bytes())["evaluations"]
    succeeded = [
        tokens for tokens, outcome in evaluated.items() if outcome["result"] == "Succeeded"
    ]
    assert len(succeeded) == 3
    assert sum("000000000000000" in log for log in logs) == 1
