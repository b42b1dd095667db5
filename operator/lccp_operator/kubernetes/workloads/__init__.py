"""A run's workloads: what is asked of the API server, and what is read back."""
