"""How evaluators start: with a heap set up for passes, and forked with libraries imported."""
