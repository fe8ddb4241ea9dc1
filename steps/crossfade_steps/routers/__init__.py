"""Adapters: routers."""
