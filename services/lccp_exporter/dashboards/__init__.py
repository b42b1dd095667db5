"""Grafana's dashboards as code: `tools/generate.py` renders their JSON into the chart."""
