"""The exporter, as `python -m lccp_exporter`."""

from lccp_exporter.main import main

main()
