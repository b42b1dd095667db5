"""The control plane: observe, plan (pure), apply; for Kubernetes and for one machine."""
