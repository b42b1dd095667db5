"""The spec of an LCCPRun, a module for each of its parts."""
