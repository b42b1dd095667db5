"""The Kubernetes edge: Kopf feeds, Jobs and Services are applied."""
