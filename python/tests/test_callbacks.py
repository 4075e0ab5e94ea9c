"""Callbacks from the library's thread."""

import logging
import queue
import threading
from typing import Any, List

import pytest

import isis
from events import PATIENCE, eventually, messages, until


def test_kinds_with_a_callback_are_called_the_others_iterated(site: isis.Site) -> None:
    called: "queue.Queue[Any]" = queue.Queue()
    process = site.process("p", on_site_view=called.put)
    group = process.join("g", timeout=20, on_message=called.put)
    group.bcast(b"one")
    assert isinstance(called.get(timeout=PATIENCE), isis.SiteView)
    assert called.get(timeout=PATIENCE).payload == b"one"
    assert isinstance(group.next(timeout=PATIENCE), isis.View)
    with pytest.raises(isis.IsisTimeoutError):
        group.next(timeout=0)
    assert process.pending == 0


def test_one_thread_per_process_calls_in_order(site: isis.Site) -> None:
    threads = set()
    payloads: "queue.Queue[bytes]" = queue.Queue()

    def on_message(message: isis.Message) -> None:
        threads.add(threading.current_thread().name)
        payloads.put(message.payload)

    group = site.process("worker").join("g", timeout=20, on_message=on_message)
    sent = [str(n).encode() for n in range(1000)]
    for payload in sent:
        group.bcast(payload, label="l")
    assert [payloads.get(timeout=PATIENCE) for _ in sent] == sent
    assert threads == {"isis-worker"}


def test_a_group_has_its_own_callbacks(site: isis.Site) -> None:
    mine: "queue.Queue[str]" = queue.Queue()
    process = site.process("p", on_message=lambda m: mine.put("process"))
    one = process.join("one", timeout=20, on_message=lambda m: mine.put("group"))
    two = process.join("two", timeout=20)
    one.bcast(b"")
    assert mine.get(timeout=PATIENCE) == "group"
    two.bcast(b"")
    assert mine.get(timeout=PATIENCE) == "process"


def test_an_exception_is_logged_and_the_thread_goes_on(
    site: isis.Site, caplog: pytest.LogCaptureFixture
) -> None:
    survived = threading.Event()

    def on_message(message: isis.Message) -> None:
        if message.payload == b"fail":
            raise SystemExit("a bug in the application")
        survived.set()

    with caplog.at_level(logging.ERROR, logger="isis"):
        group = site.process("p").join("g", timeout=20, on_message=on_message)
        group.bcast(b"fail", label="l")
        group.bcast(b"go on", label="l")
        assert survived.wait(PATIENCE)
    (record,) = [r for r in caplog.records if r.name == "isis"]
    assert "on_message" in record.getMessage()
    assert record.exc_info and isinstance(record.exc_info[1], SystemExit)


def test_sends_are_allowed_and_blocking_calls_are_not(site: isis.Site) -> None:
    results: "queue.Queue[Any]" = queue.Queue()

    def on_message(message: isis.Message) -> None:
        if message.payload != b"start":
            results.put(message.payload)
            return
        for call in (
            lambda: group.flush(),
            lambda: group.leave(timeout=1),
            lambda: process.join("other"),
            lambda: process.next(),
            lambda: process.close(),
            lambda: site.close(),
            lambda: site.wait_view(9, timeout=1),
        ):
            try:
                call()
            except isis.BusyError as busy:
                results.put(str(busy))
        results.put(process.start_flush())
        group.bcast(b"from the callback", label="l")

    process = site.process("p")
    group = process.join("g", timeout=20, on_message=on_message)
    group.bcast(b"start", label="l")
    for _ in range(7):
        assert "callback" in results.get(timeout=PATIENCE)
    token = results.get(timeout=PATIENCE)
    assert results.get(timeout=PATIENCE) == b"from the callback"
    completed = until(process, isis.Completed)
    assert (completed.token, completed.outcome) == (token, "flushed")
    assert completed.error is None


def test_the_end_is_called_back_and_ends_the_thread() -> None:
    ended: "queue.Queue[Any]" = queue.Queue()
    site = isis.Site(1, first_view="alone")
    site.process("short-lived", on_closed=ended.put)
    site.close(timeout=20)
    assert isinstance(ended.get(timeout=PATIENCE), isis.Closed)
    eventually(
        lambda: all(t.name != "isis-short-lived" for t in threading.enumerate())
    )


def test_iteration_beside_callbacks_on_several_threads(site: isis.Site) -> None:
    process = site.process("p")
    groups = [process.join(name, timeout=20) for name in ("a", "b", "c")]
    count = 300
    taken: List[List[bytes]] = [[], [], []]

    def take(n: int) -> None:
        taken[n] = [m.payload for m in messages(groups[n], count)]

    threads = [threading.Thread(target=take, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for n in range(count):
        for group in groups:
            group.bcast(f"{group.name} {n}".encode(), label="l")
    for thread in threads:
        thread.join(PATIENCE)
    for group, got in zip(groups, taken):
        assert got == [f"{group.name} {n}".encode() for n in range(count)]
