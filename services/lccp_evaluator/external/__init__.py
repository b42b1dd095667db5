"""External suites: programs that are not ours, which read a checkpoint and write signals."""
