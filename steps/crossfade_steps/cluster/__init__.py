"""The ports on a Kubernetes cluster, and the steps of a workflow that run through them."""
