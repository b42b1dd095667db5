"""The Kubernetes backend: Kopf watches runs, Jobs and Services are applied."""
