"""Part of crossfade: spec."""
