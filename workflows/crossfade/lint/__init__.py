"""Part of crossfade: lint."""
