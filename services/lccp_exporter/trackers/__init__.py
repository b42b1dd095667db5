"""Experiment trackers that a run's training, signals and gains are logged to."""
