"""The kinds of workloads of a run: a module for each, and a line in the registry.

Every kind has one shape (`kind.Workload`): a name, labels, pods, the meaning of their end, and
whether its result is in the store.
"""
