"""The processes of a run, and the engine that spreads a model over them."""
