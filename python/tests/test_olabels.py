"""Sets of streams, and comparisons of olabels that the application registers (report §3.2)."""

import threading
from typing import Callable, List, Optional

import pytest

import isis
from events import messages
from test_groups import join_all

Open = Callable[..., List[isis.Site]]


def versions(first: str, second: str) -> Optional[int]:
    """``"x3"`` is less than ``"x4"``; other letters are unrelated."""
    if first[0] != second[0]:
        return None
    return int(first[1:]) - int(second[1:])


def test_a_set_of_streams_follows_all_of_its_streams(three: List[isis.Site]) -> None:
    first, second, _ = join_all(three)
    sent = [first.obcast(b"", olabel=label) for label in ("x", "y", "x,y", "y")]
    assert [m.id for m in messages(second, 4)] == sent
    with pytest.raises(isis.ArgumentError, match="empty stream"):
        first.obcast(b"", olabel="x,")


def test_a_registered_comparison_orders(open_sites: Open) -> None:
    threads = set()

    def compare(first: str, second: str) -> Optional[int]:
        threads.add(threading.current_thread())
        return versions(first, second)

    sites = open_sites(2, olabel_order="versions", compare_olabels=compare)
    for site in sites:
        site.wait_view(2, timeout=20)
    first, second = join_all(sites)
    for label in ("x1", "y9", "x2", "y3", "x2"):
        first.obcast(label.encode(), olabel=label)
    taken = [m.olabel for m in messages(second, 5)]
    assert [label for label in taken if label and label[0] == "x"] == ["x1", "x2", "x2"]
    assert threads <= {threading.current_thread()}, "called only where an OBCAST is sent"


def test_sites_with_other_comparisons_refuse_each_other(open_sites: Open) -> None:
    with isis.Site(1, first_view="alone", olabel_order="a", compare_olabels=versions) as one:
        peers = {1: one.address}
        with isis.Site(2, peers=peers, olabel_order="b", compare_olabels=versions) as other:
            with pytest.raises(isis.IsisTimeoutError):
                other.wait_view(2, timeout=1)
            assert other.stats()["refused_handshakes"] > 0


@pytest.mark.parametrize(
    "compare, words",
    [
        (lambda first, second: -1, "contradicts itself"),
        (lambda first, second: 1 // 0, "ZeroDivisionError"),
        (lambda first, second: "x", "TypeError"),
    ],
)
def test_a_comparison_at_fault_halts_the_site(
    compare: Callable[[str, str], Optional[int]], words: str
) -> None:
    with isis.Site(
        1, first_view="alone", olabel_order="bad", compare_olabels=compare
    ) as site:
        group = site.process().join("g", timeout=20)
        with pytest.raises(isis.OlabelError, match=words) as caught:
            while True:
                # The one may be settled, and not compared any more, when the other is sent.
                group.obcast(b"", olabel="one")
                group.obcast(b"", olabel="two")
        assert '"one"' in str(caught.value) or '"two"' in str(caught.value)
        with pytest.raises(isis.OlabelError):
            while True:  # until the site's threads have heard of it
                group.bcast(b"")


def test_both_or_neither() -> None:
    with pytest.raises(isis.ArgumentError, match="go together"):
        isis.Site(1, olabel_order="versions")
    with pytest.raises(isis.ArgumentError, match="go together"):
        isis.Site(1, compare_olabels=versions)
