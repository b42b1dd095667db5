import json
import shutil
from pathlib import Path

import pytest
import torch
from reports import a_report
from safetensors.torch import save_file

from lccp.api.causes import Cause
from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.contract.errors import Conflict, InvalidInput
from lccp_evaluator.progress import Done, Progress
from lccp_evaluator.series.checkpoints import CheckpointDirectory, Completion
from lccp_evaluator.series.conversion import Conversion
from lccp_evaluator.series.files import digest
from lccp_evaluator.series.formats import Foreign
from lccp_evaluator.series.tokens import TokenCounts
from lccp_evaluator.series.view import View
from lccp_evaluator.series.watch import Watch


class Reports:
    """In place of the evaluations: a report is of the contents of a directory's files."""

    def __init__(self) -> None:
        self.by_tokens: dict[int, EvaluationReport] = {}
        self.evaluated: list[str] = []
        self.during = lambda: None
        """What happens to the folder while a checkpoint is measured."""
        self.fault = ""
        self.left_out = ""

    def reports(self) -> list[EvaluationReport]:
        return [report for _, report in sorted(self.by_tokens.items())]

    def report(self, checkpoint: CheckpointDirectory) -> EvaluationReport | None:
        if self.left_out:
            raise InvalidInput(self.left_out)
        found = self.by_tokens.get(checkpoint.tokens)
        same = found is not None and found.checkpoint_digest == digest(checkpoint.path)
        return found if same else None

    def settled(self, tokens: int) -> bool:
        return False

    def evaluate(
        self, checkpoint: CheckpointDirectory, progress: Progress
    ) -> EvaluationReport | EvaluationFailure:
        self.evaluated.append(checkpoint.path.name)
        before = digest(checkpoint.path)
        progress(Done(0, 2, 0.0))
        self.during()
        progress(Done(2, 2, 1.0))
        if not checkpoint.path.exists() or digest(checkpoint.path) != before:
            raise Conflict("was changed")
        if self.fault:
            return EvaluationFailure(
                cause=Cause.INTERNAL, message=self.fault, exit_code=70, at="2026-11-28T00:00:00Z"
            )
        report = a_report(checkpoint.tokens, nll=0.5, checkpoint_digest=before)
        self.by_tokens[checkpoint.tokens] = report
        return report


class World:
    """A folder, a clock that advances only while waiting, and a watch over them."""

    def __init__(self, folder: Path, completion: Completion) -> None:
        self.folder, self.now, self.series = folder, 0.0, Reports()
        self.completion = completion
        self.counts = TokenCounts(per_step=10)
        self.views: list[View] = []
        self.restart()

    def restart(self) -> None:
        self.watch = Watch(
            self.folder, self.series, lambda: self.counts, self.completion, lambda: self.now
        )

    def write(self, step: int, value: float = 0.0, done: bool = True) -> Path:
        path = self.folder / f"checkpoint-{step}"
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.json").write_text("{}")
        save_file({"a": torch.full((9,), value)}, path / "model.safetensors")
        if done:
            (path / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        return path

    def notes(self) -> dict[str, str]:
        return {one.path.name: one.note for one in self.watch.look().unmeasured}

    def run(self, *happens, until: int = 10**9) -> None:
        """Runs until nothing more happens; at each wait, the next of `happens` is called."""
        ahead = iter(happens)

        def wait(seconds: float) -> None:
            self.now += seconds
            following = next(ahead, None)
            if following is None:
                raise KeyboardInterrupt
            following()

        with pytest.raises(KeyboardInterrupt):
            self.watch.run(self.views.append, until, sleep=wait)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "checkpoints", Completion())


def test_checkpoints_are_evaluated_as_they_come_also_late_ones(world: World) -> None:
    world.run(lambda: world.write(30), lambda: world.write(50), lambda: world.write(20))

    assert world.series.evaluated == ["checkpoint-30", "checkpoint-50", "checkpoint-20"]
    assert [report.tokens for report in world.views[-1].reports] == [200, 300, 500]
    assert world.views[-1].unmeasured == ()


def test_those_that_lie_there_are_evaluated_by_tokens(world: World) -> None:
    for step in (1000, 900, 20):
        world.write(step)
    world.run()

    assert world.series.evaluated == ["checkpoint-20", "checkpoint-900", "checkpoint-1000"]


def test_a_later_watch_goes_on_where_the_first_ended(world: World) -> None:
    world.write(10)
    world.run()
    world.write(20)
    world.restart()
    world.run()

    assert world.series.evaluated == ["checkpoint-10", "checkpoint-20"]


def test_a_folder_without_models_says_what_it_holds_instead(world: World) -> None:
    path = world.folder / "checkpoint-10"
    path.mkdir(parents=True)
    assert world.notes() == {}

    (path / "adapter_config.json").write_text("{}")
    told = "contains no config.json, but an adapter (adapter_config.json): merge it into the "
    assert told in world.notes()["checkpoint-10"]
    assert world.series.evaluated == []


def test_what_is_cut_short_is_not_complete(world: World) -> None:
    path = world.write(10)
    weights = path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    world.run(lambda: None)
    assert world.series.evaluated == []
    assert "is cut short" in world.notes()["checkpoint-10"]

    weights.write_bytes(whole)
    world.run()
    assert world.series.evaluated == ["checkpoint-10"]


def test_without_a_marker_it_has_to_be_quiet(world: World) -> None:
    path = world.write(10, done=False)
    assert world.notes() == {"checkpoint-10": "complete if nothing changes for 30 s"}
    world.now = 29.0
    (path / "config.json").write_text('{"a": 1}')
    assert world.notes() == {"checkpoint-10": "complete if nothing changes for 30 s"}
    world.now = 58.0
    assert world.notes() == {"checkpoint-10": "complete if nothing changes for 1 s"}
    world.now = 59.0
    assert world.notes() == {"checkpoint-10": "waiting for evaluation"}


def test_a_marker_of_ones_own_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, Completion(marker="DONE"))
    path = world.write(10)
    world.now = 1_000.0
    assert world.notes() == {"checkpoint-10": "incomplete: contains no DONE yet"}
    (path / "DONE").touch()
    assert world.notes() == {"checkpoint-10": "waiting for evaluation"}


def test_a_rewritten_checkpoint_is_evaluated_again(world: World) -> None:
    world.write(10)
    world.run(lambda: world.write(10, value=1.0))

    assert world.series.evaluated == ["checkpoint-10"] * 2
    assert world.series.by_tokens[100].checkpoint_digest == digest(world.folder / "checkpoint-10")


def test_one_that_changes_while_it_is_measured_is_measured_again(world: World) -> None:
    values = iter((1.0, 2.0))

    def rewrite() -> None:
        for value in values:
            world.write(10, value)
            return

    world.write(10)
    world.series.during = rewrite
    world.run()

    assert world.series.evaluated == ["checkpoint-10"] * 3
    assert world.views[-1].unmeasured == ()


def test_a_checkpoint_that_is_deleted_keeps_its_report(world: World) -> None:
    path = world.write(10)
    world.run(lambda: shutil.rmtree(path), lambda: None)

    assert [report.tokens for report in world.views[-1].reports] == [100]
    assert world.views[-1].unmeasured == ()


def test_one_that_is_deleted_before_or_while_it_is_evaluated_is_told(world: World) -> None:
    first, second = world.write(10), world.write(20)

    def delete() -> None:
        for path in (first, second):
            shutil.rmtree(path, ignore_errors=True)

    world.series.during = delete
    world.run(lambda: None)

    assert world.series.evaluated == ["checkpoint-10"]
    assert world.notes() == dict.fromkeys(
        ("checkpoint-10", "checkpoint-20"), "was deleted before it was evaluated"
    )


def test_a_failure_is_told_and_tried_again_when_files_change(world: World) -> None:
    world.write(10)
    world.write(20)
    world.series.fault = "weights are not finite"
    world.run(lambda: None)
    assert world.series.evaluated == ["checkpoint-10", "checkpoint-20"]
    assert world.notes()["checkpoint-10"] == "failed: weights are not finite"

    world.series.fault = ""
    world.run(lambda: world.write(10, value=1.0))
    assert world.series.evaluated == ["checkpoint-10", "checkpoint-20", "checkpoint-10"]


def test_what_tells_no_tokens_or_those_of_another_is_left_out(world: World) -> None:
    world.counts = TokenCounts()
    world.write(10)
    assert "lack its tokens: give --tokens-per-step or --index" in world.notes()["checkpoint-10"]

    world.counts = TokenCounts({"checkpoint-10": 5, "checkpoint-20": 5})
    world.write(20)
    assert world.notes() == {
        "checkpoint-10": "waiting for evaluation",
        "checkpoint-20": "left out: has as many tokens as checkpoint-10",
    }


def test_it_ends_when_enough_tokens_are_evaluated(world: World) -> None:
    world.write(10)
    world.write(20)
    world.watch.run(world.views.append, until_tokens=200, sleep=lambda _: world.write(99))

    assert world.series.evaluated == ["checkpoint-10", "checkpoint-20"]


@pytest.mark.parametrize("fault", ["Failed", "LeftOut", "Deleted"])
def test_it_ends_when_the_checkpoint_of_enough_tokens_will_have_no_report(
    world: World, fault: str
) -> None:
    path = world.write(20)
    if fault == "Failed":
        world.series.fault = "weights are not finite"
    elif fault == "LeftOut":
        world.series.left_out = "holds the report of another model"
    else:
        world.series.during = lambda: shutil.rmtree(path, ignore_errors=True)
    waits = iter(range(3))
    world.watch.run(world.views.append, until_tokens=200, sleep=lambda _: next(waits))

    assert [one.state for one in world.views[-1].unmeasured] == [fault]


def test_what_cannot_be_read_for_a_moment_is_told_and_what_was_read_before_holds(
    world: World,
) -> None:
    world.write(10)
    world.write(20)

    def counts() -> TokenCounts:
        if world.series.evaluated:
            raise InvalidInput("index.yaml: line 3: is not YAML")
        return world.counts

    world.watch = Watch(world.folder, world.series, counts, world.completion, lambda: world.now)
    world.run(lambda: world.write(30))

    assert world.series.evaluated == ["checkpoint-10", "checkpoint-20", "checkpoint-30"]
    assert world.notes() == {"checkpoints": "index.yaml: line 3: is not YAML"}


def test_an_index_that_cannot_be_read_at_first_is_refused(world: World) -> None:
    def counts() -> TokenCounts:
        raise InvalidInput("index.yaml: line 3: is not YAML")

    with pytest.raises(InvalidInput, match="is not YAML"):
        Watch(world.folder, world.series, counts, world.completion).look()


def test_how_far_an_evaluation_is_is_shown(world: World) -> None:
    world.write(10)
    world.write(20)
    world.run()

    shown = [{o.path.name: o.note for o in view.unmeasured} for view in world.views]
    both = {
        "checkpoint-10": "evaluating: 2 of 2 samples",
        "checkpoint-20": "waiting for evaluation",
    }
    assert both in shown


class ForeignWorld(World):
    """A folder of checkpoints `step-N`, whose weights a command puts into a directory."""

    def __init__(self, folder: Path) -> None:
        self.converted = folder.parent / "converted"
        self.script = folder.parent / "convert.sh"
        self.script.write_text('cp "$1/weights" "$2/model.safetensors"; echo {} > "$2/config.json"')
        super().__init__(folder, Completion(marker="DONE"))

    def restart(self) -> None:
        command = f"sh -eu {self.script} {{input}} {{output}}"
        self.watch = Watch(
            self.folder,
            self.series,
            lambda: self.counts,
            self.completion,
            lambda: self.now,
            Foreign(Conversion(command, self.converted)),
        )

    def write(self, step: int, value: float = 0.0, done: bool = True) -> Path:
        path = self.folder / f"step-{step}"
        path.mkdir(parents=True, exist_ok=True)
        save_file({"a": torch.full((9,), value)}, path / "weights")
        if done:
            (path / "DONE").touch()
        return path

    def conversions(self) -> int:
        """Checkpoints shown as being converted."""
        states = [one.state for view in self.views for one in view.unmeasured]
        return states.count("Converting")


@pytest.fixture
def foreign(tmp_path: Path) -> ForeignWorld:
    return ForeignWorld(tmp_path / "foreign")


def test_another_format_is_converted_then_evaluated_and_not_again_by_a_later_watch(
    foreign: ForeignWorld,
) -> None:
    foreign.write(20, done=False)
    foreign.write(10)
    foreign.run()
    assert (foreign.conversions(), [*foreign.series.by_tokens]) == (1, [100])
    assert foreign.notes() == {"step-20": "incomplete: contains no DONE yet"}

    foreign.write(20)
    foreign.restart()
    foreign.run()
    assert (foreign.conversions(), [*foreign.series.by_tokens]) == (2, [100, 200])


def test_a_foreign_checkpoint_that_was_rewritten_is_converted_and_evaluated_again(
    foreign: ForeignWorld,
) -> None:
    foreign.write(10)
    foreign.run(lambda: foreign.write(10, value=1.0))
    assert foreign.series.evaluated == ["step-10"] * 2
    assert foreign.series.by_tokens[100].checkpoint_digest == digest(foreign.converted / "step-10")


def test_a_failed_conversion_is_told_and_tried_again_when_files_change(
    foreign: ForeignWorld,
) -> None:
    right = foreign.script.read_text()
    foreign.script.write_text("echo no such layer; exit 3")
    foreign.write(10)
    foreign.run(lambda: None)
    assert "ended with exit code 3: no such layer" in foreign.notes()["step-10"]

    foreign.script.write_text(right)
    foreign.run(lambda: foreign.write(10, value=1.0))
    assert foreign.series.evaluated == ["step-10"]
