"""What is shipped: stubs, documentation, metadata."""

import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import isis
import isis._isis
from readme_example import code

HERE = Path(__file__).parent
PACKAGE = Path(isis.__file__).parent


def run_tool(directory: Path, *arguments: str) -> None:
    tool = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert tool.returncode == 0, tool.stdout


def test_the_stubs_are_those_of_the_module(tmp_path: Path) -> None:
    # Elsewhere than the sources, so that the installed package is looked at.
    run_tool(tmp_path, "mypy.stubtest", "isis")


def test_the_types_hold_in_tests_and_examples(tmp_path: Path) -> None:
    examples = HERE.parent / "examples"
    files = [str(f) for folder in (HERE, examples) for f in folder.glob("*.py")]
    run_tool(tmp_path, "mypy", "--strict", *files)


def test_everything_has_a_docstring() -> None:
    missing = []
    for name in isis.__all__:
        value = getattr(isis, name)
        if not isinstance(value, type):
            continue
        if not inspect.getdoc(value):
            missing.append(name)
        for method in vars(value):
            if not method.startswith("_") and not inspect.getdoc(getattr(value, method)):
                missing.append(f"{name}.{method}")
    assert not missing


def test_all_that_is_public_is_exported() -> None:
    native = {name for name in isis._isis.__all__ if not name.startswith("_")}
    assert native <= set(isis.__all__)
    assert sorted(isis.__all__) == sorted(set(isis.__all__))


def test_the_distribution_says_what_it_is() -> None:
    metadata = importlib.metadata.metadata("isis-groups")
    assert metadata["Version"] == isis.__version__
    assert metadata["Requires-Python"] == ">=3.9"
    assert metadata["License-Expression"] == "MIT OR Apache-2.0"
    assert metadata.get_all("Requires-Dist") is None
    assert (PACKAGE / "py.typed").exists()
    assert (PACKAGE / "_isis.pyi").exists()


def test_the_readme_quotes_the_example() -> None:
    example = HERE.parent / "examples" / "member.py"
    assert code(HERE.parent / "README.md") == example.read_text(encoding="utf-8")
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 25
