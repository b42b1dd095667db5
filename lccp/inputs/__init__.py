"""What a run reads from buckets and hubs: found, pinned, and fetched to a folder once a node."""
