"""The purge Job: deletes everything that the store holds of a run, its identity last."""

import os
import sys
from collections.abc import Mapping

from lccp.api.causes import cause_of, exit_code_of
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation
from lccp.api.objects.journal import Journal
from lccp.api.objects.run import RunIdentity
from lccp.contract.errors import InvalidInput, LccpError
from lccp.logs import leave_termination_message
from lccp.store import objects
from lccp.store.directory import delete_prefix
from lccp.store.keys import RunKeys
from lccp.store.open import open_store


def purge(environ: Mapping[str, str], installation: str) -> None:
    """Delete the objects of the run that `environ` names.

    Raises:
        StoreRefused: the store can't be used.
        InvalidInput: its `run.json` or `journal.json` is damaged, or the
            former names another installation than `installation` (empty: any may purge).
        StoreUnavailable: the store does not answer.
    """
    invocation = Invocation.from_environ(environ)
    store, keys = open_store(invocation.store), RunKeys(invocation.namespace, invocation.name)
    found = objects.read_or_none(store, keys.identity, RunIdentity)
    objects.read_or_none(store, keys.journal, Journal)
    other = found.installation if found is not None else ""
    if installation and other and other != installation:
        raise InvalidInput(
            f"store {store.url} holds a run {invocation.run} that installation {other} manages "
            f"according to its run.json, not {installation}: none of it is deleted"
        )
    delete_prefix(store, keys.prefix, last=keys.identity)


def main(environ: Mapping[str, str], installation: str = "") -> ExitCode:
    """Purge, and say why if that is refused; `installation` is whose run it is, by its status."""
    try:
        purge(environ, installation)
    except LccpError as error:
        print(error, file=sys.stderr)
        leave_termination_message(str(error))
        return exit_code_of(cause_of(error))
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(os.environ, *sys.argv[1:]))
