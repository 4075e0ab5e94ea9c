"""A member of the demonstration: sends its share of a text, each line by BCAST and each word by
OBCAST, and applies what the group delivers to its replica. The main thread sends, waiting where
back-pressure says so; callbacks, on a thread of the library, apply.

    member.py <configuration> <text> <place> <sites> <base> start|resume

It does what member.c does, whose head says what the messages mean and why the answer to a member
that resumes is exact.
"""

import queue
import sys
import threading
import time
import zlib

import isis

PROGRESS_NS = 20_000_000


class Text:
    """Lines and words, both numbered from 0 through the whole text."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.lines = file.read().split(b"\n")
        if not self.lines[-1]:
            self.lines.pop()
        self.words = []
        self.first_word = []
        for line in self.lines:
            self.first_word.append(len(self.words))
            self.words += line.split()
        self.first_word.append(len(self.words))


class Items:
    """Numbered lines or words in order of delivery."""

    def __init__(self):
        self.list = []
        self.joined = 0  # how many there were when a member last joined

    def add(self, payload):
        number, _, item = payload[1:].partition(b" ")
        self.list.append((int(number), item))
        return item

    def ranges(self, start, end):
        """Which numbers are in, as "0-17,20-40" (ends excluded), "-" if none."""
        found = []
        for number in sorted({n for n, _ in self.list if start <= n < end}):
            if found and found[-1][1] == number:
                found[-1][1] = number + 1
            else:
                found.append([number, number + 1])
        return ",".join(f"{first}-{last}" for first, last in found) or "-"


def say(line):
    """For whoever watches; in one piece, since two threads say things."""
    sys.stdout.write(line + "\n")


def read_ranges(text):
    for part in text.split(",") if text != "-" else ():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last))


def chain(digest, value):
    return (digest * 6364136223846793005 + value + 1) & 0xFFFF_FFFF_FFFF_FFFF


def queue_digest(items):
    digest = 0
    for number, line in items:
        digest = chain(chain(digest, number), zlib.crc32(line))
    return digest


def tally_of(items):
    tally = {}
    for _, word in items:
        tally[word] = tally.get(word, 0) + 1
    return tally


def tally_digest(tally):
    digest = 0
    for word, count in sorted(tally.items()):
        digest = chain(chain(digest, zlib.crc32(word)), count)
    return digest


class Member:
    """The replica, and what the callbacks tell the main thread."""

    def __init__(self, configuration, text, place, sites, base, mode):
        self.text = Text(text)
        self.place, self.sites, self.base = int(place), int(sites), base
        self.resume = mode == "resume"
        self.lines, self.words, self.tally = Items(), Items(), {}
        self.members = ()
        self.asked = {}  # questions not yet answered: place -> (asker, nonce, numbers)
        self.done = set()
        self.sent = self.told = self.told_after = 0
        self.orders = queue.SimpleQueue()
        self.may_send = threading.Event()
        lines = len(self.text.lines)
        self.share = range(lines * self.place // self.sites, lines * (self.place + 1) // self.sites)
        first_word = self.text.first_word
        self.word_share = range(first_word[self.share.start], first_word[self.share.stop])
        self.lines_in, self.words_in = set(), set()
        self.site = isis.Site.from_config(configuration)
        self.process = self.site.process(
            "demo",
            on_message=self.on_message,
            on_view=self.on_view,
            on_site_view=self.on_site_view,
            on_excluded=self.on_excluded,
        )
        self.id = self.process.id
        self.nonce = str(self.id.site.incarnation)
        say(f"open incarnation={self.nonce}")

    # --- callbacks ---

    def on_message(self, message):
        payload = message.payload
        kind = payload[:1]
        if kind == b"W":
            word = self.words.add(payload)
            self.tally[word] = self.tally.get(word, 0) + 1
        elif kind == b"L":
            self.lines.add(payload)
        else:
            self.on_other(kind, payload[1:].decode().split(" "), message.sender)
        self.told_after += 1
        if self.told_after >= 64:
            self.told_after = 0
            self.tell_progress()

    def on_other(self, kind, fields, sender):
        if kind == b"D":
            self.done.add(int(fields[0]))
            if len(self.done) == self.sites:
                self.tell_progress(at_once=True)
                say("complete")
        elif kind == b"A":
            self.asked[int(fields[0])] = (sender, fields[1], [int(field) for field in fields[2:]])
            self.orders.put("answer")
        elif kind == b"H":
            nonce, lines, words = fields
            self.asked = {place: ask for place, ask in self.asked.items() if ask[1] != nonce}
            if nonce == self.nonce and not self.may_send.is_set():
                self.lines_in, self.words_in = set(read_ranges(lines)), set(read_ranges(words))
                missing = len(self.share) - len(self.lines_in)
                missing_words = len(self.word_share) - len(self.words_in)
                say(f"resume missing_lines={missing} missing_words={missing_words}")
                self.may_send.set()

    def on_view(self, view):
        at = time.monotonic_ns()
        members = ",".join(f"{m.site.number}.{m.site.incarnation}" for m in view.members)
        say(f"view number={view.number} at={at} members={members}")
        self.members = view.members
        if view.joined:
            self.lines.joined, self.words.joined = len(self.lines.list), len(self.words.list)
        if not self.resume and len(view.members) == self.sites:
            self.may_send.set()
        self.orders.put("answer")

    def on_site_view(self, view):
        at = time.monotonic_ns()
        members = ",".join(f"{site.number}.{site.incarnation}" for site in view.members)
        say(f"siteview number={view.number} at={at} members={members}")

    def on_excluded(self, _event):
        sys.stderr.write("excluded from the site view\n")
        self.orders.put("quit")

    def tell_progress(self, at_once=False):
        now = time.monotonic_ns()
        if at_once or now - self.told > PROGRESS_NS:
            self.told = now
            say(
                f"progress sent={self.sent} of={len(self.share)}"
                f" lines={len(self.lines.list)} words={len(self.words.list)}"
            )

    # --- the main thread ---

    def run(self):
        group = self.process.join("demo")
        threading.Thread(target=self.listen, daemon=True).start()
        if self.resume:
            lines, words = self.share, self.word_share
            numbers = f"{lines.start} {lines.stop} {words.start} {words.stop}"
            group.bcast(f"A{self.place} {self.nonce} {numbers}".encode(), label="demo")
        while not self.may_send.wait(0.02):
            self.obey(group)
        for line in self.share:
            self.send(group, line)
            self.sent += 1
            self.obey(group)
        group.bcast(f"D{self.place}".encode(), label="demo")
        while self.obey(group, wait=True):
            pass
        self.site.close(5)

    def send(self, group, line):
        text = self.text
        for word in range(text.first_word[line], text.first_word[line + 1]):
            if word not in self.words_in:
                group.obcast(b"W%d %s" % (word, text.words[word]))
        if line + 1 == self.share.stop:
            say("last")  # before it is sent: what was not said before a kill was not sent
        if line not in self.lines_in:
            group.bcast(b"L%d %s" % (line, text.lines[line]), label="demo")

    def listen(self):
        for line in sys.stdin:
            self.orders.put(line.strip())
        self.orders.put("quit")  # whoever started this program has gone

    def obey(self, group, wait=False):
        """Does what callbacks and standard input ask for; whether to go on."""
        while wait or not self.orders.empty():
            order = self.orders.get()
            if order == "answer":
                self.answer(group)
            elif order == "report":
                self.report()
            elif order == "quit":
                if not wait:
                    sys.exit(1)
                return False
        return True

    def answer(self, group):
        """Answers members that came back, if this is the oldest other member."""
        for place, (asker, nonce, numbers) in list(self.asked.items()):
            others = [member for member in self.members if member != asker]
            if others and others[0] == self.id:
                self.asked.pop(place, None)
                lines, words = self.lines.ranges(*numbers[:2]), self.words.ranges(*numbers[2:])
                group.bcast(f"H{nonce} {lines} {words}".encode(), label="demo")

    def report(self):
        for extension, items in ("queue", self.lines), ("words", self.words):
            with open(f"{self.base}.{extension}", "wb") as file:
                file.writelines(b"%d %s\n" % item for item in items.list)
        with open(f"{self.base}.tally", "wb") as file:
            file.writelines(b"%d %s\n" % (count, word) for word, count in self.tally.items())
        lines, words = self.lines, self.words
        say(
            f"report incarnation={self.nonce}"
            f" queue={queue_digest(lines.list):x} tally={tally_digest(self.tally):x}"
            f" queue_since={queue_digest(lines.list[lines.joined:]):x}"
            f" tally_since={tally_digest(tally_of(words.list[words.joined:])):x}"
        )


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    sys.stdout.reconfigure(line_buffering=True)
    Member(*sys.argv[1:]).run()
