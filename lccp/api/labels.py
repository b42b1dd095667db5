"""Names, labels and annotations of a run's workloads, defined once."""

import re

GROUP = "lccp.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "LCCPRun"
PLURAL = "lccpruns"
FIELD_MANAGER = "lccp-operator"

RUN = f"{GROUP}/run"
COMPONENT = f"{GROUP}/component"
ATTEMPT = f"{GROUP}/attempt"
SETTINGS = f"{GROUP}/settings"
"""Digest of the spec's settings for a workload's pods when its Job was created."""

INSTALLATION = f"{GROUP}/installation"
"""Annotation of a Job: the installation that created it."""

MARKED = f"store.{GROUP}/"
"""Annotation of the operator's Lease, with a store's name after it: URL of the store when this
installation last found its mark in it."""

REQUESTED = f"{GROUP}/requested"
"""Annotation of a Job: what was asked of it, by path; what it has become is compared with that."""

LAST_STATE_AT = f"{GROUP}/last-state-at"
"""Annotation of a gang's Job: when the newest training state was complete, RFC 3339, UTC."""

LAST_STATE_TOKENS = f"{GROUP}/last-state-tokens"
"""Annotation of a gang's Job: tokens of that state."""

LAST_STATE_OLD = f"{GROUP}/last-state-old"
"""Annotation of a gang's Job: `true` once it has trained more than half of what it usually trains
between two states, else `false`."""

BEGAN = f"{GROUP}/began"
"""Annotation of a run, once the Job of one of its gangs is deleted, which also shows that it began:
its UID, and when it began, RFC 3339, UTC."""

REEVALUATE = f"{GROUP}/reevaluate"
"""Annotation of a run: `all`, or tokens of the checkpoints to evaluate again; `/SUITE` after either
means that suite alone."""

TRAINER = "trainer"
EVALUATOR = "evaluator"
PURGER = "purger"

IMPORTER = "importer"
"""The main container of an attached run's attempt, in place of the trainer's."""
FETCH = "fetch-checkpoint"
"""The container that fetches a checkpoint for an external suite."""
SUITE = "external-suite"
"""The container that runs an external suite's program."""

INTRINSIC = "intrinsic"
"""The probes' suite, which every run has."""

ANNEAL = "anneal"
"""The probes' suite at a branch's end; reported under the checkpoint that it starts from."""


def signal_of_suite(suite: str, name: str) -> str:
    """A signal of the probes as another suite names it: its own slash is a dot there."""
    return f"{suite}/{name.replace('/', '.')}"


def is_of_branch(signal: str) -> bool:
    """Whether the signal was measured at the end of a branch."""
    return signal.startswith(f"{ANNEAL}/")


RUN_NAME_LENGTH_MAX = 40

TOKENS_KEY = re.compile("[0-9]{15}")
"""The form of `tokens_key`."""


def tokens_key(tokens: int) -> str:
    """`tokens` as 15 digits: sorts as text as it does as a number."""
    return f"{tokens:015d}"


def evaluation_key(tokens: int, suite: str) -> str:
    """The journal's key for a checkpoint and a suite."""
    return f"{tokens_key(tokens)}/{suite}"


STANDARD = frozenset(f"app.kubernetes.io/{name}" for name in ("name", "component", "managed-by"))
"""Labels of Kubernetes' own convention that every workload has."""


def is_own(name: str) -> bool:
    """Whether LCCP sets the label, and finds workloads and their pods by it."""
    return name.startswith(f"{GROUP}/") or name in STANDARD


def of_workload(run: str, component: str, **more: str) -> dict[str, str]:
    """Labels of a workload of `run`; `more` are further label names without their prefix."""
    own = {RUN: run, COMPONENT: component}
    standard = {
        "app.kubernetes.io/name": "lccp",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
    }
    return standard | own | {f"{GROUP}/{name}": value for name, value in more.items()}
