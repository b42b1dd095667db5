"""Checkpoints in directories: found, evaluated as a series, and watched as it grows."""
