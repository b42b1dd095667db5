"""Texts that samples are made of: from files, or made up from a seed."""
