"""The contract: what all parts of LCCP agree on. Needs pydantic alone."""
