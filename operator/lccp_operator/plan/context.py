"""The input of the policies: the observations, and the journal as decided so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from lccp.api.identity import (
    Difference,
    changed_settings,
    identity_differences,
    settings_digest,
)
from lccp.api.labels import ANNEAL, evaluation_key
from lccp.api.objects.journal import (
    Acceptance,
    AttemptRecord,
    EvaluationOutcome,
    Journal,
    Pinned,
    SeenSpec,
)
from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.errors import InvalidInput
from lccp.facts.facts import EvaluationKey
from lccp_operator.facts import Facts
from lccp_operator.judgement import Judgement
from lccp_operator.observed import Owner
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Trouble, WorkloadState
from lccp_operator.workloads.training import Training

DIFFERENCES_SHOWN = 3

SET_BACK = timedelta(minutes=1)
"""Two looks at one clock differ by less."""


@dataclass(frozen=True)
class Context:
    """A reconcile's observations, both parts known, and the journal, which policies may replace."""

    run: LCCPRun
    facts: Facts
    workloads: Mapping[Workload, WorkloadState]
    rejected: Mapping[Workload, Trouble]
    offered: Pinned
    owner: Owner
    now: datetime
    journal: Journal
    reevaluate: str | None = None
    """Value of the run object's annotation `lccp.io/reevaluate`."""
    model_config: Mapping[str, Any] | None = None
    """The source model's config.json; None where it can't be read."""
    by_command: bool = False
    """The run is carried out by a command on one machine."""
    state_boost: int | None = None
    """Points of priority for a gang whose newest state is old; None: states are not recorded."""
    namespace_terminating: bool = False
    """The run's namespace is being deleted: nothing can be created in it."""
    judgement: Judgement | None = None
    events_posted: bool = True

    def after(self, *policies: Callable[["Context"], Journal]) -> "Context":
        """The context with the journal after all policies, one after another."""
        context = self
        for policy in policies:
            context = replace(context, journal=policy(context))
        return context

    @property
    def apply_again(self) -> str:
        """What a user does to apply the run as a new object."""
        return (
            "run the same command again" if self.by_command else "delete the run and apply it again"
        )

    def noted(self, **changes: Any) -> Journal:
        """The journal with `changes`."""
        return self.journal.model_copy(update=changes)

    def seconds_left(self, since: datetime, seconds: float) -> float:
        """Seconds left of the `seconds` after `since`; negative once they are over."""
        return seconds - (self.now - since).total_seconds()

    def wait_left(self, since: datetime, seconds: float) -> float:
        """The same of a wait; of one that began in the future, since a clock was set back, none."""
        return 0.0 if since > self.now + SET_BACK else self.seconds_left(since, seconds)

    @property
    def spec(self) -> LCCPRunSpec:
        return self.run.spec

    @property
    def acceptance(self) -> Acceptance:
        """The owner of the run; used only after it was accepted."""
        assert self.journal.accepted is not None
        return self.journal.accepted

    @property
    def pinned(self) -> Pinned:
        """The pinned settings for workloads."""
        return self.journal.pinned or self.offered

    @property
    def due(self) -> Pinned:
        """The settings that workloads should now be made from.

        Before the first pod of this run object begins, they are the installation's; afterwards only
        an image that the spec names can change.
        """
        if not self._has_begun:
            return self.offered
        trainer, evaluator = self.spec.topology.image, self.spec.evaluation.image
        update = {
            "trainer_image": trainer or self.pinned.trainer_image,
            "evaluator_image": evaluator or self.pinned.evaluator_image,
            "templates": self.pinned.templates or self.offered.templates,
        }
        return self.pinned.model_copy(update=update)

    @property
    def _has_begun(self) -> bool:
        """A pod of this run object has begun."""
        since, facts, gang = self.acceptance.at, self.facts, self.journal.gang
        told = {*facts.heartbeats, *facts.ends} | ({gang.attempt} if gang else set())
        trained = any(a.started_at >= since and a.number in told for a in self.journal.attempts)
        outcomes = self.journal.evaluations.values()
        evaluated = any(o.at >= since for o in outcomes if o.at and o.result == "Succeeded")
        return trained or evaluated or any(state.begun for state in self.workloads.values())

    @property
    def last_attempt(self) -> AttemptRecord | None:
        return self.journal.attempts[-1] if self.journal.attempts else None

    @property
    def open_attempt(self) -> AttemptRecord | None:
        """The attempt whose end has not been observed yet."""
        last = self.last_attempt
        return last if last is not None and last.ended_at is None else None

    @cached_property
    def trainings(self) -> Mapping[Training, WorkloadState]:
        """Workloads that train, by attempt."""
        found = {w: s for w, s in self.workloads.items() if isinstance(w, Training)}
        return dict(sorted(found.items(), key=lambda item: item[0].attempt))

    @cached_property
    def evaluations(self) -> Mapping[Evaluation, WorkloadState]:
        """Workloads that evaluate, by tokens and suite."""
        found = {w: s for w, s in self.workloads.items() if isinstance(w, Evaluation)}
        return dict(sorted(found.items(), key=lambda item: item[0].key))

    @property
    def gang(self) -> WorkloadState | None:
        """The workload of the open attempt."""
        attempt = self.open_attempt
        return None if attempt is None else self.trainings.get(Training.of(attempt))

    @cached_property
    def suites(self) -> Mapping[int, tuple[str, ...]]:
        """Suites that evaluate each complete checkpoint, by its tokens, oldest first."""
        ordered = enumerate(sorted(self.facts.checkpoints))
        return {
            tokens: (
                *self.spec.evaluation.suites_of(number),
                *((ANNEAL,) if tokens in self.facts.branches else ()),
            )
            for number, tokens in ordered
        }

    def evaluation(self, key: EvaluationKey) -> tuple[Evaluation, WorkloadState] | None:
        """The workload of the evaluation: one at a time."""
        return next((pair for pair in self.evaluations.items() if pair[0].key == key), None)

    def outcome(self, key: EvaluationKey) -> EvaluationOutcome | None:
        """The journal's outcome for the evaluation of the current checkpoint."""
        outcome = self.journal.evaluations.get(evaluation_key(*key))
        evaluated = self.facts.evaluated(key)
        if outcome is None or evaluated is None:
            return None
        return outcome if outcome.checkpoint_digest == evaluated.digest else None

    @cached_property
    def identity_problem(self) -> str | None:
        """How the identity in the store differs from the run's, in words; None: not at all."""
        held = self.facts.identity
        if held is None:
            return None
        try:
            found = identity_differences(held.identity, self.spec)
        except InvalidInput as error:
            return f"one of another version ({error})"
        if not found:
            return None
        more = f" ({len(found) - DIFFERENCES_SHOWN} more)" if len(found) > DIFFERENCES_SHOWN else ""
        return f"another one ({'; '.join(map(str, found[:DIFFERENCES_SHOWN]))}{more})"

    @property
    def problem_of_prefix(self) -> str | None:
        """Run and journal in the store are another existing run's: a link, or a copy; in words."""
        held, accepted, own = self.facts.identity, self.journal.accepted, self.run.metadata
        if held is None or accepted is None or accepted.deleted_at is not None:
            return None
        if accepted.run_uid == own.uid or (held.namespace, held.name) == (own.namespace, own.name):
            return None
        return (
            f"whose run.json and journal.json are those of run {held.namespace}/{held.name} (by a "
            "link to its folder, or a copy: to go on from a copy, delete the copy's journal.json)"
        )

    @cached_property
    def changed_settings(self) -> list[Difference]:
        """The settings that differ from those that the newest attempt was started with."""
        last = self.last_attempt
        control = self.facts.controls.get(last.number) if last is not None else None
        if control is None or control.settings is None:
            return []
        try:
            return changed_settings(control.settings, self.spec)
        except InvalidInput:
            return []

    @property
    def seen_spec(self) -> SeenSpec:
        """The spec of the run object, as the journal remembers it."""
        generation = self.run.metadata.generation
        return SeenSpec(generation=generation, digest=settings_digest(self.spec))

    @property
    def asked_anew(self) -> str | None:
        """The request of that annotation: the same words count only once."""
        return None if self.reevaluate in self.journal.reevaluations else self.reevaluate

    @property
    def newest_checkpoint(self) -> int | None:
        return max(self.facts.checkpoints, default=None)

    def is_trained(self, branch: int | None) -> bool:
        """The store holds the end of a branch, or of the run's own training (None)."""
        return self.training_complete if branch is None else branch in self.facts.branches

    @property
    def training_complete(self) -> bool:
        """The store holds the checkpoint that ends the budget."""
        return any(tokens >= self.spec.budget_tokens for tokens in self.facts.checkpoints)
