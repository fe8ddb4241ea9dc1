"""Adapters: metrics."""
