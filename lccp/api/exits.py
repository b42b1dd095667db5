"""Exit codes of the trainer and the evaluator, and the consequences of each."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a process of a run ended. Codes follow sysexits.h where it has one."""

    OK = 0
    """Ended as requested; `end.json` says Completed or Drained."""
    USAGE = 2
    """The command line or its input is invalid (programs started by a user)."""
    CONFIGURATION = 64
    """Configuration or input of the run is invalid: never retried."""
    STORE_UNREACHABLE = 69
    """The store was unreachable for longer than the process waits: a new attempt, counted."""
    INTERNAL = 70
    """Internal failure, or a rank died: a new attempt, counted."""
    HANG = 74
    """No step within the limit; stacks of all ranks were written: a new attempt, counted."""
    TERMINATED = 75
    """SIGTERM: state was saved within the grace period; not counted."""
    NOT_FINITE = 76
    """Loss or gradient stayed non-finite: failed; retried only if the policy says so."""
    STORE_REFUSED = 77
    """The store refused (keys, rights), or lacks bucket or run: a new attempt, not counted."""
    KILLED = 137
    """SIGKILL: out of memory, or the node was lost; the pod's status says which."""
