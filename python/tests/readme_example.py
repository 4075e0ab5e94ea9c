"""Runs the example of a README as three sites, with this interpreter: readme_example.py README.md"""

import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

MEMBERS = 3


def code(readme: Path) -> str:
    """The Python program between the marks in the README."""
    found = re.search(
        r"<!-- member\.py -->\n```python\n(.*?)```\n<!-- end -->",
        readme.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found, f"no example in {readme}"
    return found.group(1)


def free_ports(count: int) -> List[int]:
    """Ports that nobody listens on at present."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def run(program: Path, timeout: float = 60.0) -> List[str]:
    """What each of the members printed. Fails unless all end well."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(MEMBERS)]
    members = []
    for number, listen in enumerate(addresses, 1):
        others = [f"{n}@{a}" for n, a in enumerate(addresses, 1) if n != number]
        members.append(
            subprocess.Popen(
                [sys.executable, str(program), str(number), listen, *others],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    printed = []
    try:
        for member in members:
            output, _ = member.communicate(timeout=timeout)
            assert member.returncode == 0, output
            printed.append(output)
    finally:
        for member in members:
            if member.poll() is None:
                member.kill()
                member.communicate()
    return printed


def orders(printed: str) -> List[str]:
    """The numbered lines, in order."""
    return re.findall(r"^\d+ .*$", printed, re.MULTILINE)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "member.py"
        program.write_text(code(Path(sys.argv[1])), encoding="utf-8")
        printed = run(program)
    print("\n".join(printed))
    assert len(orders(printed[0])) == MEMBERS, "orders are missing"
    assert all(orders(each) == orders(printed[0]) for each in printed), "not one order"
    print("the README's example ran")


if __name__ == "__main__":
    main()
