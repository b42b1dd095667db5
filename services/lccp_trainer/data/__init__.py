"""Turns documents into the batches of a run."""
