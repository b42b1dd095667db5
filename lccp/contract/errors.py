"""The errors of LCCP. An error's type is its retry policy.

LccpError
├── InvalidInput        the input is wrong: one sentence, never retried
│   ├── Incompatible    it was written by another version, or belongs to another run
│   ├── DiskFailed      a disk of this machine is full or broken: another try may find another one
│   └── StoreRefused    the store refuses its keys, or lacks the bucket: wait for whoever manages it
├── NotFound            no such object; the caller decides what that means
├── Conflict            another writer was first: read again, then decide
└── StoreUnavailable    the store does not answer: retried, with a bound
"""


class LccpError(Exception):
    """An error whose text is one sentence for the person who reads it."""


class InvalidInput(LccpError):
    """The input is wrong; trying again changes nothing."""


class Incompatible(InvalidInput):
    """An object has another schema version, or belongs to another run."""


class DiskFailed(InvalidInput):
    """A disk of this machine is full, or fails.

    A person has to see to it; a process of a run may find it otherwise, or be on another machine.
    """


class StoreRefused(InvalidInput):
    """The object store answers, but can't be used: its place, keys, bucket, rights or certificate.

    What a run asked for is not at fault: it can go on once whoever manages the store acts.
    """


class NotFound(LccpError):
    """The object does not exist."""


class Conflict(LccpError):
    """A conditional write lost to another writer."""


class StoreUnavailable(LccpError):
    """The object store did not answer within its timeout and retries."""


def sentence_of(error: BaseException) -> str:
    """The text of `error`, after the name of its type if it is not an LccpError."""
    return str(error) if isinstance(error, LccpError) else f"{type(error).__name__}: {error}"
