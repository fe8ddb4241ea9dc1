"""Containerized steps, and the same steps on one machine."""
