"""The objects in a run's store: what each key holds. JSON, never pickled."""
