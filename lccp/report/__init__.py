"""Figures of a run and the self-contained report."""
