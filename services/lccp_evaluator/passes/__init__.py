"""Passes of a model over samples: what is read from one, and how it is computed."""
