"""The C library's heap, set up so that passes leave no gaps in it.

The memory of a tensor is aligned, so glibc cuts a few bytes off each end of the chunk it gives.
Freed pieces as small as these it keeps in caches, where they do not join the chunk beside them once
that is free, so the next tensor of the same size does not fit there: the heap of a pass grows to
several times what is in use. Without these caches it does not. glibc reads such settings only when
a program starts.
"""

import os
import signal
import sys
from collections.abc import Mapping

VARIABLE = "GLIBC_TUNABLES"
NO_CACHES = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
BEFORE = "LCCP_GLIBC_TUNABLES"
"""Holds the variable's own value for a program that was started anew."""


def tuned(environ: Mapping[str, str]) -> dict[str, str]:
    """The variable, and its value for a program that is started in `environ`.

    Of a setting given twice glibc takes the last: a user's own.
    """
    return {VARIABLE: ":".join(filter(None, (NO_CACHES, environ.get(VARIABLE))))}


def begin() -> None:
    """Start this program anew with the settings (Linux): to be called before anything else.

    What it starts itself does not inherit them. A Ctrl-C while it starts anew interrupts this call
    in the new program, not an import before it.
    """
    before = os.environ.pop(BEFORE, None)
    if before is not None:
        os.environ[VARIABLE] = before
        if not before:
            del os.environ[VARIABLE]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    elif sys.platform == "linux":
        os.environ[BEFORE] = os.environ.get(VARIABLE, "")
        os.environ.update(tuned(os.environ))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
