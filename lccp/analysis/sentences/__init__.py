"""Sentences about a verdict: why it is what it is, and what to do."""
