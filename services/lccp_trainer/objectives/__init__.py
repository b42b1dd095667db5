"""The objectives: what training minimizes."""
