"""A run's children: what is asked of the API server, and what is read back."""
