"""Isis: process groups with ordered, atomic broadcasts that survive crashes.

After Birman and Joseph, "Reliable Communication in an Unreliable Environment" (TR 85-694, 1985):
paragraph numbers (§) in the docstrings are those of the report.

    with isis.Site(1, listen="127.0.0.1:7001", peers={2: "127.0.0.1:7002"}) as site:
        with site.process("worker").join("orders") as group:
            group.bcast(b"enqueue 42", label="queue")
            for event in group:
                ...

A :class:`Site` is one running instance of the library, a :class:`Process` an endpoint at it, a
:class:`Group` its membership in a group, or its watch of one. Events are :class:`Message`, :class:`View`,
:class:`SiteView`, :class:`Blocked`, :class:`Unblocked`, :class:`Writable`, :class:`Completed`,
:class:`Undeliverable`, :class:`Excluded` and :class:`Closed`. All exceptions derive from :class:`IsisError`. The library
logs to ``logging.getLogger("isis")``, whose level decides what it logs.
"""

from typing import Union

from ._errors import (
    ArgumentError,
    BlockedError,
    BusyError,
    ClosedError,
    ExcludedError,
    FlowControlError,
    ForkedError,
    InternalError,
    IsisError,
    IsisTimeoutError,
    MessageTooLargeError,
    NetworkError,
    NotMemberError,
    OlabelError,
    ProtocolError,
    UnsupportedError,
)
from ._isis import (
    Blocked,
    Closed,
    Completed,
    Excluded,
    Group,
    GroupId,
    Message,
    MessageId,
    Process,
    ProcessId,
    Site,
    SiteId,
    SiteView,
    Status,
    Unblocked,
    Undeliverable,
    View,
    Writable,
    __version__,
)

Event = Union[
    Message,
    View,
    SiteView,
    Blocked,
    Unblocked,
    Writable,
    Completed,
    Undeliverable,
    Excluded,
    Closed,
]
"""Whatever a process receives."""

__all__ = [
    "ArgumentError",
    "Blocked",
    "BlockedError",
    "BusyError",
    "Closed",
    "ClosedError",
    "Completed",
    "Event",
    "Excluded",
    "ExcludedError",
    "FlowControlError",
    "ForkedError",
    "Group",
    "GroupId",
    "InternalError",
    "IsisError",
    "IsisTimeoutError",
    "Message",
    "MessageId",
    "MessageTooLargeError",
    "NetworkError",
    "NotMemberError",
    "OlabelError",
    "Process",
    "ProcessId",
    "ProtocolError",
    "Site",
    "SiteId",
    "SiteView",
    "Status",
    "Unblocked",
    "Undeliverable",
    "UnsupportedError",
    "View",
    "Writable",
    "__version__",
]

for _name in __all__:
    # Everything is isis.Name, wherever it is defined.
    _object = globals()[_name]
    if isinstance(_object, type) and issubclass(_object, IsisError):
        _object.__module__ = "isis"
del _name, _object
