"""Numerics of individual probes, over the arrays of their details."""
