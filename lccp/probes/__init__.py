"""The torch-free half of every probe: settings, signals, charts. One module each, one shape.

The other half, which reads a model, is in `services/lccp_evaluator/probes`. A new probe needs a
module here, one there, and a line in each registry.
"""
