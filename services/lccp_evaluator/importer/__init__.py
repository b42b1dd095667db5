"""The importer of an attached run: it copies another trainer's checkpoints into the run's store."""
