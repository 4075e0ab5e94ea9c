"""Timeouts, descriptors, back-pressure, and who runs meanwhile."""

import selectors
import threading
import time
from typing import Iterator, List

import pytest

import isis
from conftest import Open
from events import PATIENCE, eventually, messages, until


@pytest.fixture
def narrow() -> Iterator[isis.Group]:
    """A group of one whose window is four messages wide."""
    with isis.Site(1, first_view="alone", window_messages=4) as site:
        group = site.process("narrow").join("g", timeout=20)
        until(group, isis.View)
        yield group


def test_a_timeout_is_kept() -> None:
    with isis.Site(1, peers={2: "127.0.0.1:9"}) as site:
        process = site.process()
        for call in (
            lambda: process.next(timeout=0.2),
            lambda: site.wait_view(timeout=0.2),
            lambda: process.join("g", timeout=0.2),
        ):
            start = time.monotonic()
            with pytest.raises(isis.IsisTimeoutError):
                call()
            assert 0.19 < time.monotonic() - start < 5
        assert site.view is None


def test_closing_without_anybody_to_tell_ends_in_time(open_sites: Open) -> None:
    sites = open_sites(2)
    for site in sites:
        site.wait_view(2, timeout=20)
    oldest = sites[0].wait_view().manager.number
    sites[oldest - 1].halt()
    start = time.monotonic()
    with pytest.raises(isis.IsisTimeoutError):
        sites[2 - oldest].close(timeout=0.3)
    assert time.monotonic() - start < 5


def test_zero_does_not_wait(site: isis.Site) -> None:
    process = site.process()
    site.wait_view(timeout=20)
    with pytest.raises(isis.IsisTimeoutError):
        process.join("g", timeout=0)
    completed = until(process, isis.Completed)
    assert completed.outcome == "joined" and completed.group is not None
    group = process.group(completed.group)
    assert group is not None and group.name == "g"
    group.bcast(b"member")
    assert messages(group, 1)[0].payload == b"member"


def test_operations_are_started_and_completed(site: isis.Site) -> None:
    process = site.process()
    token = process.start_join("g")
    completed = until(process, isis.Completed)
    assert (completed.token, completed.outcome) == (token, "joined")
    assert completed.group is not None
    group = process.group(completed.group)
    assert group is not None
    tokens = [process.start_flush(), group.start_leave()]
    outcomes = {c.token: c.outcome for c in (until(process, isis.Completed),) * 1}
    completed = until(process, isis.Completed)
    outcomes[completed.token] = completed.outcome
    assert outcomes == {tokens[0]: "flushed", tokens[1]: "left"}
    process.start_close()
    until(process, isis.Closed)


def test_other_threads_run_while_one_waits(site: isis.Site) -> None:
    process = site.process()
    waiting = threading.Thread(target=lambda: list(process))
    waiting.start()
    count = 0
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        count += 1
    assert count > 1000 and waiting.is_alive()
    process.close(timeout=20)
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_batches(site: isis.Site) -> None:
    process = site.process()
    group = process.join("g", timeout=20)
    for n in range(10):
        group.bcast(str(n).encode(), label="l")
    payloads: List[bytes] = []
    while len(payloads) < 10:
        batch = process.next_batch(max=4, timeout=PATIENCE)
        assert 1 <= len(batch) <= 4
        payloads += [e.payload for e in batch if isinstance(e, isis.Message)]
    assert payloads == [str(n).encode() for n in range(10)]
    assert process.next_batch(max=0) == []
    with pytest.raises(isis.IsisTimeoutError):
        process.next_batch(timeout=0)


def test_the_descriptor_is_level_triggered(site: isis.Site) -> None:
    process = site.process()
    group = process.join("g", timeout=20)
    with selectors.DefaultSelector() as selector:
        selector.register(process, selectors.EVENT_READ)

        def readable(timeout: float) -> bool:
            return bool(selector.select(timeout))

        assert readable(PATIENCE), "the view waits"
        assert readable(0), "and goes on waiting"
        drain(process)
        assert not readable(0)
        for n in range(200):
            group.bcast(str(n).encode(), label="l")
            assert readable(PATIENCE)
            drain(process)
        assert process.pending == 0
        process.close(timeout=20)
        assert readable(PATIENCE)
        drain(process)
        assert readable(0), "the end stays"
        assert process.fileno() == process.fileno()


def drain(process: isis.Process) -> None:
    try:
        while True:
            process.next(timeout=0)
    except (isis.IsisTimeoutError, isis.ClosedError):
        pass


def test_a_full_window_refuses_and_opens_again(narrow: isis.Group) -> None:
    for n in range(4):
        narrow.bcast(str(n).encode(), label="l")
    with pytest.raises(isis.FlowControlError):
        narrow.bcast(b"too many", block=False)
    with pytest.raises(isis.FlowControlError):
        narrow.obcast(b"too many", timeout=0)
    start = time.monotonic()
    with pytest.raises(isis.IsisTimeoutError):
        narrow.bcast(b"too many", timeout=0.2)
    assert time.monotonic() - start > 0.19
    assert [m.payload for m in messages(narrow, 4)] == [b"0", b"1", b"2", b"3"]
    until(narrow, isis.Writable)
    narrow.bcast(b"now", block=False)
    assert messages(narrow, 1)[0].payload == b"now"


def test_a_waiting_send_goes_when_there_is_room(narrow: isis.Group) -> None:
    count = 100
    taker = threading.Thread(target=lambda: messages(narrow, count))
    taker.start()
    for n in range(count):
        narrow.bcast(str(n).encode(), label="l", timeout=PATIENCE)
    taker.join(PATIENCE)
    assert not taker.is_alive()
    eventually(lambda: narrow.process.site.stats()["in_flight_messages"] == 0)
    with pytest.raises(isis.IsisTimeoutError):
        narrow.next(timeout=0)
