"""The reconcile loop: which runs are due, and one reconcile of one run."""
