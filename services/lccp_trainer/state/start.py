"""Where an attempt begins: at its newest state, in a branch at the run's state, or afresh; and
whether its saves will have room."""

import logging
import shutil
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path

from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput, LccpError, StoreRefused
from lccp.cost.architecture import Architecture
from lccp.cost.scratch import GIBIBYTE, refusal, scratch_bytes
from lccp.store.keys import BranchKeys
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.model.source import read_config
from lccp_trainer.objectives.task import Task
from lccp_trainer.schedule import check_budget
from lccp_trainer.state.progress import Point
from lccp_trainer.state.publish import complete_tokens
from lccp_trainer.state.resume import GONE, Resume, Resumed
from lccp_trainer.state.saving import Saver

logger = logging.getLogger(__name__)

LOST_STATE = (
    "checkpoints.lostState: the run has trained {:,} tokens, but there is no state to resume from: "
    "restore the state, or set Restart to start over from the source model"
)
NO_TRUNK = (
    "checkpoints.anneal: {}: the state that this branch starts from is missing or damaged: "
    "restore it from a copy"
)


@dataclass(frozen=True)
class Start:
    """Sets the engine to the point where an attempt begins. Called on every rank alike."""

    task: Task
    saver: Saver
    resume: Resume
    reporter: Reporter | None
    """On rank 0."""
    known_state: int = 0
    """Tokens of the newest state that there was before; 0: none is known."""

    def __call__(self) -> Point:
        """The engine's point after that.

        Raises InvalidInput if a state that should exist is missing or damaged, StoreRefused if the
        newest one is gone.
        """
        point = self._resumed()
        if point is not None:
            return point
        keys = self.resume.keys
        return self._branched(keys) if isinstance(keys, BranchKeys) else self._fresh()

    def _resumed(self) -> Point | None:
        """Resume from the newest state that verifies; None if there is none."""
        saver, task = self.saver, self.task
        found, damaged = self.resume.newest(saver.states)
        self._check_newest_is_there(found)
        if found is None:
            self._check_nothing_is_lost(saver.checkpoints | damaged)
        saver.withdraw(damaged)
        if self.reporter:
            self.reporter.update(checkpoints=sorted(saver.checkpoints), states=sorted(saver.states))
        if found is None:
            return None
        check_budget(task.spec.trained, found.point.tokens, found.told.budget)
        point = self._reached(found)
        if found.told.with_checkpoint:
            saver.checkpoint(point, saver.measured(point))
        return point

    def _check_newest_is_there(self, found: Resumed | None) -> None:
        """A damaged one is passed over, one that is gone is not: the store's place may be wrong."""
        known, spec = self.known_state, self.task.spec
        if spec.checkpoints.lost_state == "Restart" or (found and found.point.tokens >= known):
            return
        store, below = self.resume.store, self.resume.keys.states
        newest = max(complete_tokens(store, below), default=0)
        if newest < known:
            raise StoreRefused(GONE.format(store.url, newest, known))

    def _check_nothing_is_lost(self, saved: Set[int]) -> None:
        newest, task = max(saved, default=0), self.task
        if newest and task.extendable and task.spec.checkpoints.lost_state == "Fail":
            raise InvalidInput(LOST_STATE.format(newest))

    def _branched(self, keys: BranchKeys) -> Point:
        """Resume from the run's state with which the branch begins."""
        found, _ = replace(self.resume, keys=keys.run).newest({keys.trunk_tokens})
        if found is None:
            raise InvalidInput(NO_TRUNK.format(keys.run.state_manifest(keys.trunk_tokens)))
        return self._reached(found)

    def _reached(self, found: Resumed) -> Point:
        position = self.task.stream.resumed(found.point.position)
        point = replace(found.point, position=position)
        logger.info("resumed from the state of %d tokens", point.tokens)
        if self.reporter:
            tokens, step = point.tokens, point.step
            self.reporter.update(resumed_from_tokens=tokens, tokens=tokens, step=step)
        return point

    def _fresh(self) -> Point:
        """Start afresh. The model before any training is checkpoint 0, if that is wanted."""
        point = Point(step=0, tokens=0, position=self.task.stream.start())
        if self.task.spec.evaluation.baseline:
            self.saver.checkpoint(point, self.saver.measured(point))
        return point


def check_room(spec: LCCPRunSpec, directory: Path, scratch: Path) -> None:
    """Raise unless a checkpoint and this node's part of a state fit where they wait for uploads.

    Called once the tokens are there. The size of a model of unknown family is not known.

    Args:
        directory: of the model.

    Raises:
        LccpError: they do not fit on the disk of `scratch`, which may have room again, or whose
            node may not be the next attempt's.
        InvalidInput: they do not fit, beside the tokens in `scratch`, within the limit of the pod.
    """
    try:
        parameters = Architecture.from_config(read_config(directory)).parameters
    except InvalidInput:
        return
    needed, free = scratch_bytes(parameters, spec), shutil.disk_usage(scratch).free
    if free < needed:
        raise LccpError(
            f"TMPDIR: {scratch.parent} has {free / GIBIBYTE:,.1f} GiB free, but a checkpoint and a "
            f"node's part of a state take {needed / GIBIBYTE:,.1f} GiB before they are uploaded: "
            "make room, or set it to a folder of a larger disk"
        )
    tokens = sum(file.stat().st_size for file in scratch.rglob("*.tokens"))
    if (told := refusal(parameters, spec, tokens)) is not None:
        raise InvalidInput(told)
