"""The evaluator: probes on a checkpoint, from one pass per sample."""
