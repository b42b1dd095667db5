"""What the store holds of a run, read in one place for operator, exporter, report and CLI."""
