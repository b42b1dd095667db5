"""The program `lccp-exporter` (see `main`), also as `python -m lccp_exporter`."""

from lccp.api.exits import ExitCode
from lccp.signals import end_on_sigterm


def main() -> None:
    """Entry point."""
    end_on_sigterm(ExitCode.OK)
    from lccp_exporter.main import main as program

    program()


if __name__ == "__main__":
    main()
