"""The program `lccp-evaluate` (see `main`), also as `python -m lccp_evaluator`."""

from lccp.api.exits import ExitCode
from lccp.signals import end_on_sigterm
from lccp_evaluator.starting import heap


def main() -> None:
    """Entry point."""
    end_on_sigterm(ExitCode.TERMINATED)
    heap.begin()
    from lccp_evaluator.main import main as program

    program()


if __name__ == "__main__":
    main()
