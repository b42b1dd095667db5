"""What the trainer holds at once, as constants that it and the estimate share."""

CHUNK_LOGITS = 2**25
"""Logits that exist at once in the head and the loss."""
