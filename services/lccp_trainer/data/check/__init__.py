"""Checks of a run's documents before the run is paid for."""
