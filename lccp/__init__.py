"""LCCP: train a language model to a longer context, and know whether the training still pays."""

__version__ = "0.1.0"
