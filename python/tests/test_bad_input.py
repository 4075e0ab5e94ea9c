"""Arguments and circumstances that are wrong: specific exceptions, and the group carries on."""

import pickle
import socket
from typing import Any, Callable, Dict, List

import pytest

import isis
from events import eventually, messages
from readme_example import free_ports


@pytest.mark.parametrize(
    "options, words",
    [
        ({"quorum": "most"}, "quorum"),
        ({"first_view": "some"}, "first_view"),
        ({"abandon": "it"}, "abandon"),
        ({"listen": "nonsense"}, "nonsense"),
        ({"peers": {1: "127.0.0.1:9"}}, "own id"),
        ({"cluster": ""}, "cluster"),
        ({"cluster": "x" * 300}, "cluster"),
        ({"hello_interval": -1.0}, "hello_interval"),
        ({"suspect_after": float("nan")}, "suspect_after"),
    ],
)
def test_a_bad_configuration_is_told_by_its_word(
    options: Dict[str, Any], words: str
) -> None:
    with pytest.raises(isis.ArgumentError, match=words):
        isis.Site(1, **options)


def test_configuration_of_the_wrong_type() -> None:
    with pytest.raises(TypeError):
        isis.Site("one")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        isis.Site(1, peers=[2, 3])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unexpected"):
        isis.Site(1, colour="red")  # type: ignore[call-arg]


def test_configuration_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(isis.ArgumentError, match="colour"):
        isis.Site.from_config("id=1 colour=red")
    monkeypatch.delenv("ISIS_CONFIG", raising=False)
    with pytest.raises(isis.ArgumentError, match="ISIS_CONFIG"):
        isis.Site.from_config()
    monkeypatch.setenv("ISIS_CONFIG", "id=7 listen=127.0.0.1:0 first_view=alone")
    with isis.Site.from_config() as site:
        assert site.id.number == 7
        assert site.address.startswith("127.0.0.1:") and not site.address.endswith(":0")
        site.wait_view(timeout=20)


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(isis.NetworkError, match=address):
            isis.Site(1, listen=address)


def test_listening_to_the_world_takes_a_word() -> None:
    with pytest.raises((isis.ArgumentError, isis.UnsupportedError), match="insecure"):
        isis.Site(1, listen="0.0.0.0:0")


def test_names(site: isis.Site) -> None:
    process = site.process("p")
    for name in ("", "x" * 256, "a\0b"):
        with pytest.raises(isis.ArgumentError, match="group name"):
            process.join(name, timeout=20)
    with pytest.raises(TypeError):
        process.join(b"bytes", timeout=20)  # type: ignore[arg-type]
    group = process.join("g", timeout=20)
    with pytest.raises(isis.ArgumentError, match="label"):
        group.bcast(b"", label="x" * 256)
    with pytest.raises(isis.ArgumentError, match="olabel"):
        group.obcast(b"", olabel="")
    with pytest.raises(isis.ArgumentError, match="ordered=False"):
        group.obcast(b"", olabel="x", ordered=False)
    with pytest.raises((UnicodeEncodeError, isis.ArgumentError)):
        group.bcast(b"", label="\ud800")
    group.bcast(b"it goes on")
    assert messages(group, 1)[0].payload == b"it goes on"


def test_payloads(site: isis.Site) -> None:
    group = site.process().join("g", timeout=20)
    for wrong in ("text", 5, None, [1, 2]):
        with pytest.raises(TypeError, match="bytes-like"):
            group.bcast(wrong)  # type: ignore[arg-type]


def test_a_message_over_the_limit() -> None:
    with isis.Site(1, first_view="alone", max_message=1000) as site:
        group = site.process().join("g", timeout=20)
        with pytest.raises(isis.MessageTooLargeError, match="1001 bytes.*1000"):
            group.bcast(bytes(1001))
        group.bcast(bytes(1000))
        assert len(messages(group, 1)[0].payload) == 1000


def test_destination_lists(site: isis.Site) -> None:
    process = site.process()
    site.wait_view(timeout=20)
    with pytest.raises(isis.ArgumentError, match="empty"):
        process.bcast_to([], b"")
    with pytest.raises(isis.ArgumentError, match="empty"):
        process.obcast_to([], b"")
    with pytest.raises(TypeError):
        process.bcast_to([1], b"")  # type: ignore[list-item]
    with pytest.raises(isis.ArgumentError, match="site's own process"):
        process.bcast_to([isis.ProcessId(site.id, 0)], b"")
    process.bcast_to([process.id, process.id], b"to myself", label="l")
    process.bcast_to([process.id], b"again", label="l")
    first, second = messages(process, 2)
    assert (first.payload, first.group, first.view) == (b"to myself", None, None)
    assert second.payload == b"again"


@pytest.mark.parametrize("timeout", [-1, float("nan"), -float("inf")])
def test_timeouts_out_of_range(site: isis.Site, timeout: float) -> None:
    with pytest.raises(isis.ArgumentError, match="timeout"):
        site.process().next(timeout=timeout)


def test_a_group_that_was_left(site: isis.Site) -> None:
    process = site.process()
    group = process.join("g", timeout=20)
    group.leave(timeout=20)
    for call in (lambda: group.bcast(b""), lambda: group.leave(timeout=20)):
        with pytest.raises(isis.NotMemberError):
            call()
    again = process.join("g", timeout=20)
    again.bcast(b"back")
    assert messages(again, 1)[0].payload == b"back"


def test_a_site_that_was_closed() -> None:
    site = isis.Site(1, first_view="alone")
    process = site.process()
    group = process.join("g", timeout=20)
    site.close(timeout=20)
    site.close(timeout=20)
    process.close(timeout=20)
    calls: List[Callable[[], object]] = [
        lambda: site.process(),
        lambda: site.wait_view(timeout=20),
        lambda: process.join("h", timeout=20),
        lambda: process.flush(timeout=20),
        lambda: group.bcast(b""),
        lambda: group.leave(timeout=20),
    ]
    for call in calls:
        with pytest.raises(isis.ClosedError):
            call()
    assert isinstance(list(process)[-1], isis.Closed)
    assert list(group) == []
    with pytest.raises(isis.ClosedError):
        process.next(timeout=20)


def test_status_of_what_was_never_sent(site: isis.Site) -> None:
    process = site.process()
    with pytest.raises(isis.ArgumentError, match="no broadcast"):
        process.status(isis.MessageId(process.id, "bcast", 5), timeout=20)


def test_callbacks_must_be_callable_and_known(site: isis.Site) -> None:
    with pytest.raises(TypeError, match="on_view is not callable"):
        site.process("p", on_view=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="on_everything"):
        site.process("p", on_everything=print)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="on_blocked"):
        site.process().join("g", on_blocked=print)  # type: ignore[call-arg]
    site.process("p", on_view=None)


def test_running_things_cannot_be_pickled(site: isis.Site) -> None:
    process = site.process()
    group = process.join("g", timeout=20)
    view = group.view
    for handle in (site, process, group):
        with pytest.raises(TypeError, match="running thing"):
            pickle.dumps(handle)
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(view)


def test_two_live_sites_with_one_id(open_sites: Any) -> None:
    first, second = open_sites(2)
    first.wait_view(2, timeout=20)
    (port,) = free_ports(1)
    with isis.Site(2, listen=f"127.0.0.1:{port}", peers={1: first.address}) as third:
        eventually(
            lambda: third.stats()["refused_handshakes"] > 0
            or first.stats()["refused_handshakes"] > 0
        )
        group = first.process().join("g", timeout=20)
        group.bcast(b"still two")
        assert messages(group, 1)[0].payload == b"still two"
        assert len(first.wait_view(timeout=20).members) == 2
        assert second.wait_view(timeout=20).members == first.wait_view().members


def test_another_cluster(open_sites: Any, caplog: pytest.LogCaptureFixture) -> None:
    first, second = open_sites(2)
    first.wait_view(2, timeout=20)
    peers = {1: first.address, 2: second.address}
    with caplog.at_level("INFO", logger="isis"):
        with isis.Site(3, peers=peers, cluster="another") as third:
            for each in (first, third):
                eventually(lambda: each.stats()["refused_handshakes"] > 0)
            eventually(lambda: "my cluster is" in caplog.text)
            with pytest.raises(isis.IsisTimeoutError):
                third.wait_view(timeout=0)
            group = second.process().join("g", timeout=20)
            group.bcast(b"it goes on")
            assert messages(group, 1)[0].payload == b"it goes on"
            assert len(first.wait_view(timeout=20).members) == 2


def test_lists_that_disagree(caplog: pytest.LogCaptureFixture) -> None:
    one, two = (f"127.0.0.1:{port}" for port in free_ports(2))
    with caplog.at_level("INFO", logger="isis"):
        with isis.Site(1, listen=one, peers={2: two}) as first:
            with isis.Site(2, listen=two, peers={1: one, 3: "127.0.0.1:9"}):
                eventually(lambda: "lists of peers differ" in caplog.text)
                with pytest.raises(isis.IsisTimeoutError):
                    first.wait_view(timeout=0)
            with isis.Site(2, listen=two, peers={1: one}) as second:
                for each in (first, second):
                    assert len(each.wait_view(2, timeout=20).members) == 2


def test_a_name_that_does_not_resolve(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = "x" * 70 + ":7001"
    with pytest.raises(isis.NetworkError, match="x" * 70):
        isis.Site(1, listen=nowhere)
    with caplog.at_level("INFO", logger="isis"):
        with isis.Site(1, peers={2: nowhere}) as site:
            eventually(lambda: nowhere in caplog.text)
            with pytest.raises(isis.IsisTimeoutError):
                site.wait_view(timeout=0)


def test_garbage_on_the_port(site: isis.Site) -> None:
    host, port = site.address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n" * 10)
        connection.settimeout(20)
        try:
            while connection.recv(1000):
                pass
        except ConnectionResetError:
            pass
    eventually(lambda: site.stats()["garbage_connections"] > 0)
    silent = socket.create_connection((host, int(port)))
    eventually(lambda: site.stats()["half_open_connections"] > 0)
    silent.close()
    group = site.process().join("g", timeout=20)
    group.bcast(b"it goes on")
    assert messages(group, 1)[0].payload == b"it goes on"
