"""Numerics of single probes, over the arrays of their details."""
