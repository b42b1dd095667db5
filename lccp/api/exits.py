"""Exit codes of the trainer and the evaluator, and what follows from each."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a process of a run ended. Codes follow sysexits.h where it has one."""

    OK = 0
    """Ended as asked; `end.json` says Completed or Drained."""
    USAGE = 2
    """The command line or its input is wrong (programs started by a person)."""
    CONFIGURATION = 64
    """Configuration or input of the run is wrong: never retried."""
    STORE_UNREACHABLE = 69
    """The store stayed unreachable beyond its patience: a new attempt, counted."""
    INTERNAL = 70
    """Internal failure, or a rank died: a new attempt, counted."""
    HANG = 74
    """No step within the limit; stacks of all ranks were written: a new attempt, counted."""
    TERMINATED = 75
    """SIGTERM: state was saved within the grace period; not counted."""
    NOT_FINITE = 76
    """Loss or gradient stayed not finite: failed; retried only if the policy says so."""
    KILLED = 137
    """SIGKILL: out of memory, or the node was lost; the pod's status says which."""
