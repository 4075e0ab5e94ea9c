"""The exceptions of isis, by what the caller can do about them.

Unless a class says otherwise, nothing was changed when it was raised.
"""

from __future__ import annotations


class IsisError(Exception):
    """The base of all exceptions of isis."""


class ClosedError(IsisError):
    """The site, process or group has been closed or left. Open or join anew."""


class ExcludedError(ClosedError):
    """The other sites agreed that this one had failed ("you are dead", report §4.1).

    Everything of this site is closed. Open a new :class:`isis.Site`; it joins as a new incarnation.
    """


class FlowControlError(IsisError, BlockingIOError):
    """A send would have had to wait and was told not to. Nothing was sent.

    A :class:`isis.Writable` event follows when the send may be tried again.
    """


class IsisTimeoutError(IsisError, TimeoutError):
    """The time given ran out.

    An operation that was started (join, leave, flush, close) goes on; its outcome comes as a
    :class:`isis.Completed` event. A send that ran out of time was not sent.
    """


class BlockedError(IsisError):
    """No quorum of the site view is reachable (report §4.2). It goes on by itself when one is."""


class BusyError(IsisError):
    """A blocking call was made from inside a callback. Use ``timeout=0`` or a ``start_`` method."""


class NotMemberError(IsisError):
    """The process is not, or no longer, a member of the group."""


class ArgumentError(IsisError, ValueError):
    """An argument or a word of the configuration is wrong; the text says what was expected."""


class MessageTooLargeError(ArgumentError):
    """The message is larger than the site's ``max_message``."""


class NetworkError(IsisError, OSError):
    """The operating system refused something, for instance the port is in use."""


class ForkedError(IsisError):
    """The object belongs to the parent process: it was made before a fork."""


class ProtocolError(IsisError):
    """A peer broke the protocol."""


class UnsupportedError(IsisError, NotImplementedError):
    """Not available in this build or configuration."""


class OlabelError(IsisError):
    """The registered comparison of olabels raised or contradicts itself; the text names both olabels.

    The site has halted: close it and mend the comparison.
    """


class InternalError(IsisError):
    """An invariant of the library broke, and the site has halted. Please report it."""
