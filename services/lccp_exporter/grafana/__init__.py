"""Dashboards and alert rules in a Grafana, through its HTTP API."""
