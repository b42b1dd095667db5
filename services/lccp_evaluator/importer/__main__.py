"""The program `lccp-import` (see `main`), also as `python -m lccp_evaluator.importer`."""

from lccp.api.exits import ExitCode
from lccp.signals import end_on_sigterm


def main() -> None:
    """Entry point."""
    end_on_sigterm(ExitCode.TERMINATED)
    from lccp_evaluator.importer.main import main as program

    program()


if __name__ == "__main__":
    main()
