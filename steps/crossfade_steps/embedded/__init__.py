"""Adapters: embedded."""
