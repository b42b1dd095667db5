"""Passes of a model over samples: what a pass reads, and how it is computed."""
