"""Adapters: deployers."""
