"""Constraints between the parts of a run: the messages, and the rules in CEL."""

from lccp.api.labels import RUN_NAME_LENGTH_MAX
from lccp.contract.cel import Rule, let, rules
from lccp.contract.quantities import LENGTH, TOKENS
from lccp.probes.registry import PROBES

CHECKPOINT_BEYOND = "checkpoints.atTokens exceeds training.tokens: lower it, or raise the budget"
BATCH_TOO_SMALL = (
    "training.globalBatchTokens is less than one sequence of model.targetContextLength"
)
BRANCH_OUTSIDE = (
    "checkpoints.anneal.atTokens must lie after the warm-up and before "
    "training.tokens: outside that range there is no learning rate to decay"
)
NOBODY_BRANCHES = (
    "checkpoints.anneal needs the training's states, but this run is attached to "
    "another trainer (source): leave it out"
)
ONE_TRAINER = "set either training and data, or source, which attaches the run to another trainer"
SAME_TRAINER = (
    "source is part of the run's identity, which never changes: give the changed run another name"
)
NOBODY_SUSPENDS = (
    "saturation.action Suspend needs a trainer that can save its state and exit, but "
    "this run is attached to another trainer (source): use None, Notify or Stop"
)
ATTACHED = (
    "spec.training: is not set, since the run is attached to another trainer (spec.source): "
    "this command needs a run that LCCP trains"
)
NAME = (
    f"metadata.name must have at most {RUN_NAME_LENGTH_MAX} characters, of a-z, 0-9 and -, and "
    "must not start or end with -: workloads are named after it"
)
NAME_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_WARMUP_AT = "self.training.schedule.warmupTokens"
_WARMUP = f"(has({_WARMUP_AT}) ? {TOKENS.cel_at(_WARMUP_AT)} : 0)"
RUN_RULES = rules(
    Rule(
        f"size(self.metadata.name) <= {RUN_NAME_LENGTH_MAX} && !self.metadata.name.contains('.')",
        NAME,
    ),
)
SPEC_RULES = rules(
    Rule("has(self.training) != has(self.source)", ONE_TRAINER),
    Rule("has(self.training) == has(self.data)", ONE_TRAINER),
    Rule("has(self.source) == has(oldSelf.source)", SAME_TRAINER),
    Rule(
        "!has(self.source) || !has(self.saturation.action) || self.saturation.action != 'Suspend'",
        NOBODY_SUSPENDS,
        ".saturation.action",
    ),
    Rule(
        "!has(self.training) || "
        + let(
            "budget",
            TOKENS.cel_at("self.training.tokens"),
            f"budget < 0 || self.checkpoints.atTokens.all(t, {TOKENS.cel('t')} <= budget)",
        ),
        CHECKPOINT_BEYOND,
        ".checkpoints.atTokens",
    ),
    Rule(
        "!has(self.training) || "
        + let(
            "batch",
            TOKENS.cel_at("self.training.globalBatchTokens"),
            f"batch < 0 || batch >= {LENGTH.cel_at('self.model.targetContextLength')}",
        ),
        BATCH_TOO_SMALL,
        ".training.globalBatchTokens",
    ),
    Rule(
        "!has(self.source) || !has(self.checkpoints.anneal)", NOBODY_BRANCHES, ".checkpoints.anneal"
    ),
    Rule(
        "!has(self.training) || !has(self.checkpoints.anneal) || "
        + let(
            "bounds",
            f"[{_WARMUP}, {TOKENS.cel_at('self.training.tokens')}]",
            "-1 in bounds || self.checkpoints.anneal.atTokens.all(t, "
            + let("at", TOKENS.cel("t"), "at < 0 || (bounds[0] < at && at < bounds[1])")
            + ")",
        ),
        BRANCH_OUTSIDE,
        ".checkpoints.anneal.atTokens",
    ),
    *(rule for probe in PROBES.values() for rule in probe.rules),
)
