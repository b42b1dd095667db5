"""The samples that checkpoints answer: texts, tokens, and positions in them."""
