"""A run's inputs from buckets and hubs: found, pinned, and fetched to a folder once per node."""
