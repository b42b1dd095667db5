"""Probes of attention heads: which of them retrieve, and what is lost without those."""
