"""Fixtures: systems of sites in this interpreter."""

import contextlib
from typing import Any, Callable, Iterator, List

import pytest

import isis
from readme_example import free_ports

Open = Callable[..., List[isis.Site]]


@pytest.fixture
def open_sites() -> Iterator[Open]:
    """Opens sites 1 to count that list each other; closes them at the end."""
    with contextlib.ExitStack() as stack:

        def open_sites(count: int, **options: Any) -> List[isis.Site]:
            addresses = {
                number: f"127.0.0.1:{port}"
                for number, port in enumerate(free_ports(count), 1)
            }
            sites = []
            for number, listen in addresses.items():
                peers = {n: a for n, a in addresses.items() if n != number}
                site = isis.Site(number, listen=listen, peers=peers, **options)
                stack.callback(site.close, 10)
                sites.append(site)
            return sites

        yield open_sites


@pytest.fixture
def site() -> Iterator[isis.Site]:
    """One site that is a system of its own."""
    with isis.Site(1, first_view="alone") as site:
        yield site


@pytest.fixture
def three(open_sites: Open) -> List[isis.Site]:
    """Three sites in one view."""
    sites = open_sites(3)
    for each in sites:
        each.wait_view(3, timeout=20)
    return sites
