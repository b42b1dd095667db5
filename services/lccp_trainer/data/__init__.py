"""Documents become the batches of a run."""
