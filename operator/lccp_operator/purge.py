"""The purge Job: deletes all that the store holds of a run, its identity last."""

import os
import sys

from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation
from lccp.contract.errors import InvalidInput, LccpError
from lccp.store.directory import delete_prefix
from lccp.store.keys import RunKeys
from lccp.store.open import open_store


def main() -> int:
    try:
        invocation = Invocation.from_environ(os.environ)
        store = open_store(invocation.store)
        delete_prefix(store, RunKeys(invocation.namespace, invocation.name).prefix)
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return ExitCode.CONFIGURATION
    except LccpError as error:
        print(error, file=sys.stderr)
        return ExitCode.STORE_UNREACHABLE
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
