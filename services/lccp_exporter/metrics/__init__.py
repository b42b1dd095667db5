"""All metrics in one place: name, meaning, labels, and derivation from stored facts."""
