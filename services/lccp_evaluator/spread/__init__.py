"""An evaluation by several processes: the leading one, and its followers."""
