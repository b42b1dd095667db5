"""The exporter: the contents of the stores as Prometheus metrics."""
