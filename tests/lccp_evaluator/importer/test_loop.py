"""The importer ends with the budget, or on request; what it leaves out is reported."""

import shutil
import threading
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from foreign import a_foreign_checkpoint

from lccp.api.causes import Cause
from lccp.api.objects.journal import Control
from lccp.api.objects.training import End, Heartbeat
from lccp.contract.errors import InvalidInput, LccpError, StoreRefused, StoreUnavailable
from lccp.probes.probe import Contexts
from lccp.store import objects
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_evaluator.importer.copies import Copies
from lccp_evaluator.importer.loop import Importer
from lccp_evaluator.importer.pulse import BEAT_SECONDS, Pulse, Task
from lccp_evaluator.series.checkpoints import Completion
from lccp_evaluator.series.formats import HuggingFace
from lccp_evaluator.series.tokens import TokenCounts
from lccp_evaluator.series.watch import Watch

KEYS, WRITER = RunKeys("default", "attached"), "a1-00000000"


class Ended(threading.Event):
    """SIGTERM after a number of waits; at each wait, the next of `happens` is called."""

    def __init__(self, *happens) -> None:
        super().__init__()
        self._happens = iter(happens)

    def wait(self, timeout: float | None = None) -> bool:
        following = next(self._happens, self.set)
        following()
        return self.is_set()


class World:
    def __init__(self, root: Path, until: int = 50) -> None:
        self.folder, self.store, self.until = root / "checkpoints", FileStore(root / "store"), until
        (root / "store").mkdir()

    def write(self, step: int, value: int = 0) -> Path:
        return a_foreign_checkpoint(self.folder / f"checkpoint-{step}", value, state=step)

    def run(
        self, *happens, store: FileStore | None = None, copies=Copies, counts=None, format=None
    ) -> End:
        store, ended = store or self.store, Ended(*happens)
        task = Task(store, KEYS, 1, WRITER, self.until)
        self.pulse = Pulse(task, ended, count(step=BEAT_SECONDS).__next__)
        tick = {"tick": self.pulse.tick}
        made = copies(store, KEYS, WRITER, Contexts(256, 512, 512), **tick)
        counts = counts or TokenCounts(per_step=10)
        format = format or HuggingFace()
        watch = Watch(self.folder, made, lambda: counts, Completion(), format=format)
        clock = count(step=60.0).__next__
        self.ended = ended
        return Importer(task, watch, made, self.pulse, ended, clock=clock).run()

    @property
    def beat(self) -> Heartbeat:
        return objects.read(self.store, KEYS.heartbeat(WRITER), Heartbeat)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_it_ends_once_the_last_checkpoint_of_the_budget_is_copied(world: World) -> None:
    world.write(1)

    end = world.run(lambda: world.write(5), lambda: None)

    assert (end.result, end.tokens) == (Cause.COMPLETED, 50)
    assert world.beat.checkpoints == (10, 50)
    assert world.beat.phase == "Importing"


def test_it_tells_which_checkpoint_it_copies_while_it_does(world: World) -> None:
    told = []

    class Listening(FileStore):
        def put(self, key: str, data: bytes) -> str:
            if key == KEYS.heartbeat(WRITER):
                told.append(Heartbeat.from_json(data, key).imports)
            return super().put(key, data)

    class Ticking(Copies):
        def evaluate(self, *args, **kwargs):
            world.pulse.tick()
            return super().evaluate(*args, **kwargs)

    world.write(5)
    world.run(store=Listening(world.folder.parent / "store"), copies=Ticking)

    assert "checkpoint-5" in told
    assert (told[0], told[-1]) == (None, None)


def test_a_late_checkpoint_is_copied_before_the_end(world: World) -> None:
    end = world.run(lambda: (world.write(5), world.write(2)))

    assert end.result is Cause.COMPLETED
    assert world.beat.checkpoints == (20, 50)


def test_it_drains_when_it_is_asked(world: World) -> None:
    world.write(1)
    drain = Control(request="Drain")

    end = world.run(lambda: objects.write(world.store, KEYS.control(1), drain), lambda: None)

    assert (end.result, end.tokens) == (Cause.DRAINED, 10)


def test_sigterm_ends_it_and_what_was_copied_stays(world: World) -> None:
    world.write(1)

    assert world.run(lambda: None).result is Cause.TERMINATED
    assert world.beat.checkpoints == (10,)


def test_sigterm_ends_a_copy_under_way_which_then_does_not_exist(world: World) -> None:
    class Told(FileStore):
        """SIGTERM comes with the first file."""

        def put_file(self, key: str, path: Path) -> str:
            world.ended.set()
            return super().put_file(key, path)

    world.write(1)

    assert world.run(store=Told(world.folder.parent / "store")).result is Cause.TERMINATED
    assert world.beat.checkpoints == ()
    assert not world.store.stat(KEYS.checkpoint_manifest(10))


def test_a_drain_ends_a_copy_under_way_and_the_next_attempt_begins_it_anew(world: World) -> None:
    class Told(FileStore):
        """A drain is asked for with the first file."""

        def put_file(self, key: str, path: Path) -> str:
            objects.write(world.store, KEYS.control(1), Control(request="Drain"))
            return super().put_file(key, path)

    world.write(5)

    end = world.run(store=Told(world.folder.parent / "store"))
    assert (end.result, end.tokens) == (Cause.DRAINED, 0)
    assert not world.store.stat(KEYS.checkpoint_manifest(50))

    world.store.delete(KEYS.control(1))
    assert world.run().result is Cause.COMPLETED


def test_a_drain_ends_the_rereading_of_copies(world: World) -> None:
    world.write(1)
    world.run()
    objects.write(world.store, KEYS.control(1), Control(request="Drain"))

    class Rereading(Copies):
        def report(self, checkpoint):
            found = super().report(checkpoint)
            raise AssertionError(f"{found} was reread to its end")

    end = world.run(copies=Rereading)
    assert (end.result, end.tokens) == (Cause.DRAINED, 10)


def test_a_rewritten_checkpoint_is_told_and_a_deleted_one_keeps_its_copy(world: World) -> None:
    world.write(1)
    world.write(2)

    world.run(
        lambda: world.write(1, value=9),
        lambda: shutil.rmtree(world.folder / "checkpoint-2"),
        lambda: None,
    )

    assert "checkpoint-1" in (world.beat.problem or "")
    assert "rewritten" in (world.beat.problem or "")
    assert world.beat.checkpoints == (10, 20)


def test_a_half_written_checkpoint_waits_and_is_no_problem(world: World) -> None:
    path = world.write(1)
    whole = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(whole[:-3])

    world.run(lambda: None)
    assert world.beat.checkpoints == ()
    assert world.beat.problem is None

    (path / "model.safetensors").write_bytes(whole)
    world.run(lambda: None)
    assert world.beat.checkpoints == (10,)


def test_a_folder_that_is_not_there_yet_is_waited_for(world: World) -> None:
    assert world.run(lambda: world.write(5)).result is Cause.COMPLETED


@pytest.mark.parametrize("error", [StoreUnavailable, StoreRefused])
def test_a_store_that_stays_away_ends_it_and_one_that_comes_back_does_not(
    world: World, error: type[LccpError]
) -> None:
    class Away(FileStore):
        calls = 0

        def list(self, prefix: str):
            self.calls += 1
            if self.calls <= self.until:
                raise error("does not answer")
            return super().list(prefix)

    world.write(5)
    away = Away(world.folder.parent / "store")
    away.until = 3
    assert world.run(*[lambda: None] * 9, store=away).result is Cause.COMPLETED

    gone = Away(world.folder.parent / "store")
    gone.until = 10_000
    with pytest.raises(error):
        world.run(*[lambda: None] * 9_000, store=gone)


def test_a_bucket_that_does_not_answer_is_told_at_once_from_its_first_listing_on(
    world: World,
) -> None:
    class Buckets(HuggingFace):
        answers = False

        def found(self, folder: Path) -> list[Path]:
            if not self.answers:
                raise StoreUnavailable("s3://trainers does not answer")
            return super().found(folder)

    bucket, told = Buckets(), []

    def after(answers: bool) -> None:
        told.append(world.beat.problem)
        bucket.answers = answers

    world.write(1)
    world.run(*(partial(after, answers) for answers in (True, False, True, True)), format=bucket)

    away = "s3://trainers does not answer"
    assert [away in (problem or "") for problem in told] == [True, False, True, False]
    assert world.beat.checkpoints == (10,)


@pytest.mark.parametrize("error", [StoreUnavailable, StoreRefused])
def test_a_store_that_fails_at_a_checkpoint_is_told_and_that_is_copied_once_it_answers(
    world: World, error: type[LccpError]
) -> None:
    class Unread(Copies):
        answers = False

        def evaluate(self, checkpoint, progress):
            if not Unread.answers:
                raise error("s3://trainers/checkpoint-1: 500")
            return super().evaluate(checkpoint, progress)

    def answer() -> None:
        assert world.beat.problem == "s3://trainers/checkpoint-1: 500"
        Unread.answers = True

    world.write(1)
    world.run(lambda: None, answer, lambda: None, copies=Unread)

    assert world.beat.problem is None
    assert world.beat.checkpoints == (10,)


def test_a_checkpoint_that_can_not_be_read_is_told_and_holds_up_no_other(world: World) -> None:
    class Unreadable(Copies):
        tries = 0

        def evaluate(self, checkpoint, progress):
            if checkpoint.tokens == 10:
                Unreadable.tries += 1
                raise InvalidInput(f"{checkpoint.path}/tokenizer.json: can't be read")
            return super().evaluate(checkpoint, progress)

    world.write(1)
    world.write(2)
    world.run(lambda: None, lambda: None, copies=Unreadable)

    assert Unreadable.tries == 1
    assert world.beat.checkpoints == (20,)
    assert "checkpoint-1: failed: " in (world.beat.problem or "")


def test_a_checkpoint_that_stays_incomplete_is_told_in_the_end(world: World) -> None:
    path = world.write(1)
    (path / "model.safetensors").write_bytes(b"cut")

    world.run(*[lambda: None] * 3)
    assert world.beat.problem is None
    world.run(*[lambda: None] * 30)
    assert "checkpoint-1: incomplete" in (world.beat.problem or "")


def test_a_folder_of_adapters_is_told_in_the_end(world: World) -> None:
    path = world.folder / "checkpoint-1"
    path.mkdir(parents=True)
    (path / "adapter_config.json").touch()

    world.run(*[lambda: None] * 30)
    assert "checkpoint-1: incomplete: " in (world.beat.problem or "")
    assert "but an adapter (adapter_config.json): merge it" in (world.beat.problem or "")


def test_what_the_index_does_not_name_yet_waits(world: World) -> None:
    world.write(5)
    alone = TokenCounts(index={"checkpoint-1": 10}, index_alone=True)

    world.run(lambda: world.write(1), lambda: None, counts=alone)

    assert world.beat.checkpoints == (10,)
    assert "checkpoint-5: left out" in (world.beat.problem or "")


def test_a_drain_leaves_what_is_complete_to_the_next_attempt(world: World) -> None:
    objects.write(world.store, KEYS.control(1), Control(request="Drain"))
    world.write(1)

    end = world.run()
    assert (end.result, end.tokens, world.beat.checkpoints) == (Cause.DRAINED, 0, ())
