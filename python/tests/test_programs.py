"""Whole programs: examples, Ctrl-C, SIGKILL, exclusion, forks, subinterpreters, the end."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Iterator, List, cast

import pytest

from readme_example import free_ports, orders, run

HERE = Path(__file__).parent


class Program:
    """A program of the test's that prints lines."""

    def __init__(self, text: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", text, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: List[str] = []

    def line(self, start: str = "") -> str:
        """The next line that starts so."""
        for line in cast(IO[str], self.process.stdout):
            self.lines.append(line)
            if line.startswith(start):
                return line.strip()
        raise AssertionError("".join(self.lines))

    def end(self) -> str:
        """Waits for a good end; the rest of what it printed."""
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, "".join(self.lines) + output
        return output


@pytest.fixture
def programs() -> Iterator[List[Program]]:
    """Ends what a test started."""
    started: List[Program] = []
    yield started
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate()


def test_the_example() -> None:
    printed = run(HERE.parent / "examples" / "member.py")
    sequences = {tuple(orders(output)) for output in printed}
    assert len(sequences) == 1
    assert len(sequences.pop()) == len(printed)


CTRL_C = """
import os, signal, sys, time, isis
# A shell starts what it leaves in the background with Ctrl-C ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
site = isis.Site(1, peers={2: "127.0.0.1:9"})
process = site.process("waits")
print("ready")
try:
    eval(sys.argv[1])
except KeyboardInterrupt:
    print("interrupted", time.monotonic())
    os._exit(0)
"""


@pytest.mark.parametrize(
    "call",
    [
        "process.next()",
        "next(process)",
        "process.next_batch()",
        "process.join('g')",
        "site.wait_view(2)",
    ],
)
def test_ctrl_c(call: str, programs: List[Program]) -> None:
    delays = []
    for _ in range(3):
        program = Program(CTRL_C, call)
        programs.append(program)
        program.line("ready")
        time.sleep(0.2)  # until it waits, which nothing shows
        sent = time.monotonic()
        program.process.send_signal(signal.SIGINT)
        delays.append(float(program.line("interrupted").split()[1]) - sent)
        program.end()
    assert min(delays) < 0.1, delays


MEMBER = """
import sys, isis
number, *addresses = sys.argv[1:]
peers = {n: a for n, a in enumerate(addresses, 1) if n != int(number)}
site = isis.Site(int(number), listen=addresses[int(number) - 1], peers=peers,
                 hello_interval=0.05, suspect_after=0.5)
group = site.process("member").join("g")
try:
    for event in group:
        if isinstance(event, isis.View):
            print("view", len(event.members))
            if number == "1" and len(event.members) < 3 and event.left:
                print("left", event.left[0][1])
                group.bcast(b"go on")
        elif isinstance(event, isis.Message):
            print("message", event.payload.decode())
            break
        elif isinstance(event, isis.Excluded):
            print("excluded")
    else:
        process = group.process
        process.next()
except isis.ExcludedError as e:
    print("ExcludedError")
site.close(10)
print("closed")
"""


def start_members(programs: List[Program]) -> None:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    for number in (1, 2, 3):
        programs.append(Program(MEMBER, number, *addresses))
    for program in programs:
        program.line("view 3")


def test_sigkill_of_a_member(programs: List[Program]) -> None:
    start_members(programs)
    programs[2].process.send_signal(signal.SIGKILL)
    programs[0].line("left site failed")
    for program in programs[:2]:
        program.line("message go on")
        program.end()


def test_a_paused_site_learns_that_it_was_excluded(programs: List[Program]) -> None:
    start_members(programs)
    programs[2].process.send_signal(signal.SIGSTOP)
    programs[0].line("left site failed")
    programs[2].process.send_signal(signal.SIGCONT)
    programs[2].line("excluded")
    programs[2].line("ExcludedError")
    programs[2].end()


FORK = """
import os, gc, isis
with isis.Site(1, first_view="alone") as site:
    process = site.process("p", on_view=lambda view: None)
    group = process.join("g", timeout=20)
    child = os.fork()
    if child == 0:
        calls = [site.process, lambda: site.wait_view(timeout=1), process.fileno,
                 lambda: process.next(timeout=1), lambda: group.bcast(b"x"),
                 lambda: group.flush(timeout=1), lambda: group.view, site.close]
        refused = 0
        for call in calls:
            try:
                call()
            except isis.ForkedError:
                refused += 1
        del group, process, site, calls, call
        gc.collect()
        with isis.Site(2, first_view="alone") as mine:
            mine.process().join("mine", timeout=20)
        print("child", refused, flush=True)
        raise SystemExit(0)
    _, status = os.waitpid(child, 0)
    group.bcast(b"parent goes on")
    while not isinstance(event := group.next(timeout=20), isis.Message):
        pass
    print("parent", os.waitstatus_to_exitcode(status), event.payload.decode())
"""


def test_a_forked_child_is_refused(programs: List[Program]) -> None:
    if sys.version_info >= (3, 12):
        text = "import warnings; warnings.simplefilter('ignore')\n" + FORK
    else:
        text = FORK
    program = Program(text)
    programs.append(program)
    assert program.line("child") == "child 8"
    assert program.line("parent") == "parent 0 parent goes on"
    program.end()


END = """
import threading, isis
site = isis.Site(1, first_view="alone")
process = site.process("left open", on_message=lambda m: seen.set())
seen = threading.Event()
group = process.join("g", timeout=20)
threading.Thread(target=lambda: list(site.process()), daemon=True).start()
group.bcast(b"x")
assert seen.wait(20)
print("at the end")
"""


def test_a_program_that_closes_nothing_ends_well(programs: List[Program]) -> None:
    for _ in range(5):
        program = Program(END)
        programs.append(program)
        program.line("at the end")
        start = time.monotonic()
        assert program.end() == ""
        assert time.monotonic() - start < 10


SUBINTERPRETER = """
import isis
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
inner = interpreters.create()
try:
    failed = interpreters.run_string(inner, "import isis")
    print(getattr(failed, "formatted", "no failure"))
except Exception as e:
    print(e)
"""


def test_a_subinterpreter_is_refused(programs: List[Program]) -> None:
    program = Program(SUBINTERPRETER)
    programs.append(program)
    assert "ImportError" in program.end()


LOG = """
import logging, sys, isis
logging.basicConfig(stream=sys.stdout, format="%(name)s %(levelname)s %(message)s")
logging.getLogger("isis").setLevel(getattr(logging, sys.argv[1]))
site = isis.Site(1, first_view="alone")
site.wait_view(timeout=20)
site.close(20)
"""


def test_the_library_logs_to_logging(programs: List[Program]) -> None:
    for level, expected in (("DEBUG", True), ("CRITICAL", False)):
        program = Program(LOG, level)
        programs.append(program)
        lines = program.end().splitlines()
        assert all(line.startswith("isis") for line in lines)
        assert bool(lines) == expected, lines


LEFT_BEHIND = """
import gc, os, time, isis

def count():
    gc.collect()
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

def once():
    with isis.Site(1, first_view="alone") as site:
        process = site.process("p", on_view=lambda view: None)
        process.fileno()
        process.join("g", timeout=20).bcast(b"x")

def settled():
    # This thread and the one that logs remain.
    end = time.monotonic() + 20
    while count()[1] > 2 and time.monotonic() < end:
        time.sleep(0.01)
    return count()

once()
before = settled()
for _ in range(20):
    once()
after = settled()
assert after == before, (before, after)
"""


def test_nothing_is_left_behind(programs: List[Program]) -> None:
    program = Program(LEFT_BEHIND)
    programs.append(program)
    program.end()
