"""A site records its history; ``isis audit`` has tests of its own."""

import json
from pathlib import Path
from typing import Any

import isis
import pytest


def lines(folder: Path) -> list[Any]:
    (file,) = folder.iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


def take_part(site: isis.Site) -> isis.SiteId:
    group = site.process("member").join("g", timeout=20)
    group.bcast(b"hello", label="l")
    group.process.flush(timeout=20)
    return site.id


def test_a_folder_named_by_the_program(tmp_path: Path) -> None:
    folder = tmp_path / "histories"
    with isis.Site(1, first_view="alone", record=folder) as site:
        me = take_part(site)
        assert site.stats()["history_failed"] == 0
    head, *rest = lines(folder)
    assert (head["format"], head["version"]) == ("isis history", 1)
    assert head["site"] == str(me)
    (send,) = [line["send"] for line in rest if "send" in line]
    assert (send["label"], send["length"]) == ({"bcast": "l"}, 5)
    assert rest[-1]["end"]["why"] == "closed"


def test_a_folder_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISIS_RECORD", str(tmp_path))
    with isis.Site(1, first_view="alone") as site:
        take_part(site)
    assert any("flush" in line for line in lines(tmp_path))
