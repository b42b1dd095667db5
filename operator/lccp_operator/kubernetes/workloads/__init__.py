"""A run's workloads: requests to the API server, and the objects that it returns."""
