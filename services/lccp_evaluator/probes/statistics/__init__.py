"""What is made of the values of samples: means by cell, intervals, what the context is worth."""
