"""Checkpoints and states: written, published, and resumed from."""
