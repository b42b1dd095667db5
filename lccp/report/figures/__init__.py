"""Figures: pure functions from a run's reports, verdict and history to plotly figures."""
