"""Statistics over the values of samples: means by cell, intervals, the worth of the context."""
