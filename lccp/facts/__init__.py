"""What the store holds about a run, read in one place for operator, exporter, report and CLI."""
