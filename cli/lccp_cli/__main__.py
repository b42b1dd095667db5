"""The command `lccp`, also as `python -m lccp_cli`."""

import sys

from lccp_cli import INTERRUPTED
from lccp_evaluator.starting import heap

MEASURING = (["evaluate"], ["watch"])
"""Commands that compute passes in this process."""


def main() -> None:
    """Run the command; Ctrl-C ends it with a sentence while its modules are imported, too."""
    try:
        if sys.argv[1:2] in MEASURING:
            heap.begin()
        from lccp_cli.main import main as command
    except KeyboardInterrupt:
        print("lccp: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    command()


if __name__ == "__main__":
    main()
