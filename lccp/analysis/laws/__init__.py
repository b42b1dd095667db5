"""Laws that a signal may follow along a run, and what they say about tokens to come."""
