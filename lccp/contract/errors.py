"""The errors of LCCP. An error's type is its retry policy.

LccpError
├── InvalidInput        what was given is wrong: one sentence, never retried
│   └── Incompatible    it was written by another version, or belongs to another run
├── NotFound            no such object; what that means is the caller's to say
├── Conflict            another writer was first: read again, then decide
└── StoreUnavailable    the store does not answer: retried, with a bound
"""


class LccpError(Exception):
    """An error whose text is one sentence for the person who reads it."""


class InvalidInput(LccpError):
    """What was given is wrong; trying again changes nothing."""


class Incompatible(InvalidInput):
    """An object has another schema version, or belongs to another run."""


class NotFound(LccpError):
    """The object does not exist."""


class Conflict(LccpError):
    """A conditional write lost against another writer."""


class StoreUnavailable(LccpError):
    """The object store did not answer within its timeout and retries."""


def sentence_of(error: BaseException) -> str:
    """What is told of `error`: its text, behind the name of its type if it is no LccpError."""
    return str(error) if isinstance(error, LccpError) else f"{type(error).__name__}: {error}"
