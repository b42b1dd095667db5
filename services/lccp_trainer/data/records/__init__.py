"""Turns records of a fine-tuning into rows, of which only completions are predicted."""
