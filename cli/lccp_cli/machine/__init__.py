"""What this machine has, and what of a run it can carry out."""
