"""A real program evaluates a checkpoint of a real `file://` store."""

import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.api.spec.evaluation import ExternalSuite
from lccp.store import objects
from lccp.store.directory import upload_directory
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_evaluator import main
from lccp_evaluator.external.steps import expanded

KEYS = RunKeys("default", "tiny")
TOKENS = 10_000
MEASURE = """
import json, os, pathlib, sys
weights = pathlib.Path(os.environ["LCCP_CHECKPOINT"], "weights.bin").read_bytes()
signal = {"name": "bytes", "value": len(weights), "n": 1, "unit": sys.argv[1]}
pathlib.Path(os.environ["LCCP_SIGNALS"]).write_text(json.dumps({"signals": [signal]}))
"""


class World:
    def __init__(self, folder):
        self.folder, self.store = folder, FileStore(folder / "runs")
        model = folder / "model"
        model.mkdir()
        (model / "weights.bin").write_bytes(b"12345")
        writer = "a1-0123abcd"
        manifest = Manifest(
            kind="Checkpoint",
            tokens=TOKENS,
            step=2,
            writer=writer,
            files=upload_directory(self.store, model, KEYS.checkpoint(TOKENS, writer)),
            source_context_length=256,
            target_context_length=512,
        )
        objects.write(self.store, KEYS.checkpoint_manifest(TOKENS), manifest)

    def run(self, *steps, program=MEASURE, command=None, **environ):
        given = command or [sys.executable, "-c", program, "B"]
        suite = ExternalSuite.parse(
            {"name": "mine", "command": given, "signals": ["bytes"]}, "suite"
        )
        invocation = Invocation(
            namespace="default",
            name="tiny",
            store=StoreConfig(url=self.store.url),
            tokens=TOKENS,
            suite="mine",
            external=suite,
            base_directory=str(self.folder),
        )
        return main.run(invocation.to_environ() | environ, *steps)

    @property
    def report(self):
        return objects.read(self.store, KEYS.report(TOKENS, "mine"), EvaluationReport)

    @property
    def failure(self):
        return objects.read(self.store, KEYS.evaluation_failure(TOKENS, "mine"), EvaluationFailure)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_program_reads_the_checkpoint_and_its_signals_are_the_report(world):
    assert world.run() == ExitCode.OK

    (signal,) = world.report.signals()
    assert (signal.name, signal.value, signal.unit) == ("mine/bytes", 5, "B")


def test_the_steps_of_a_pod_do_the_same_one_after_another(world, tmp_path):
    folder, file = tmp_path / "scratch", tmp_path / "signals.json"
    own = {"LCCP_CHECKPOINT": str(folder), "LCCP_SIGNALS": str(file)}

    assert world.run("fetch", **own) == ExitCode.OK
    assert (folder / "weights.bin").read_bytes() == b"12345"
    file.write_text(json.dumps({"signals": [{"name": "bytes", "value": 5, "n": 1}]}))
    assert world.run("report", **own) == ExitCode.OK

    assert world.report.signal("mine/bytes").value == 5


def test_a_report_that_is_there_is_left_alone(world):
    world.run()
    before = world.store.stat(KEYS.report(TOKENS, "mine"))

    assert world.run(program="raise SystemExit(3)") == ExitCode.OK
    assert world.store.stat(KEYS.report(TOKENS, "mine")) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "code", "told"),
    [
        ("raise SystemExit(3)", ExitCode.INTERNAL, "suite mine: its program .* exit code 3"),
        ("pass", ExitCode.CONFIGURATION, "wrote no signals: it must write the file that LCCP_SIGN"),
        (MEASURE.replace('"bytes", "value"', '"b", "value"'), 64, "lacks the signal bytes"),
        (MEASURE.replace("len(weights)", "float('nan')"), 64, "contains NaN"),
    ],
    ids=["exit code", "nothing", "another signal", "NaN"],
)
def test_what_goes_wrong_is_a_failed_evaluation_in_one_sentence(world, program, code, told):
    assert world.run(program=program) == code

    failure = world.failure
    assert failure.cause is (Cause.INTERNAL if code == ExitCode.INTERNAL else Cause.CONFIGURATION)
    assert re.search(told, failure.message)
    assert world.store.stat(KEYS.report(TOKENS, "mine")) is None


def test_a_program_that_cannot_be_started_is_named(world):
    assert world.run(command=["no-such-program"]) == ExitCode.CONFIGURATION

    assert "its program 'no-such-program' can't be started: No such file" in world.failure.message


def test_a_step_that_does_not_exist_is_refused(world):
    assert world.run("fetch", "report") == ExitCode.CONFIGURATION

    assert world.failure.message == "lccp-evaluate: there is no step fetch report"


def test_variables_stand_for_themselves_as_in_a_containers_command():
    environ = {"LCCP_CHECKPOINT": "/c", "A": "1"}

    assert expanded("model=$(LCCP_CHECKPOINT),$(A)", environ) == "model=/c,1"
    assert expanded("$$(A) $(B) $A", environ) == "$(A) $(B) $A"


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_what_names_no_variable_stays(text):
    assert expanded(text, {"A": "1"}) == text
