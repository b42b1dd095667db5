"""The program `lccp-train` (see `launcher`), also as `python -m lccp_trainer.launch`."""

from lccp.api.exits import ExitCode
from lccp.signals import end_on_sigterm


def main() -> None:
    """Entry point."""
    end_on_sigterm(ExitCode.TERMINATED)
    from lccp_trainer.launch.launcher import main as program

    program()


if __name__ == "__main__":
    main()
