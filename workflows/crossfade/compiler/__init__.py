"""Part of crossfade: compiler."""
