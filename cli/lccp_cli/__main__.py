"""The command `lccp`, as `python -m lccp_cli`."""

from lccp_cli.main import main

main()
