"""The exporter: what the stores hold, as Prometheus metrics."""
