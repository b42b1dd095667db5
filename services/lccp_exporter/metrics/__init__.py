"""All metrics, once: name, meaning, labels, and how each follows from stored facts."""
