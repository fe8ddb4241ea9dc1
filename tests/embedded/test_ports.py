"""Ports that are given out."""

from __future__ import annotations

from crossfade_steps.embedded.tools import free_port


def test_no_port_is_given_twice() -> None:
    """A model's two servers on one port answered predictions with 405."""
    given = [free_port() for _ in range(1500)]

    assert len({*given}) == len(given)
