"""What keeps a workload from running: its Job, its queue, its pods. Pure."""
