"""The samples that checkpoints answer: texts, tokens, and where everything lies in them."""
