"""`lccp run` with the real engine; stubs (tests/support) of trainer and evaluator."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import a_run
import pytest
from laptop import wait_for

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.status import LCCPRunStatus
from lccp.report.judged import verdict_of
from lccp.report.load import RunData
from lccp.report.summary import Summary
from lccp_cli.commands.run import closing_lines, exit_code
from lccp_operator.embedded import Outcome

Start = Callable[..., "subprocess.Popen[str]"]
RUN = Path("runs/default/tiny")
EVERY = 25 * a_run.STEP_TOKENS
SEVERAL = 25
"""Steps of a checkpoint, that leave time for a signal."""


def finished(process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    output, errors = process.communicate(timeout=240)
    assert errors == ""
    return process.returncode, output.splitlines()


def closing(lines: list[str]) -> list[str]:
    return lines[len(lines) - lines[::-1].index("") :]


@pytest.mark.long
def test_a_run_ends_with_report_and_verdict_and_says_so_again(
    start: Start, manifest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCCP_STAGES_BEFORE", "1")
    code, lines = finished(start("run", str(manifest())))
    assert code == 0
    assert lines[0] == "[2/4] training and evaluation"
    stages = [line.partition(":")[0] for line in lines if line.startswith("[")][1:]
    assert stages == ["[2/4] training and evaluation", "[3/4] verdict", "[4/4] report"]
    rows = [line for line in lines if re.match(r"\d\d:\d\d  checkpoint ", line)]
    assert [row.split()[2] for row in rows] == ["0:", "102", "205"]
    screen = closing(lines)
    assert len(screen) <= 12
    assert screen[0].startswith("Undetermined: ")
    assert "Trained 205 K of 205 K tokens." in screen
    assert f"Report: {RUN / 'report.html'}" in screen
    assert "Undetermined" in (RUN / "report.html").read_text()
    assert "\x1b" not in "".join(lines)

    code, again = finished(start("run", str(manifest())))
    assert code == 0
    assert closing(again) == screen
    assert [line for line in again if "2 checkpoints were evaluated earlier" in line]


@pytest.mark.long
@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_measures_nothing_twice(
    start: Start, manifest: Callable[..., Path]
) -> None:
    path = str(manifest())
    process = start("run", path, steps=SEVERAL)
    assert process.stdout is not None
    before = []
    for line in process.stdout:
        before.append(line)
        if "  checkpoint 0:" in line:
            break
    process.send_signal(signal.SIGINT)
    code, lines = finished(process)
    assert code == 130
    assert "Interrupted: run the same command again to resume." in lines
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


@pytest.mark.long
@pytest.mark.slow
def test_a_branch_is_trained_and_measured_once_though_it_was_interrupted(
    start: Start, manifest: Callable[..., Path]
) -> None:
    anneal = {"atTokens": [EVERY], "tokens": EVERY}
    path = str(manifest(checkpoints={"everyTokens": EVERY, "anneal": anneal}))
    process = start("run", path, steps=SEVERAL)
    wait_for(lambda: (RUN / "branches").exists() or process.poll() is not None, 150)
    process.send_signal(signal.SIGINT)
    assert finished(process)[0] == 130

    assert finished(start("run", path))[0] == 0

    assert (RUN / f"evaluations/{EVERY:015d}/anneal/report.json").exists()
    verdict = json.loads((RUN / "analysis/verdict.json").read_bytes())
    values = {one["tokens"]: one["values"] for one in verdict["checkpoints"]}
    assert [tokens for tokens in values if "anneal/niah_ppl" in values[tokens]] == [EVERY]
    journal = json.loads((RUN / "journal.json").read_bytes())
    branches = [attempt.get("branch") for attempt in journal["attempts"]]
    assert branches[0] is None
    assert set(branches[1:]) == {EVERY}
    assert len(list(RUN.glob("branches/*/checkpoints/*/manifest.json"))) == 1
    succeeded = [key for key, one in journal["evaluations"].items() if one["result"] == "Succeeded"]
    assert len(succeeded) == 4
    logs = sorted(log.name for log in (RUN / "logs").glob("*"))
    assert finished(start("run", path))[0] == 0
    assert sorted(log.name for log in (RUN / "logs").glob("*")) == logs


@pytest.mark.long
@pytest.mark.slow
def test_two_branches_follow_one_another_to_their_ends(
    start: Start, manifest: Callable[..., Path]
) -> None:
    points = [EVERY, EVERY + a_run.STEP_TOKENS]
    anneal = {"atTokens": points, "tokens": EVERY}
    path = str(manifest(checkpoints={"everyTokens": EVERY, "anneal": anneal}))

    code, *_ = finished(start("run", path))

    assert code == 0
    journal = json.loads((RUN / "journal.json").read_bytes())
    attempts = [(one.get("branch"), one["cause"]) for one in journal["attempts"]]
    assert attempts == [(at, "Completed") for at in (None, *points)]
    begun, ended = ([one[at] for one in journal["attempts"]] for at in ("startedAt", "endedAt"))
    assert ended[1] <= begun[2]
    for tokens in points:
        assert (RUN / f"evaluations/{tokens:015d}/anneal/report.json").exists()


def outcome(state: Any, reason: Reason, message: str, tmp_path: Any) -> Outcome:
    condition = Condition(
        type=ConditionType.FAILED if state == "Failed" else ConditionType.SUCCEEDED,
        status="True",
        reason=reason,
        message=message,
        last_transition_time=a_run.START + timedelta(minutes=3),
    )
    run = a_run.run().model_copy(update={"status": LCCPRunStatus(conditions=(condition,))})
    return Outcome(state, run, a_run.verdict(), tmp_path)


def test_the_closing_lines_are_at_most_twelve(tmp_path: Any) -> None:
    data = RunData(
        "default/tiny",
        a_run.reports(),
        a_run.verdict(),
        a_run.history(),
        a_run.heartbeat(),
        journal=a_run.journal(),
    )
    summary = Summary.of(data, verdict_of(data))
    ended = outcome("Succeeded", Reason.SATURATED, "stopped", tmp_path)
    page = tmp_path / "report.html"
    lines = list(closing_lines(ended, "lccp run run.yaml", summary, page))
    assert len(lines) <= 12
    assert lines[0] == (
        "Saturated since 1.43 M tokens: 410 K more tokens gain less than 3 % of NIAH-PPL."
    )
    assert lines[1].startswith("The NIAH score reached 0.99 at 512 K tokens; from there NIAH-PPL")
    assert lines[2] == "Trained 1.43 M of 3.28 M tokens; the stop saved 1.84 M tokens (56 %)."
    assert lines[3] == f"Report: {page}"
    assert lines[4].startswith("Next:   ")


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        ("Succeeded", Reason.COMPLETED, 0),
        ("Suspended", Reason.SUSPENDED_BY_USER, 0),
        ("Failed", Reason.RESTARTS_EXHAUSTED, 1),
        ("Failed", Reason.CONFIGURATION, 2),
        ("Interrupted", Reason.NOT_FINISHED, 130),
    ],
)
def test_the_exit_code_says_how_it_ended(
    state: str, reason: Reason, code: int, tmp_path: Any
) -> None:
    assert exit_code(outcome(state, reason, "", tmp_path)) == code


def test_a_failed_run_says_why_and_where_to_look(tmp_path: Any) -> None:
    failed = outcome("Failed", Reason.CONFIGURATION, "the model has no weights", tmp_path)
    lines = list(closing_lines(failed, "lccp run run.yaml", None, None))
    assert lines[0] == "Failed: the model has no weights."
    assert f"read the logs in {tmp_path / 'logs'}" in lines[1]
