"""Routers: read and write weights through the object API."""
