"""What a training costs: parameters, FLOPs, memory, accelerator-hours, and what a stop saves."""
