"""Part of crossfade: policies."""
