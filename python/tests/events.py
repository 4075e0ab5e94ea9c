"""Taking events in tests."""

import time
from typing import Callable, List, Type, TypeVar, Union

import isis

E = TypeVar("E")

PATIENCE = 20.0
"""Seconds after which something that must happen has not."""


def until(taker: Union[isis.Process, isis.Group], kind: Type[E]) -> E:
    """The next event of this kind, skipping others."""
    deadline = time.monotonic() + PATIENCE
    while True:
        event = taker.next(timeout=max(0.0, deadline - time.monotonic()))
        if isinstance(event, kind):
            return event


def messages(taker: Union[isis.Process, isis.Group], count: int) -> List[isis.Message]:
    """The next messages, skipping other events."""
    return [until(taker, isis.Message) for _ in range(count)]


def view_of(group: isis.Group, members: int) -> isis.View:
    """The next view with this many members."""
    while True:
        view = until(group, isis.View)
        if len(view.members) == members:
            return view


def eventually(condition: Callable[[], bool]) -> None:
    """Waits for what no event announces."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
