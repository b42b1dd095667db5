"""Laws that a signal may follow along a run, and what they predict for further tokens."""
