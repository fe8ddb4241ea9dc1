"""Adapters: loadgen."""
