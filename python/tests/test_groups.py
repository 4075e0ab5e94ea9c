"""Three sites in one interpreter."""

from typing import List

import pytest

import isis
from events import eventually, messages, until, view_of


def join_all(sites: List[isis.Site], name: str = "g") -> List[isis.Group]:
    """One process of each site, joined one after the other; all have seen the last view."""
    groups = [site.process().join(name, timeout=20) for site in sites]
    for group in groups:
        view_of(group, len(sites))
    return groups


def test_the_sites_agree_on_views(three: List[isis.Site]) -> None:
    views = [site.wait_view(3) for site in three]
    assert len({(view.epoch, view.number, view.members) for view in views}) == 1
    view = views[0]
    assert sorted(m.number for m in view.members) == [1, 2, 3]
    assert view.manager == view.members[0]
    assert len(view.addresses) == 3
    assert three[0].address in view.addresses
    assert [site.blocked for site in three] == [False, False, False]


def test_bcasts_come_in_one_order(three: List[isis.Site]) -> None:
    groups = join_all(three)
    count = 30
    for n in range(count):
        for group in groups:
            group.bcast(f"{group.process.id} {n}".encode(), label="queue")
    orders = [messages(group, 3 * count) for group in groups]
    assert len({tuple(m.id for m in order) for order in orders}) == 1
    assert len({tuple(m.payload for m in order) for order in orders}) == 1
    message = orders[0][0]
    assert message.kind == "bcast" and message.label == "queue"
    assert message.olabel is None and message.ordered
    assert message.group == groups[0].id
    assert groups[0].view is not None and message.view == groups[0].view.number
    assert message.sender in groups[0].members
    for group in groups:
        mine = [m.id for m in orders[0] if m.sender == group.process.id]
        assert mine == sorted(mine)


def test_safe_bcasts_are_in_the_order_of_their_label(three: List[isis.Site]) -> None:
    groups = join_all(three)
    members = groups[0].members
    for n in range(10):
        for group in groups:
            group.bcast(b"in the group", label="queue", safe=n % 2 == 0)
            group.process.bcast_to(members, b"to all", label="queue", safe=n % 3 == 0)
    orders = [messages(group.process, 60) for group in groups]
    assert len({tuple(m.id for m in order) for order in orders}) == 1


def test_obcasts_come_after_what_precedes_them(three: List[isis.Site]) -> None:
    first, second, third = join_all(three)
    asked = first.obcast(b"question", olabel="talk")
    assert messages(first, 1)[0].id == asked, "its own at once"
    assert messages(second, 1)[0].id == asked
    answered = second.obcast(b"answer", olabel="talk")
    talk = messages(third, 2)
    assert [m.id for m in talk] == [asked, answered]
    assert [(m.kind, m.olabel, m.label) for m in talk] == [("obcast", "talk", None)] * 2
    third.obcast(b"causal")
    third.obcast(b"loose", ordered=False)
    causal, loose = messages(third, 2)
    assert (causal.olabel, causal.ordered) == (None, True)
    assert (loose.olabel, loose.ordered) == (None, False)


def test_a_gbcast_is_ordered_against_everything(three: List[isis.Site]) -> None:
    groups = join_all(three)
    for group in groups:
        group.bcast(b"before")
    groups[1].gbcast(b"now")
    for group in groups:
        group.bcast(b"after")
    orders = [messages(group, 7) for group in groups]
    before = [
        {m.id for m in order[: [m.kind for m in order].index("gbcast")]}
        for order in orders
    ]
    assert before[0] == before[1] == before[2]


def test_joins_and_leaves_are_views(three: List[isis.Site]) -> None:
    groups = join_all(three)
    ids = [group.process.id for group in groups]
    assert groups[0].members == tuple(ids), "oldest first"
    groups[0].leave(timeout=20)
    for group in groups[1:]:
        view = view_of(group, 2)
        assert view.left == ((ids[0], "left"),)
        assert view.members == tuple(ids[1:])
        assert group.view is not None and group.view.number == view.number
    assert [type(event) for event in groups[0]][-1] is isis.View
    groups[1].process.close(timeout=20)
    assert view_of(groups[2], 1).left == ((ids[1], "process failed"),)


def test_a_site_that_halts_is_seen_to_fail(three: List[isis.Site]) -> None:
    groups = join_all(three)
    victim = groups[2].process
    three[2].halt()
    for group in groups[:2]:
        view = view_of(group, 2)
        assert view.left == ((victim.id, "site failed"),)
    assert until(groups[0].process, isis.SiteView).left == ((three[2].id, "failed"),)
    groups[0].bcast(b"on")
    assert messages(groups[1], 1)[0].payload == b"on"


def test_a_closed_site_has_left(three: List[isis.Site]) -> None:
    three[2].close(timeout=20)
    view = three[0].wait_view(timeout=20)
    while len(view.members) == 3:
        view = three[0].wait_view(timeout=20)
    assert view.left == ((three[2].id, "asked"),)


def test_flush_makes_stable(three: List[isis.Site]) -> None:
    groups = join_all(three)
    process = groups[0].process
    sent = [groups[0].bcast(b"b", label="l"), groups[0].obcast(b"o")]
    groups[0].flush(timeout=20)
    for id in sent:
        status = process.status(id, timeout=20)
        assert status.state in ("sent", "stable") and status.failed == ()
    assert [m.payload for m in sorted(messages(groups[0], 2), key=lambda m: m.kind)] == [
        b"b",
        b"o",
    ]


def test_a_status_call_is_answered_by_an_event(three: List[isis.Site]) -> None:
    groups = join_all(three)
    process = groups[0].process
    sent = groups[0].bcast(b"b")
    groups[0].flush(timeout=20)
    token = process.start_status(sent)
    done = until(process, isis.Completed)
    assert (done.token, done.outcome, done.error) == (token, "answered", None)
    assert done.status is not None and done.status.state in ("sent", "stable")
    assert done.status.failed == () and done.group is None


def test_explicit_destinations(three: List[isis.Site]) -> None:
    processes = [site.process() for site in three]
    dests = [process.id for process in processes[1:]]
    processes[0].bcast_to(dests, b"b", label="l")
    processes[0].obcast_to(dests, b"o", olabel="s")
    for process in processes[1:]:
        assert sorted(m.payload for m in messages(process, 2)) == [b"b", b"o"]
    processes[0].bcast_to([processes[0].id], b"last")
    assert messages(processes[0], 1)[0].payload == b"last"


def test_one_process_in_two_groups(site: isis.Site) -> None:
    process = site.process("both")
    one, two = process.join("one", timeout=20), process.join("two", timeout=20)
    two.bcast(b"to two")
    one.bcast(b"to one")
    assert messages(one, 1)[0].payload == b"to one"
    assert messages(two, 1)[0].payload == b"to two"
    one.bcast(b"1")
    two.bcast(b"2")
    both = {m.payload: m.group for m in messages(process, 2)}
    assert both == {b"1": one.id, b"2": two.id}
    assert one.process is process and process.site is site
    found = process.group(two.id)
    assert found is not None and found.name == "two"
    one.leave(timeout=20)
    assert [m.payload for m in one if isinstance(m, isis.Message)] == []
    two.bcast(b"still there")
    assert messages(two, 1)[0].payload == b"still there"


def test_large_messages_and_all_sorts_of_buffers(three: List[isis.Site]) -> None:
    groups = join_all(three)
    large = bytes(range(256)) * 4096 * 5
    groups[0].bcast(memoryview(large)[::-1])
    groups[0].bcast(bytearray(b"array"))
    groups[0].bcast(memoryview(b"view"))
    groups[0].bcast(b"")
    expected = [large[::-1], b"array", b"view", b""]
    for group in groups:
        assert [m.payload for m in messages(group, 4)] == expected


def test_the_sample(open_sites: object) -> None:
    """As the documentation has it, for one site."""
    views: List[isis.View] = []
    with isis.Site(1, listen="127.0.0.1:0", first_view="alone") as site:
        with site.process("worker").join("orders", on_view=views.append) as group:
            group.bcast(b"enqueue 42", label="queue")
            group.obcast(b"x += 1", olabel="x")
            group.flush()
            got = set()
            for event in group:
                if isinstance(event, isis.Message):
                    got.add(event.payload)
                    if len(got) == 2:
                        break
    assert got == {b"enqueue 42", b"x += 1"}
    assert [view.number for view in views] == sorted({view.number for view in views})


def test_repr_is_short_and_telling(site: isis.Site) -> None:
    group = site.process("p").join("g", timeout=20)
    group.bcast(b"x" * 1000, label="l")
    (message,) = messages(group, 1)
    assert repr(message).startswith("<Message b1:p1@1.")
    assert len(repr(message)) < 150 and "1000 bytes" in repr(message)
    assert repr(group.view).startswith("<View 1 of \"g\": p1@1.")
    assert repr(group).startswith('<Group "g" G')
    assert repr(group.process).startswith("<Process p1@1.")
    assert repr(site).startswith("<Site 1.")
    assert repr(site.view).startswith("<SiteView 0: 1.")


def test_a_process_outside_addresses_the_group(three: List[isis.Site]) -> None:
    groups = join_all(three[:2])
    client = three[2].process("client")
    watched = client.lookup("g", timeout=20)
    assert watched.id == groups[0].id and watched.name == "g"
    assert watched.members == groups[0].members
    assert view_of(watched, 2).members == groups[0].members
    sent = watched.obcast(b"1")
    watched.bcast(b"2", label="l")
    watched.gbcast(b"3")
    watched.flush(timeout=20)
    for group in groups:
        got = messages(group, 3)
        assert [m.payload for m in got] == [b"1", b"2", b"3"]
        assert got[0].id == sent and got[0].sender == client.id
    failed = groups[1].process
    failed.bcast_to([client.id], b"last words")
    failed.close(timeout=20)
    assert [m.payload for m in messages(watched, 1)] == [b"last words"]
    assert view_of(watched, 1).left == ((failed.id, "process failed"),)
    watched.leave(timeout=20)
    with pytest.raises(isis.NotMemberError):
        watched.bcast(b"x")
    assert list(watched) == []


def test_a_lookup_finds_or_says_no(three: List[isis.Site]) -> None:
    client = three[1].process("client")
    with pytest.raises(isis.ArgumentError, match="no group"):
        client.lookup("nobody", timeout=20)
    token = client.start_lookup("nobody")
    ended = until(client, isis.Completed)
    assert (ended.token, ended.outcome) == (token, None)
    assert isinstance(ended.error, isis.ArgumentError)
    with pytest.raises(TypeError):
        client.lookup("nobody", on_message=print)  # type: ignore[call-arg]
    member = three[0].process().join("g", timeout=20)
    views: List[isis.View] = []
    token = client.start_lookup("g", on_view=views.append)
    ended = until(client, isis.Completed)
    assert (ended.token, ended.outcome, ended.group) == (token, "watching", member.id)
    eventually(lambda: len(views) == 1)
    assert member.process.lookup("g", timeout=20).id == member.id
    member.leave(timeout=20)
    eventually(lambda: len(views) == 2 and views[-1].members == ())


def test_what_a_dissolved_group_did_not_get_comes_back(three: List[isis.Site]) -> None:
    member = three[0].process().join("g", timeout=20)
    client = three[1].process("client")
    watched = client.lookup("g", timeout=20)
    member.start_leave()
    sent, events = [], []
    with pytest.raises(isis.NotMemberError):
        while True:
            sent.append(watched.bcast(b"x", label="l", timeout=20))
            while member.process.pending:
                events.append(member.process.next(timeout=20))
    client.flush(timeout=20)
    client.close(timeout=20)
    member.process.close(timeout=20)
    events.extend(member.process)
    returned = {e.id for e in client if isinstance(e, isis.Undeliverable)}
    taken = {e.id for e in events if isinstance(e, isis.Message)}
    assert returned | taken == set(sent) and not returned & taken
