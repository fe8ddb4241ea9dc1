"""Part of crossfade: report."""
