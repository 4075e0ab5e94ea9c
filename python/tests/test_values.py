"""Names and exceptions: values that need no site."""

import pickle

import pytest

import isis

SITE = isis.SiteId(2, 17)
PROCESS = isis.ProcessId(SITE, 3)
VALUES = [
    SITE,
    PROCESS,
    isis.MessageId(PROCESS, "bcast", 9),
    isis.GroupId(PROCESS, 4),
]
KINDS = [type(value).__name__ for value in VALUES]


@pytest.mark.parametrize("value", VALUES, ids=KINDS)
def test_names_are_values(value: object) -> None:
    copy = pickle.loads(pickle.dumps(value))
    assert copy == value and hash(copy) == hash(value) and copy is not value
    assert eval(repr(value), vars(isis).copy()) == value
    assert value != "something else"
    assert {value: 1}[copy] == 1
    with pytest.raises(TypeError):
        value < 5  # type: ignore[operator]
    with pytest.raises(AttributeError):
        value.number = 8  # type: ignore[attr-defined]


def test_names_tell_their_parts() -> None:
    assert (SITE.number, SITE.incarnation, str(SITE)) == (2, 17, "2.17")
    assert (PROCESS.site, PROCESS.index, str(PROCESS)) == (SITE, 3, "p3@2.17")
    message = isis.MessageId(PROCESS, "obcast", 9)
    assert (message.sender, message.kind, message.seq) == (PROCESS, "obcast", 9)
    group = isis.GroupId(PROCESS, 4)
    assert (group.founder, group.seq) == (PROCESS, 4)


def test_names_are_ordered() -> None:
    assert isis.SiteId(1, 9) < isis.SiteId(2, 1) < isis.SiteId(2, 2)
    assert isis.ProcessId(SITE, 1) < isis.ProcessId(SITE, 2)
    first, second = (isis.MessageId(PROCESS, "bcast", n) for n in (1, 2))
    assert first < second and sorted([second, first]) == [first, second]


def test_a_name_must_make_sense() -> None:
    with pytest.raises(isis.ArgumentError, match="kind"):
        isis.MessageId(PROCESS, "multicast", 1)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        isis.SiteId(-1, 0)
    with pytest.raises(TypeError):
        isis.ProcessId(2, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind, base",
    [
        (isis.ExcludedError, isis.ClosedError),
        (isis.FlowControlError, BlockingIOError),
        (isis.IsisTimeoutError, TimeoutError),
        (isis.ArgumentError, ValueError),
        (isis.MessageTooLargeError, isis.ArgumentError),
        (isis.NetworkError, OSError),
        (isis.UnsupportedError, NotImplementedError),
    ],
)
def test_exceptions_are_also_of_pythons_kinds(kind: type, base: type) -> None:
    assert issubclass(kind, base)


def test_every_exception_is_an_isis_error_and_says_what_to_do() -> None:
    kinds = [
        value
        for value in vars(isis).values()
        if isinstance(value, type) and issubclass(value, BaseException)
    ]
    assert len(kinds) == 16
    for kind in kinds:
        assert issubclass(kind, isis.IsisError)
        assert kind.__doc__ and kind.__module__ == "isis"
        assert isinstance(pickle.loads(pickle.dumps(kind("why"))), kind)


def test_events_and_handles_are_made_by_the_library_alone() -> None:
    for kind in (isis.Message, isis.View, isis.Blocked, isis.Process, isis.Group):
        with pytest.raises(TypeError):
            kind()
        with pytest.raises(TypeError):

            class Derived(kind):  # type: ignore[misc, valid-type]
                pass
