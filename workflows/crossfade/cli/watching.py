"""A run on the screen while it goes on: a table that stays in place, or lines for a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from rich.console import Console, RenderableType
from rich.live import Live

from crossfade import record
from crossfade.record import Entry
from crossfade.report.live import brief, line, table

Show = Callable[[Sequence[Entry]], None]


@contextmanager
def shown(console: Console) -> Iterator[Show]:
    """Give what shows the entries so far.

    A terminal has a table of the newest iterations, as many as fit, and of all of them at the end.
    What cannot be written over gets a line for what is news.
    """
    if not _moves(console):
        yield lambda entries: _print_news(console, entries)
        return
    live, seen = Live(console=console, auto_refresh=False), list[Sequence[Entry]]()

    def show(entries: Sequence[Entry]) -> None:
        seen[:] = [entries]
        live.update(fitting(entries, console), refresh=True)

    with suppress(OSError, ValueError):  # a terminal that is gone ends no run
        live.start()
    try:
        yield show
    finally:
        with suppress(OSError, ValueError):
            for entries in seen:
                live.update(table(entries))
            live.stop()


def fitting(entries: Sequence[Entry], console: Console) -> RenderableType:
    """Return the table of the newest iterations that the screen has lines for."""
    found: RenderableType = brief(entries)
    for rows in range(1, max(1, len(record.of_type(entries, "decision"))) + 1):
        larger = table(entries, newest=rows)
        if len(console.render_lines(larger, pad=False)) >= console.size.height:
            break
        found = larger
    return found


def _moves(console: Console) -> bool:
    """Return whether what was shown can be written over; colour may be forced on a file."""
    try:
        return console.is_terminal and console.file.isatty() and not console.is_dumb_terminal
    except ValueError:  # closed
        return False


def _print_news(console: Console, entries: Sequence[Entry]) -> None:
    text = line(entries)
    if text is not None:
        console.print(text)
