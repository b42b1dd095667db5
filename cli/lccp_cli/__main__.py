"""The command `lccp`, also as `python -m lccp_cli`."""

import sys

from lccp_cli import INTERRUPTED


def main() -> None:
    """Run the command; Ctrl-C ends it with a sentence while its modules are imported, too."""
    try:
        from lccp_cli.main import main as command
    except KeyboardInterrupt:
        print("lccp: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    command()


if __name__ == "__main__":
    main()
