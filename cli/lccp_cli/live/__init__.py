"""Live output on a terminal: of a run, or of a watched folder."""
