"""Which clusters of samples and checkpoints a run needs to decide, by simulated runs."""
