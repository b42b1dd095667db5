"""The torch-free half of every probe: settings, signals, charts. One module each, one shape.

The other half, which reads a model, lies in `services/lccp_evaluator/probes`. A further probe is a
module here, one there, and a line in each registry.
"""
