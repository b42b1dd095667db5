"""What this machine has, and whether it can carry out a run."""
