"""An evaluation by several processes: the one that leads, and its followers."""
