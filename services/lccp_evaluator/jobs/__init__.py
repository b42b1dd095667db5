"""Several checkpoints of a series measured at a time, each by a process of its own."""
