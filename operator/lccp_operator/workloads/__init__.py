"""The kinds of workloads of a run: a module for each, and a line in the registry.

Every kind has one shape (`kind.Workload`): a name, labels, pods, what their end means, and whether
what it was to leave in the store is there.
"""
