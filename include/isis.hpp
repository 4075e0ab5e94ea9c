/* isis.hpp: isis.h for C++17. Header-only; link what isis.h needs (isis::isis, or -lisis).
 *
 * isis.h says what each call does, which threads may make it, whether it blocks, and what the codes
 * mean; the constants (ISIS_WAIT, ISIS_EVENT_VIEW, ...) are used as they are there. Here is what
 * differs:
 * - A code that tells of a failure becomes an exception: Error, or one derived from it, which has the
 *   code and the text of isis_last_error().
 * - Site and Process own their handles; they can be moved, not copied, and close what they own when
 *   they end. ProcessRef and Group are handles by value: they own nothing, and one that has ended
 *   makes calls throw.
 * - An operation has two calls: `join` waits, `start_join` does not, and its outcome comes as a
 *   *completed* event with the token. A wait that ends without an outcome throws TimeoutError; the
 *   operation goes on then, and its outcome comes as that event.
 * - Views and answers are copied into structs; payloads and labels are borrowed, as Bytes and
 *   std::string_view, from a MessageRef, which borrows from its event or callback. Message keeps one.
 * - Callbacks are std::functions. No exception of theirs gets into the library: see Callbacks.
 * - What has no counterpart here can be called with handle(), within isis::check().
 */
#ifndef ISIS_HPP
#define ISIS_HPP

#include <isis.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/* Ids compare by value. At global scope, where their types are, so that containers find these. */

inline auto isis_tie(const isis_site_id &a) noexcept { return std::make_tuple(a.site, a.incarnation); }
inline auto isis_tie(const isis_process_id &a) noexcept
{
    return std::make_tuple(a.site, a.incarnation, a.index);
}
inline auto isis_tie(const isis_group_id &a) noexcept { return std::make_tuple(isis_tie(a.founder), a.seq); }
inline auto isis_tie(const isis_id &a) noexcept
{
    return std::make_tuple(isis_tie(a.sender), a.primitive, a.seq);
}

template <class T>
auto operator==(const T &a, const T &b) noexcept -> decltype(isis_tie(a) == isis_tie(b))
{
    return isis_tie(a) == isis_tie(b);
}
template <class T>
auto operator!=(const T &a, const T &b) noexcept -> decltype(isis_tie(a) != isis_tie(b))
{
    return isis_tie(a) != isis_tie(b);
}
template <class T>
auto operator<(const T &a, const T &b) noexcept -> decltype(isis_tie(a) < isis_tie(b))
{
    return isis_tie(a) < isis_tie(b);
}

namespace isis {

using SiteId = isis_site_id;
using ProcessId = isis_process_id;
using GroupId = isis_group_id;
using Id = isis_id;
using Departure = isis_departure;
using SiteDeparture = isis_site_departure;
using Stats = isis_stats;

/* How long to wait; negative: for ever. */
using Timeout = std::chrono::milliseconds;
inline constexpr Timeout forever{-1};
inline constexpr Timeout at_once{0};
/* How long a destructor of Site or Process waits at most. */
inline constexpr Timeout farewell{5000};

/* A call of the library has failed. */
class Error : public std::runtime_error {
public:
    Error(int code, const std::string &text) : std::runtime_error(text), code_(code) {}
    /* ISIS_E*; isis_strerror() and isis_error_name() have its meaning and its name. */
    int code() const noexcept { return code_; }

private:
    int code_;
};

/* ISIS_ECLOSED: the site or process has ended. */
class ClosedError : public Error {
public:
    using Error::Error;
};
/* ISIS_EEXCLUDED: the other sites agreed that this one had failed. */
class ExcludedError : public ClosedError {
public:
    using ClosedError::ClosedError;
};
/* ISIS_ETIMEDOUT: the time given has passed. An operation that was started goes on. */
class TimeoutError : public Error {
public:
    using Error::Error;
};
/* ISIS_EAGAIN: no room; nothing was sent. Try again after the *writable* event, or pass ISIS_WAIT. */
class FlowControlError : public Error {
public:
    using Error::Error;
};

/* Gives the code of a C function back; throws if it is negative. */
inline int check(int code)
{
    if (code >= 0)
        return code;
    const char *detail = isis_last_error();
    const std::string text = *detail != '\0' ? detail : isis_strerror(code);
    switch (code) {
    case ISIS_ECLOSED:
        throw ClosedError(code, text);
    case ISIS_EEXCLUDED:
        throw ExcludedError(code, text);
    case ISIS_ETIMEDOUT:
        throw TimeoutError(code, text);
    case ISIS_EAGAIN:
        throw FlowControlError(code, text);
    default:
        throw Error(code, text);
    }
}

/* A string as the C functions take it: borrowed, UTF-8, ended by a NUL. Throws Error (ISIS_ENAME) if
 * there is a NUL inside, where C would cut it off. */
class CString {
public:
    CString(const char *text) noexcept : text_(text) {}
    CString(const std::string &text) : text_(text.c_str())
    {
        if (text.find('\0') != std::string::npos)
            throw Error(ISIS_ENAME, "the text has a NUL in it");
    }
    const char *get() const noexcept { return text_; }

private:
    const char *text_;
};

/* As an olabel: comparable with all OBCASTs of the same group, or of explicit lists (causal order). */
inline constexpr const char *causal = nullptr;

/* Borrowed bytes: of a payload, valid as long as the message; or to be sent, copied by the call. Made
 * from a literal, a string, and whatever has data() and size() of one-byte elements. */
class Bytes {
public:
    Bytes() noexcept = default;
    Bytes(const void *data, std::size_t size) noexcept
        : data_(static_cast<const unsigned char *>(data)), size_(size) {}
    Bytes(const char *text) noexcept : Bytes(text, std::char_traits<char>::length(text)) {}
    template <class Container, class = std::enable_if_t<sizeof(*std::declval<const Container &>().data()) == 1>>
    Bytes(const Container &bytes) noexcept : Bytes(bytes.data(), bytes.size()) {}

    const unsigned char *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const unsigned char *begin() const noexcept { return data_; }
    const unsigned char *end() const noexcept { return data_ + size_; }
    unsigned char operator[](std::size_t at) const noexcept { return data_[at]; }
    /* The same bytes as text, borrowed alike. */
    std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data_), size_}; }
    operator isis_iovec() const noexcept { return {data_, size_}; }

private:
    const unsigned char *data_ = nullptr;
    std::size_t size_ = 0;
};

/* The pieces of a message that is gathered; Bytes convert to one. */
using Pieces = std::vector<isis_iovec>;

class Group;
class ProcessRef;
struct Callbacks;

/* A site view (4.2), copied: members oldest first, and their addresses in the same order. */
struct SiteView {
    std::uint64_t number = 0;
    std::string epoch;
    std::vector<SiteId> members;
    std::vector<std::string> addresses;
    std::vector<SiteId> joined;
    std::vector<SiteDeparture> left;
};

/* How far a broadcast has come (4.1): ISIS_STATUS_*, and the destination sites that failed before they
 * had it. */
struct Status {
    std::uint32_t state = ISIS_STATUS_PENDING;
    std::vector<SiteId> failed;
};

namespace detail {

inline int milliseconds(Timeout timeout) noexcept
{
    constexpr auto most = static_cast<Timeout::rep>(std::numeric_limits<int>::max());
    return static_cast<int>(timeout < Timeout::zero() ? -1 : timeout.count() < most ? timeout.count() : most);
}

/* The outcome of an operation that was to be waited for. */
inline void finished(int code)
{
    if (check(code) == ISIS_PENDING)
        throw TimeoutError(ISIS_ETIMEDOUT, "it is under way; its outcome comes as a *completed* event");
}

template <class T, class View>
std::vector<T> list(const T *(*get)(const View *, std::size_t *), const View *view)
{
    std::size_t count = 0;
    const T *first = get(view, &count);
    return std::vector<T>(first, first + count);
}

/* Copies a view, if there is one. */
inline std::optional<SiteView> copy(const isis_site_view *view)
{
    if (view == nullptr)
        return std::nullopt;
    SiteView out{isis_site_view_number(view), isis_site_view_epoch(view), list(isis_site_view_members, view), {},
                 list(isis_site_view_joined, view), list(isis_site_view_left, view)};
    for (std::size_t place = 0; place < out.members.size(); place++)
        out.addresses.emplace_back(isis_site_view_address(view, place));
    return out;
}

/* Asks, and asks again if more sites have failed than there was room for. */
template <class Ask>
Status status(Ask ask)
{
    Status out;
    out.failed.resize(4);
    for (;;) {
        isis_delivery_status answer{};
        answer.struct_size = sizeof answer;
        answer.failed = out.failed.data();
        answer.failed_room = out.failed.size();
        finished(ask(&answer));
        const bool complete = answer.failed_count <= answer.failed_room;
        out.failed.resize(answer.failed_count);
        out.state = answer.state;
        if (complete)
            return out;
    }
}

/* Where an exception waits until the C function that called the callback has returned to this thread. */
class Thrown {
public:
    Thrown() noexcept : outer_(innermost()) { innermost() = this; }
    ~Thrown() { innermost() = outer_; }
    Thrown(const Thrown &) = delete;
    Thrown &operator=(const Thrown &) = delete;

    /* Keeps the exception that is being handled; false if nobody on this thread will throw it. */
    static bool keep() noexcept
    {
        if (innermost() == nullptr)
            return false;
        innermost()->exception_ = std::current_exception();
        return true;
    }
    void rethrow()
    {
        if (exception_ != nullptr)
            std::rethrow_exception(std::exchange(exception_, nullptr));
    }

private:
    static Thrown *&innermost() noexcept
    {
        static thread_local Thrown *thrown = nullptr;
        return thrown;
    }
    Thrown *outer_;
    std::exception_ptr exception_;
};

} // namespace detail

/* A delivered broadcast, borrowed from an event or by a callback: valid as long as the event, or until
 * the callback returns, and so is what it gives. May be empty, where there is none. */
class MessageRef {
public:
    explicit MessageRef(const isis_message *message = nullptr) noexcept : message_(message) {}
    explicit operator bool() const noexcept { return message_ != nullptr; }
    const isis_message *get() const noexcept { return message_; }

    /* The application's bytes, borrowed from the message. */
    Bytes data() const noexcept
    {
        std::size_t size = 0;
        const void *data = isis_message_data(message_, &size);
        return {data, size};
    }
    std::string_view text() const noexcept { return data().text(); }
    /* The label or olabel, borrowed from the message; "" where there is none. */
    std::string_view label() const noexcept
    {
        const char *label = isis_message_label(message_);
        return label != nullptr ? label : "";
    }
    std::uint32_t primitive() const noexcept { return isis_message_primitive(message_); }
    std::uint32_t flags() const noexcept { return isis_message_flags(message_); }
    std::uint64_t view_number() const noexcept { return isis_message_view_number(message_); }
    inline Group group() const noexcept;
    Id id() const
    {
        Id id{};
        check(isis_message_id(message_, &id));
        return id;
    }
    ProcessId sender() const
    {
        ProcessId sender{};
        check(isis_message_sender(message_, &sender));
        return sender;
    }

protected:
    const isis_message *message_;
};

/* A message that is kept: a counted reference, no copy of the payload. */
class Message : public MessageRef {
public:
    Message() noexcept = default;
    explicit Message(MessageRef message) noexcept : MessageRef(isis_message_clone(message.get())) {}
    Message(const Message &other) noexcept : Message(static_cast<const MessageRef &>(other)) {}
    Message(Message &&other) noexcept : MessageRef(std::exchange(other.message_, nullptr)) {}
    Message &operator=(Message other) noexcept
    {
        std::swap(message_, other.message_);
        return *this;
    }
    /* The clone is ours, and not const. */
    ~Message() { isis_message_free(const_cast<isis_message *>(message_)); }
};

/* A process's membership in a group (3.3), or its watch of one. A handle: it owns nothing, and ends
 * with the membership. May be none. */
class Group {
public:
    explicit Group(isis_group handle = 0) noexcept : handle_(handle) {}
    explicit operator bool() const noexcept { return handle_ != 0; }
    isis_group handle() const noexcept { return handle_; }
    friend bool operator==(Group a, Group b) noexcept { return a.handle_ == b.handle_; }
    friend bool operator!=(Group a, Group b) noexcept { return a.handle_ != b.handle_; }
    friend bool operator<(Group a, Group b) noexcept { return a.handle_ < b.handle_; }

    inline ProcessRef process() const;
    GroupId id() const
    {
        GroupId id{};
        check(isis_group_get_id(handle_, &id));
        return id;
    }
    /* As of the last *view* event that the process took; none before the first. */
    inline std::optional<struct GroupView> current_view() const;

    void leave(Timeout timeout = forever, std::uint64_t token = 0)
    {
        detail::finished(isis_leave(handle_, detail::milliseconds(timeout), token));
    }
    void start_leave(std::uint64_t token) { check(isis_leave(handle_, 0, token)); }

    /* Sends to the members. `flags` as isis.h has them for the primitive. The name of the broadcast. */
    Id bcast(CString label, Bytes data, std::uint32_t flags = 0)
    {
        Id id{};
        check(isis_bcast(handle_, label.get(), data.data(), data.size(), flags, &id));
        return id;
    }
    Id bcastv(CString label, const Pieces &pieces, std::uint32_t flags = 0)
    {
        Id id{};
        check(isis_bcastv(handle_, label.get(), pieces.data(), pieces.size(), flags, &id));
        return id;
    }
    /* `olabel`: isis::causal, or names of streams. An exception of SiteOptions::compare_olabels is
     * thrown here; the site has halted then. */
    Id obcast(CString olabel, Bytes data, std::uint32_t flags = 0)
    {
        Id id{};
        detail::Thrown thrown;
        const int code = isis_obcast(handle_, olabel.get(), data.data(), data.size(), flags, &id);
        thrown.rethrow();
        check(code);
        return id;
    }
    Id obcastv(CString olabel, const Pieces &pieces, std::uint32_t flags = 0)
    {
        Id id{};
        detail::Thrown thrown;
        const int code = isis_obcastv(handle_, olabel.get(), pieces.data(), pieces.size(), flags, &id);
        thrown.rethrow();
        check(code);
        return id;
    }
    Id gbcast(Bytes data, std::uint32_t flags = 0)
    {
        Id id{};
        check(isis_gbcast(handle_, data.data(), data.size(), flags, &id));
        return id;
    }
    Id gbcastv(const Pieces &pieces, std::uint32_t flags = 0)
    {
        Id id{};
        check(isis_gbcastv(handle_, pieces.data(), pieces.size(), flags, &id));
        return id;
    }

private:
    isis_group handle_;
};

/* A group view (3.3), copied: members oldest first. */
struct GroupView {
    std::uint64_t number = 0;
    std::string name;
    Group group;
    GroupId id{};
    std::vector<ProcessId> members;
    std::vector<ProcessId> joined;
    std::vector<Departure> left;
};

namespace detail {

inline std::optional<GroupView> copy(const isis_group_view *view)
{
    if (view == nullptr)
        return std::nullopt;
    GroupView out{isis_group_view_number(view),
                  isis_group_view_name(view),
                  Group(isis_group_view_group(view)),
                  {},
                  list(isis_group_view_members, view),
                  list(isis_group_view_joined, view),
                  list(isis_group_view_left, view)};
    check(isis_group_view_id(view, &out.id));
    return out;
}

/* The same of a view that the caller owns. */
template <class View>
auto taken(View *view, void (*free)(View *))
{
    const std::unique_ptr<View, void (*)(View *)> owned(view, free);
    return copy(static_cast<const View *>(view));
}

} // namespace detail

inline Group MessageRef::group() const noexcept { return Group(isis_message_group(message_)); }

inline std::optional<GroupView> Group::current_view() const
{
    isis_group_view *view = nullptr;
    check(isis_group_current_view(handle_, &view));
    return detail::taken(view, isis_group_view_free);
}

/* An operation has ended: `operation` is ISIS_OP_*, `status` its code, `group` that of a join or
 * look-up with ISIS_OK. */
struct Completed {
    std::uint64_t token;
    int operation;
    int status;
    Group group;
};

/* What the application wants to be told; what is left empty is not told. isis.h has the rules: they are
 * called by whoever dispatches, one at a time, in the order of the events; inside, what would wait
 * throws Error (ISIS_EBUSY). Borrowed arguments are valid until the callback returns.
 *
 * An exception that leaves a callback never gets into the library. `failed`, if set, is given it, and
 * the next event comes. Otherwise ProcessRef::dispatch() throws it to its caller, before the next event
 * is taken; and on a library thread (ProcessRef::start_thread()), where nobody could catch it,
 * std::terminate is called, as for a std::thread. An exception of `failed` does that everywhere.
 *
 * They are destroyed, once, after the last call of any of them, when they are replaced, or when the
 * membership or the process ends. What they refer to must live as long: if in doubt, as the site. */
struct Callbacks {
    /* A broadcast; `group` is none if it was sent to an explicit destination list. */
    std::function<void(Group group, MessageRef message)> deliver;
    std::function<void(Group group, const GroupView &view)> view;
    std::function<void(const SiteView &view)> site_view;
    std::function<void()> blocked;
    std::function<void()> unblocked;
    std::function<void()> writable;
    std::function<void(const Completed &outcome)> completed;
    std::function<void(const SiteView &view)> excluded;
    std::function<void()> closed;
    /* If this is empty, `completed` is told that a status call has ended. */
    std::function<void(std::uint64_t token, const Status &status)> answered;
    std::function<void(const Id &id)> undeliverable;
    /* An exception has left one of the others. */
    std::function<void(std::exception_ptr exception)> failed;
};

namespace detail {

/* Calls one of the callbacks; what it throws goes where Callbacks says. Called from C: nothing may leave. */
template <class Call>
void guarded(void *user, Call call) noexcept
{
    const Callbacks &callbacks = *static_cast<Callbacks *>(user);
    try {
        call(callbacks);
    } catch (...) {
        if (callbacks.failed)
            callbacks.failed(std::current_exception());
        else if (!Thrown::keep())
            std::terminate();
    }
}

/* The C struct for callbacks that its `drop` deletes. */
inline isis_callbacks trampolines(const Callbacks &of)
{
    isis_callbacks c;
    isis_callbacks_init(&c);
    c.drop = [](void *user) { delete static_cast<Callbacks *>(user); };
    if (of.deliver)
        c.deliver = [](void *user, isis_process, isis_group group, const isis_message *message) {
            guarded(user, [&](const Callbacks &to) { to.deliver(Group(group), MessageRef(message)); });
        };
    if (of.view)
        c.view = [](void *user, isis_process, isis_group group, const isis_group_view *view) {
            guarded(user, [&](const Callbacks &to) { to.view(Group(group), copy(view).value()); });
        };
    if (of.site_view)
        c.site_view = [](void *user, isis_process, const isis_site_view *view) {
            guarded(user, [&](const Callbacks &to) { to.site_view(copy(view).value()); });
        };
    if (of.blocked)
        c.blocked = [](void *user, isis_process) { guarded(user, [](const Callbacks &to) { to.blocked(); }); };
    if (of.unblocked)
        c.unblocked = [](void *user, isis_process) { guarded(user, [](const Callbacks &to) { to.unblocked(); }); };
    if (of.writable)
        c.writable = [](void *user, isis_process) { guarded(user, [](const Callbacks &to) { to.writable(); }); };
    if (of.completed)
        c.completed = [](void *user, isis_process, std::uint64_t token, int operation, int status,
                         isis_group group) {
            guarded(user, [&](const Callbacks &to) {
                to.completed(Completed{token, operation, status, Group(group)});
            });
        };
    if (of.excluded)
        c.excluded = [](void *user, isis_process, const isis_site_view *view) {
            guarded(user, [&](const Callbacks &to) { to.excluded(copy(view).value()); });
        };
    if (of.closed)
        c.closed = [](void *user, isis_process) { guarded(user, [](const Callbacks &to) { to.closed(); }); };
    if (of.answered)
        c.answered = [](void *user, isis_process, std::uint64_t token, const isis_delivery_status *answer) {
            guarded(user, [&](const Callbacks &to) {
                to.answered(token, Status{answer->state, {answer->failed, answer->failed + answer->failed_count}});
            });
        };
    if (of.undeliverable)
        c.undeliverable = [](void *user, isis_process, const isis_id *id) {
            guarded(user, [&](const Callbacks &to) { to.undeliverable(*id); });
        };
    return c;
}

/* Hands callbacks to a C function, which has taken them unless it fails. */
template <class Set>
int hand_over(Callbacks callbacks, Set set)
{
    auto owned = std::make_unique<Callbacks>(std::move(callbacks));
    const isis_callbacks c = trampolines(*owned);
    const int code = set(&c, owned.get());
    if (code >= 0 || code == ISIS_ETIMEDOUT)
        static_cast<void>(owned.release());
    return code;
}

} // namespace detail

/* An event of a process: what was taken with it is delivered. Can be moved; what it gives by reference
 * is valid as long as it is. */
class Event {
public:
    /* Takes over what isis_next() gave. */
    explicit Event(isis_event *event) noexcept : event_(event, isis_event_free) {}

    /* ISIS_EVENT_*; later versions may have more: ignore what you do not know. */
    int kind() const noexcept { return isis_event_kind(event_.get()); }
    inline ProcessRef process() const noexcept;
    Group group() const noexcept { return Group(isis_event_group(event_.get())); }
    /* Of ISIS_EVENT_MESSAGE, borrowed from the event; else empty. */
    MessageRef message() const noexcept { return MessageRef(isis_event_message(event_.get())); }
    /* Of ISIS_EVENT_VIEW. */
    std::optional<GroupView> group_view() const { return detail::copy(isis_event_group_view(event_.get())); }
    /* Of ISIS_EVENT_SITE_VIEW and ISIS_EVENT_EXCLUDED. */
    std::optional<SiteView> site_view() const { return detail::copy(isis_event_site_view(event_.get())); }
    /* Of ISIS_EVENT_COMPLETED. */
    Completed completed() const noexcept
    {
        return {isis_event_token(event_.get()), isis_event_operation(event_.get()),
                isis_event_status(event_.get()), group()};
    }
    /* Of ISIS_EVENT_COMPLETED with ISIS_OP_STATUS; throws Error (ISIS_EINVAL) for any other. */
    Status delivery_status() const
    {
        return detail::status([&](isis_delivery_status *out) { return isis_event_delivery_status(event_.get(), out); });
    }
    /* Of ISIS_EVENT_UNDELIVERABLE: which broadcast. */
    Id id() const noexcept
    {
        Id id{};
        isis_event_id(event_.get(), &id);
        return id;
    }

private:
    std::unique_ptr<isis_event, void (*)(isis_event *)> event_;
};

/* A process: an endpoint at a site (2). A handle: it owns nothing. */
class ProcessRef {
public:
    explicit ProcessRef(isis_process handle = 0) noexcept : handle_(handle) {}
    isis_process handle() const noexcept { return handle_; }

    ProcessId id() const
    {
        ProcessId id{};
        check(isis_process_get_id(handle_, &id));
        return id;
    }
    /* Says who is told of the process's events, instead of those set before. */
    void set_callbacks(Callbacks callbacks)
    {
        check(detail::hand_over(std::move(callbacks), [&](const isis_callbacks *c, void *user) {
            return isis_set_callbacks(handle_, c, user);
        }));
    }
    /* Has a thread of the library dispatch from now on. */
    void start_thread() { check(isis_start_thread(handle_)); }
    /* How long sends with ISIS_WAIT wait for room. */
    void set_send_timeout(Timeout timeout) { check(isis_set_send_timeout(handle_, detail::milliseconds(timeout))); }

    /* Waits for an event, and calls the callbacks for it and those that wait behind it, at most
     * `max_events` (0: until none is left). How many events were handled: 0 if none came in time, or
     * isis_wakeup() or a signal handler ended the wait. Throws what a callback throws (see Callbacks;
     * events behind it stay), and ClosedError after the event *closed*. */
    int dispatch(Timeout timeout = forever, int max_events = 0)
    {
        detail::Thrown thrown;
        int handled = 0;
        while (max_events <= 0 || handled < max_events) {
            const int got = isis_dispatch(handle_, handled == 0 ? detail::milliseconds(timeout) : 0, 1);
            thrown.rethrow();
            if (got < 0 && got != ISIS_EINTR && handled == 0)
                check(got);
            if (got <= 0)
                break;
            handled += got;
        }
        return handled;
    }
    /* Takes the next event; nothing if none came in time, or isis_wakeup() or a signal handler ended the
     * wait. Throws ClosedError after the event *closed*. */
    std::optional<Event> next(Timeout timeout = forever)
    {
        isis_event *event = nullptr;
        const int code = isis_next(handle_, detail::milliseconds(timeout), &event);
        if (code == ISIS_ETIMEDOUT || code == ISIS_EINTR)
            return std::nullopt;
        check(code);
        return Event(event);
    }
    /* Readable while events wait to be taken. */
    int fd() const { return check(isis_fd(handle_)); }
    /* Ends a wait; async-signal-safe. */
    void wakeup() const { check(isis_wakeup(handle_)); }

    void flush(Timeout timeout = forever, std::uint64_t token = 0)
    {
        detail::finished(isis_flush(handle_, detail::milliseconds(timeout), token));
    }
    void start_flush(std::uint64_t token) { check(isis_flush(handle_, 0, token)); }

    /* Becomes a member of the group. With callbacks, the group's messages and views go there (`deliver`,
     * `view`) instead of to the process's. */
    Group join(CString group, Timeout timeout = forever, std::uint64_t token = 0)
    {
        isis_group out = 0;
        detail::finished(isis_join(handle_, group.get(), nullptr, nullptr, detail::milliseconds(timeout), token, &out));
        return Group(out);
    }
    Group join(CString group, Callbacks callbacks, Timeout timeout = forever, std::uint64_t token = 0)
    {
        isis_group out = 0;
        detail::finished(detail::hand_over(std::move(callbacks), [&](const isis_callbacks *c, void *user) {
            return isis_join(handle_, group.get(), c, user, detail::milliseconds(timeout), token, &out);
        }));
        return Group(out);
    }
    void start_join(CString group, std::uint64_t token)
    {
        check(isis_join(handle_, group.get(), nullptr, nullptr, 0, token, nullptr));
    }
    void start_join(CString group, Callbacks callbacks, std::uint64_t token)
    {
        check(detail::hand_over(std::move(callbacks), [&](const isis_callbacks *c, void *user) {
            return isis_join(handle_, group.get(), c, user, 0, token, nullptr);
        }));
    }

    /* Addresses the group without joining it, and watches it. */
    Group lookup(CString group, Timeout timeout = forever, std::uint64_t token = 0)
    {
        isis_group out = 0;
        detail::finished(isis_lookup(handle_, group.get(), detail::milliseconds(timeout), token, &out));
        return Group(out);
    }
    void start_lookup(CString group, std::uint64_t token)
    {
        check(isis_lookup(handle_, group.get(), 0, token, nullptr));
    }

    /* Sends to exactly these processes; as Group's calls otherwise. */
    Id bcast_to(const std::vector<ProcessId> &dests, CString label, Bytes data, std::uint32_t flags = 0)
    {
        Id id{};
        check(isis_bcast_to(handle_, dests.data(), dests.size(), label.get(), data.data(), data.size(), flags, &id));
        return id;
    }
    Id bcast_tov(const std::vector<ProcessId> &dests, CString label, const Pieces &pieces, std::uint32_t flags = 0)
    {
        Id id{};
        check(isis_bcast_tov(handle_, dests.data(), dests.size(), label.get(), pieces.data(), pieces.size(), flags,
                             &id));
        return id;
    }
    Id obcast_to(const std::vector<ProcessId> &dests, CString olabel, Bytes data, std::uint32_t flags = 0)
    {
        Id id{};
        detail::Thrown thrown;
        const int code = isis_obcast_to(handle_, dests.data(), dests.size(), olabel.get(), data.data(), data.size(),
                                        flags, &id);
        thrown.rethrow();
        check(code);
        return id;
    }
    Id obcast_tov(const std::vector<ProcessId> &dests, CString olabel, const Pieces &pieces, std::uint32_t flags = 0)
    {
        Id id{};
        detail::Thrown thrown;
        const int code = isis_obcast_tov(handle_, dests.data(), dests.size(), olabel.get(), pieces.data(),
                                         pieces.size(), flags, &id);
        thrown.rethrow();
        check(code);
        return id;
    }

    /* How far a broadcast of this process has come. */
    Status status(const Id &id, Timeout timeout = forever, std::uint64_t token = 0)
    {
        return detail::status([&](isis_delivery_status *out) {
            return isis_status(handle_, &id, detail::milliseconds(timeout), token, out);
        });
    }
    void start_status(const Id &id, std::uint64_t token) { check(isis_status(handle_, &id, 0, token, nullptr)); }

    /* Ends the process; its groups see it fail, unless it has left them. */
    void close(Timeout timeout = forever, std::uint64_t token = 0)
    {
        detail::finished(isis_process_close(handle_, detail::milliseconds(timeout), token));
    }
    /* True if it has ended already. */
    bool start_close(std::uint64_t token) { return check(isis_process_close(handle_, 0, token)) == ISIS_OK; }

private:
    isis_process handle_;
};

inline ProcessRef Event::process() const noexcept { return ProcessRef(isis_event_process(event_.get())); }

inline ProcessRef Group::process() const
{
    isis_process process = 0;
    check(isis_group_process(handle_, &process));
    return ProcessRef(process);
}

/* A process that is owned: closed when this ends, waiting for at most isis::farewell, or in a callback
 * not at all. If it has not ended by then, it does with its site. */
class Process : public ProcessRef {
public:
    explicit Process(ProcessRef process) noexcept : ProcessRef(process) {}
    Process(Process &&other) noexcept : ProcessRef(other.give()) {}
    Process &operator=(Process &&other) noexcept
    {
        Process taken(std::move(other));
        std::swap(static_cast<ProcessRef &>(*this), static_cast<ProcessRef &>(taken));
        return *this;
    }
    ~Process()
    {
        if (handle() != 0 && isis_process_close(handle(), detail::milliseconds(farewell), 0) == ISIS_EBUSY)
            isis_process_close(handle(), 0, 0);
    }
    /* The handle, to be copied; it outlives moves of the process. */
    ProcessRef ref() const noexcept { return *this; }

private:
    ProcessRef give() noexcept { return std::exchange(static_cast<ProcessRef &>(*this), ProcessRef()); }
};

/* Another site that is listed in the configuration, "host:port". */
struct Peer {
    std::uint32_t id;
    std::string address;
};

/* What a site is told when it opens, as isis_site_options; what is 0 or empty is the default. */
struct SiteOptions {
    std::uint32_t id = 0;
    std::string listen;
    std::vector<Peer> peers;
    std::string advertise;
    std::string cluster;
    std::uint32_t quorum = ISIS_QUORUM_MAJORITY;
    std::uint32_t first_view = ISIS_FIRST_VIEW_ALL;
    bool insecure = false;
    Timeout hello_interval{0};
    Timeout suspect_after{0};
    std::uint64_t max_message = 0;
    std::uint64_t window_messages = 0;
    std::uint64_t window_bytes = 0;
    std::string store;
    std::string abandon;
    std::string record;
    std::string olabel_order;
    /* How one olabel stands to another: ISIS_OLABEL_*. Pure; called on the thread that sends an OBCAST,
     * by several at once. An exception halts the site, and is thrown by that send. */
    std::function<int(std::string_view first, std::string_view second)> compare_olabels;
};

/* An open site: this program's part of the cluster. Closed when this ends, waiting for at most
 * isis::farewell, or in a callback not at all. */
class Site {
public:
    /* From a text, such as "id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002"; nullptr takes it from the
     * environment variable ISIS_CONFIG. */
    explicit Site(CString config) { check(isis_site_open_text(config.get(), &handle_)); }
    explicit Site(const SiteOptions &options)
    {
        const auto text = [](const std::string &of) { return of.empty() ? nullptr : CString(of).get(); };
        isis_site_options o;
        isis_site_options_init(&o);
        std::vector<isis_peer> peers;
        for (const Peer &peer : options.peers)
            peers.push_back({peer.id, 0, CString(peer.address).get()});
        o.id = options.id;
        o.listen = text(options.listen);
        o.peers = peers.data();
        o.peer_count = peers.size();
        o.advertise = text(options.advertise);
        o.cluster = text(options.cluster);
        o.quorum = options.quorum;
        o.first_view = options.first_view;
        o.insecure = options.insecure;
        o.hello_interval_ms = static_cast<std::uint32_t>(options.hello_interval.count());
        o.suspect_after_ms = static_cast<std::uint32_t>(options.suspect_after.count());
        o.max_message = options.max_message;
        o.window_messages = options.window_messages;
        o.window_bytes = options.window_bytes;
        o.store = text(options.store);
        o.abandon = text(options.abandon);
        o.record = text(options.record);
        o.olabel_order = text(options.olabel_order);
        if (options.compare_olabels) {
            compare_ = std::make_unique<Compare>(options.compare_olabels);
            o.compare_olabels = compare;
            o.compare_user = compare_.get();
        }
        check(isis_site_open(&o, &handle_));
    }
    Site(Site &&other) noexcept
        : handle_(std::exchange(other.handle_, 0)), compare_(std::move(other.compare_)) {}
    Site &operator=(Site &&other) noexcept
    {
        Site taken(std::move(other));
        std::swap(handle_, taken.handle_);
        std::swap(compare_, taken.compare_);
        return *this;
    }
    ~Site()
    {
        if (handle_ == 0 || isis_site_close(handle_, detail::milliseconds(farewell)) != ISIS_EBUSY)
            return;
        isis_site_close(handle_, 0);
        /* Until the close has gone through, sends may still ask it. */
        static_cast<void>(compare_.release());
    }

    isis_site handle() const noexcept { return handle_; }
    SiteId id() const
    {
        SiteId id{};
        check(isis_site_get_id(handle_, &id));
        return id;
    }
    /* Where the site really listens, "host:port". */
    std::string address() const
    {
        std::string out(static_cast<std::size_t>(check(isis_site_address(handle_, nullptr, 0))), '\0');
        check(isis_site_address(handle_, out.data(), out.size() + 1));
        return out;
    }
    /* The latest site view; none before the first. */
    std::optional<SiteView> current_view() const
    {
        isis_site_view *view = nullptr;
        check(isis_site_current_view(handle_, &view));
        return detail::taken(view, isis_site_view_free);
    }
    /* Waits for a site view of at least `min_sites` sites. */
    SiteView wait_view(std::size_t min_sites, Timeout timeout = forever) const
    {
        isis_site_view *view = nullptr;
        check(isis_site_wait_view(handle_, min_sites, detail::milliseconds(timeout), &view));
        return detail::taken(view, isis_site_view_free).value();
    }
    /* Whether no quorum of its site view is reachable. */
    bool is_blocked() const { return check(isis_site_is_blocked(handle_)) != 0; }
    Stats stats() const
    {
        Stats stats{};
        stats.struct_size = sizeof stats;
        check(isis_site_stats(handle_, &stats));
        return stats;
    }
    /* Opens a process; `name` is for people. */
    Process process(CString name)
    {
        isis_process process = 0;
        check(isis_process_open(handle_, name.get(), &process));
        return Process(ProcessRef(process));
    }
    /* Closes the site: its processes end, it leaves the site view, its port is free. TimeoutError says
     * that it is closed, but that the others may have to find out by themselves. */
    void close(Timeout timeout = forever)
    {
        /* 0 would begin what start_close() begins. */
        const int ms = timeout == at_once ? 1 : detail::milliseconds(timeout);
        const int code = isis_site_close(handle_, ms);
        if (code == ISIS_OK || code == ISIS_ETIMEDOUT)
            ended();
        check(code);
    }
    /* Closes without waiting: to be called again until it is true, best after *closed*. */
    bool start_close()
    {
        if (check(isis_site_close(handle_, 0)) == ISIS_PENDING)
            return false;
        ended();
        return true;
    }

private:
    using Compare = std::function<int(std::string_view, std::string_view)>;

    static int compare(void *user, const char *first, const char *second) noexcept
    {
        try {
            return (*static_cast<const Compare *>(user))(first, second);
        } catch (...) {
            detail::Thrown::keep();
            /* No answer that there is: the site halts, and names both olabels. */
            return std::numeric_limits<int>::min();
        }
    }
    void ended() noexcept
    {
        handle_ = 0;
        compare_.reset();
    }

    isis_site handle_ = 0;
    std::unique_ptr<Compare> compare_;
};

/* Gets one line of the log: its level (ISIS_LOG_*), the part of the library, the text. Called from any
 * thread; what it throws is dropped, since there is nobody to tell. */
using Log = std::function<void(int level, std::string_view target, std::string_view text)>;

/* Has `log` told of lines of `level` and graver; an empty one switches the log off. When this returns
 * the one set before has ended. Not inside a callback, nor by two threads at once: Error (ISIS_EBUSY). */
inline void set_log(Log log, int level = ISIS_LOG_INFO)
{
    /* Never destroyed: the library's threads may still log while the program ends. */
    static auto &current = *new std::pair<std::mutex, std::unique_ptr<Log>>;
    const std::unique_lock<std::mutex> lock(current.first, std::try_to_lock);
    if (!lock.owns_lock())
        throw Error(ISIS_EBUSY, "another thread, or a callback, sets the log");
    auto next = log ? std::make_unique<Log>(std::move(log)) : nullptr;
    const auto tell = [](void *user, int at, const char *target, const char *text) {
        try {
            (*static_cast<const Log *>(user))(at, target, text);
        } catch (...) {
        }
    };
    check(isis_set_log(next != nullptr ? +tell : nullptr, next.get(), level));
    current.second = std::move(next);
}

} // namespace isis

#endif /* ISIS_HPP */
