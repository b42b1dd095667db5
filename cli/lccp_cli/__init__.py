"""The command `lccp`."""
