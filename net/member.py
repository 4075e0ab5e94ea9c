"""A member of the tests on real networks: offers a load, and says what it is delivered.

    member.py <configuration>

It does what member.c does, whose head says what the lines and the orders mean.
"""

import logging
import os
import select
import sys
import time

import isis

SIZE = 64
BURST = 64
TICK = 0.005
MASK = 0xFFFF_FFFF_FFFF_FFFF
KIND = {"obcast": "o", "bcast": "b", "gbcast": "g"}
CODE = {"o": 0, "b": 1, "g": 2}


def mixed(value):
    """SplitMix64's mixing."""
    value = (value + 0x9E37_79B9_7F4A_7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58_476D_1CE4_E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D0_49BB_1331_11EB) & MASK
    return value ^ (value >> 31)


def names(sites):
    return ",".join(f"{site.number}.{site.incarnation}" for site in sites)


class Orders:
    """What it was told; this outlives the incarnation."""

    def __init__(self):
        self.join = self.quit = False
        self.rate = self.slow = 0.0
        self.kinds = "bo"
        self.partial = b""

    def read(self):
        """The lines that have come on standard input."""
        got = os.read(sys.stdin.fileno(), 4096)
        if not got:
            return ["quit"]  # whoever started this program has gone
        *lines, self.partial = (self.partial + got).split(b"\n")
        return [line.decode() for line in lines]


class Member:
    """One incarnation."""

    def __init__(self, configuration, orders):
        self.orders = orders
        self.site = isis.Site.from_config(configuration)
        self.process = self.site.process("net")
        self.group = None
        self.writable, self.excluded = True, False
        self.sent = {"o": 0, "b": 0, "g": 0}
        self.load_since = self.slow_since = time.monotonic()
        self.offered = self.taken_slowly = 0
        self.alone_count = self.alone_left = self.alone_ns = 0
        self.alone_kind, self.alone_since = "o", None
        self.received = {}
        self.messages = self.order = self.set = 0
        print(f"open me={names([self.process.id.site])}")
        if orders.join:
            self.process.start_join("net")

    # --- what the group delivers ---

    def take(self, event):
        if isinstance(event, isis.Message):
            self.on_message(event)
        elif isinstance(event, isis.View):
            members = names(member.site for member in event.members)
            print(
                f"view number={event.number} at={time.monotonic_ns()} members={members}"
                f" messages={self.messages} order={self.order:x} set={self.set:x}"
                f" in_flight={self.in_flight()}"
            )
            self.messages = self.order = self.set = 0
        elif isinstance(event, isis.SiteView):
            print(
                f"siteview number={event.number} at={time.monotonic_ns()}"
                f" epoch={event.epoch:032x} members={names(event.members)}"
            )
        elif isinstance(event, isis.Writable):
            self.writable = True
        elif isinstance(event, isis.Completed):
            if event.outcome == "joined":
                self.group = self.process.group(event.group)
                self.load_begins()
        elif isinstance(event, isis.Blocked):
            print(f"blocked at={time.monotonic_ns()}")
        elif isinstance(event, isis.Unblocked):
            print(f"unblocked at={time.monotonic_ns()}")
        elif isinstance(event, isis.Excluded):
            print(f"excluded at={time.monotonic_ns()}")
            self.excluded = True
        elif isinstance(event, isis.Closed) and not self.excluded and not self.orders.quit:
            sys.exit("the site has ended")

    def on_message(self, message):
        number = int.from_bytes(message.payload[:8], "little")
        site, kind = message.sender.site, KIND[message.kind]
        received = self.received.setdefault((site, kind), [number, 0, 0])
        received[1] = max(received[1], number)
        received[2] += 1
        name = mixed(site.incarnation ^ mixed(number) ^ CODE[kind])
        self.messages += 1
        self.set = (self.set + name) & MASK
        if kind != "o":
            self.order = mixed(self.order ^ name)

    def in_flight(self):
        return self.site.stats()["in_flight_messages"]

    # --- the load ---

    def load_begins(self):
        self.load_since, self.offered = time.monotonic(), 0

    def offer(self):
        """Catches up with the rate. What back-pressure kept back is not made up for."""
        orders = self.orders
        if self.group is None or not orders.rate or self.excluded:
            return
        due = (time.monotonic() - self.load_since) * orders.rate
        burst = 0
        while self.writable and burst < BURST and self.offered < due:
            kind = orders.kinds[sum(self.sent.values()) % len(orders.kinds)]
            try:
                self.send(kind)
            except isis.FlowControlError:
                self.writable = False
                self.load_begins()
                return
            except (isis.ExcludedError, isis.ClosedError):
                return  # the event is on its way
            self.offered += 1
            burst += 1

    def send(self, kind):
        payload = (self.sent[kind] + 1).to_bytes(8, "little").ljust(SIZE, b"\0")
        if kind == "o":
            self.group.obcast(payload, block=False)
        elif kind == "b":
            self.group.bcast(payload, label="net", block=False)
        else:
            self.group.gbcast(payload, block=False)
        self.sent[kind] += 1

    def offer_alone(self):
        """The next of those that are sent alone."""
        if not self.alone_count or self.in_flight():
            return
        if self.alone_since is not None:
            self.alone_ns += time.monotonic_ns() - self.alone_since
            self.alone_left -= 1
            self.alone_since = None
        if not self.alone_left:
            print(f"alone mean_ns={self.alone_ns // self.alone_count}")
            self.alone_count = 0
        else:
            self.send(self.alone_kind)
            self.alone_since = time.monotonic_ns()

    # --- orders ---

    def obey(self, line):
        orders = self.orders
        word, *rest = line.split()
        if word == "join":
            orders.join = True
            self.process.start_join("net")
        elif word == "start":
            orders.rate, orders.kinds = float(rest[0]), rest[1]
            self.load_begins()
        elif word == "stop":
            orders.rate = 0.0
            print("stopped b={b} o={o} g={g}".format(**self.sent))
        elif word == "alone":
            self.alone_count = self.alone_left = int(rest[0])
            self.alone_kind, self.alone_ns = rest[1], 0
        elif word == "slow":
            orders.slow = float(rest[0])
            self.slow_since, self.taken_slowly = time.monotonic(), 0
        elif word == "report":
            self.report()
        else:
            orders.quit = True

    def report(self):
        for (site, kind), (first, last, count) in self.received.items():
            print(f"from site={names([site])} kind={kind} first={first} last={last} count={count}")
        print(f"reported in_flight={self.in_flight()}")

    def appetite(self):
        """How many events it may take now."""
        if not self.orders.slow:
            return 4 * BURST
        due = (time.monotonic() - self.slow_since) * self.orders.slow - self.taken_slowly
        return min(int(max(due, 0)), BURST)

    def run(self):
        stdin, events = sys.stdin.fileno(), self.process.fileno()
        while not self.orders.quit and not self.excluded:
            most = self.appetite()
            self.offer()
            self.offer_alone()
            tick = 0.001 if self.alone_count else TICK
            # A slow member does not look at what it will not take.
            ready, _, _ = select.select([stdin, events] if most else [stdin], [], [], tick)
            if events in ready:
                self.dispatch(most)
            if stdin in ready:
                for line in self.orders.read():
                    self.obey(line)

    def dispatch(self, most):
        try:
            batch = self.process.next_batch(most, timeout=0)
        except isis.IsisTimeoutError:
            return  # the ring came late
        self.taken_slowly += len(batch)
        for event in batch:
            self.take(event)

    def close(self):
        try:
            self.site.close(5)
        except isis.IsisTimeoutError:
            pass  # the others find out by themselves


def main(configuration):
    orders = Orders()
    while not orders.quit:
        member = Member(configuration, orders)
        member.run()
        member.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.reconfigure(line_buffering=True)
    logging.basicConfig(level=logging.INFO, format="%(created).3f %(name)s: %(message)s")
    main(sys.argv[1])
