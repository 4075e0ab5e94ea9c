"""The store of a site: what the next incarnation knows, and who may have it open."""

from pathlib import Path

import isis
import pytest


def test_a_restarted_site_goes_on_from_its_store(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with isis.Site(1, store=store) as site:
        before = (site.id, site.wait_view().number)
    with isis.Site(1, store=store) as site:
        after = (site.id, site.wait_view().number)
    assert after[0].incarnation > before[0].incarnation
    assert after[1] == before[1] + 1


def test_a_store_has_one_site_at_a_time(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with isis.Site(1, store=store):
        with pytest.raises(isis.BusyError, match="directory of its own"):
            isis.Site(1, store=store)
    with pytest.raises(isis.ProtocolError, match="site 1"):
        isis.Site(2, store=store)


def test_damage_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with isis.Site(1, store=str(store)) as site:
        site.wait_view()
    log = store / "site.log"
    held = bytearray(log.read_bytes())
    held[30] ^= 1
    log.write_bytes(held)
    with pytest.raises(isis.ProtocolError, match="damaged"):
        isis.Site(1, store=str(store))
