"""The equipment of this machine, and whether it can carry out a run."""
