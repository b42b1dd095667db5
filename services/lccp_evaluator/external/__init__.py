"""External suites: programs of others that read a checkpoint and write signals."""
