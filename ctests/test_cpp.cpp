// isis.hpp: ownership, values, events, callbacks, and where exceptions go. Two sites in one program.
#include "check.h"

#include <isis.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <poll.h>
#include <set>
#include <thread>
#include <sys/wait.h>

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<isis::Site> && std::is_nothrow_move_constructible_v<isis::Site>);
static_assert(!std::is_copy_assignable_v<isis::Process> && std::is_nothrow_move_assignable_v<isis::Process>);
static_assert(!std::is_copy_constructible_v<isis::Event> && std::is_nothrow_move_constructible_v<isis::Event>);
static_assert(std::is_copy_constructible_v<isis::Message> && std::is_copy_constructible_v<isis::Group>);
static_assert(std::is_base_of_v<std::exception, isis::Error>);

static constexpr isis::Timeout patience{PATIENCE_MS};

// The call throws exactly this exception, with this code.
template <class Exception, class Call>
static bool throws(int code, Call call)
{
    try {
        call();
    } catch (const isis::Error &error) {
        const bool right = typeid(error) == typeid(Exception) && error.code() == code && *error.what() != '\0';
        if (!right)
            std::fprintf(stderr, "threw %s: %s\n", isis_error_name(error.code()), error.what());
        return right;
    }
    return false;
}

// What the application throws in these tests.
struct Oops {
    int number;
};

template <class Call>
static int oops_of(Call call)
{
    try {
        call();
    } catch (const Oops &oops) {
        return oops.number;
    }
    return 0;
}

// Dispatches the processes until the condition holds.
template <class Condition>
static void until(std::vector<isis::ProcessRef> processes, Condition condition)
{
    const std::uint64_t deadline = now_ms() + PATIENCE_MS;
    while (!condition() && now_ms() < deadline)
        for (isis::ProcessRef &process : processes)
            process.dispatch(2ms);
    NEED(condition());
}

// Takes events until one is of this kind.
static isis::Event await(isis::ProcessRef process, int kind)
{
    for (;;) {
        std::optional<isis::Event> event = process.next(patience);
        NEED(event.has_value());
        if (event->kind() == kind)
            return std::move(*event);
    }
}

// As many sites as asked for, in one site view.
static std::vector<isis::Site> open_sites(int count)
{
    cluster c;
    std::vector<isis::Site> sites;
    cluster_configure(&c, count, "");
    for (int i = 0; i < count; i++)
        sites.emplace_back(c.config[i]);
    for (isis::Site &site : sites)
        CHECK(site.wait_view(static_cast<std::size_t>(count), patience).members.size() == static_cast<std::size_t>(count));
    return sites;
}

static isis::Site open_alone() { return isis::Site("id=1 first_view=alone"); }

static void test_values()
{
    const std::vector<std::byte> some{std::byte{1}, std::byte{2}};
    const std::array<char, 3> three{'a', 'b', 'c'};
    CHECK(isis::Bytes("two").size() == 3 && isis::Bytes(some)[1] == 2 && isis::Bytes(three).text() == "abc");
    CHECK(isis::Bytes(std::string("a\0b", 3)).size() == 3 && isis::Bytes().empty() && isis::Bytes().text().empty());
    CHECK((throws<isis::Error>(ISIS_ENAME, [] { isis::CString(std::string("a\0b", 3)); })));

    const isis::ProcessId p{5, 1, 2}, q{5, 1, 3};
    CHECK(p == p && p != q && p < q && std::set<isis::ProcessId>({q, p, q}).size() == 2);
    const isis::Id m{p, 1, ISIS_BCAST, 0}, n{p, 2, ISIS_BCAST, 0};
    CHECK(m != n && m < n && (isis::GroupId{p, 1} < isis::GroupId{q, 0}) && (isis::SiteId{2, 1, 0} != isis::SiteId{3, 1, 0}));

    CHECK(!isis::MessageRef() && isis::MessageRef().data().empty() && isis::MessageRef().label().empty());
    CHECK((throws<isis::Error>(ISIS_EINVAL, [] { isis::MessageRef().id(); })));
    CHECK(!isis::Group() && isis::Group(3) == isis::Group(3) && isis::Group(3) != isis::Group(4));
    CHECK((isis::SiteOptions().compare_olabels == nullptr));
}

static void test_errors()
{
    CHECK((throws<isis::Error>(ISIS_EINVAL, [] { isis::Site("id=1 nonsense=2"); })));
    try {
        isis::Site("id=1 nonsense=2");
    } catch (const std::exception &error) {
        CHECK(strstr(error.what(), "nonsense") != nullptr);
    }
    isis::Site site("id=1 first_view=alone window_messages=1");
    CHECK((throws<isis::TimeoutError>(ISIS_ETIMEDOUT, [&] { site.wait_view(2, 10ms); })));
    isis::Process process = site.process("p");
    CHECK((throws<isis::Error>(ISIS_ENAME, [&] { process.lookup("nobody's", patience); })));
    CHECK((throws<isis::TimeoutError>(ISIS_ETIMEDOUT, [&] { process.lookup("nobody's", isis::at_once); })));
    isis::Group group = process.join("g", patience);
    // Nobody takes the first one, so that there is no room for long.
    CHECK((throws<isis::FlowControlError>(ISIS_EAGAIN, [&] {
        for (int i = 0; i < 1000; i++)
            group.bcast("l", "x");
    })));
    process.set_send_timeout(10ms);
    CHECK((throws<isis::TimeoutError>(ISIS_ETIMEDOUT, [&] { group.bcast("l", "x", ISIS_WAIT); })));
    CHECK((throws<isis::Error>(ISIS_EINVAL, [&] { group.bcast("l", "x", 1u << 30); })));
    process.close(patience);
    CHECK((throws<isis::ClosedError>(ISIS_ECLOSED, [&] { process.flush(patience); })));
    CHECK((throws<isis::ClosedError>(ISIS_ECLOSED, [&] { group.bcast("l", "x"); })));
    site.close(patience);
    CHECK(site.handle() == 0);
    CHECK((throws<isis::Error>(ISIS_EINVAL, [&] { site.id(); })));
}

// Moves of what is owned: the handle goes along, what is assigned to is closed, nothing is closed twice.
static void test_moves()
{
    isis::Site first = open_alone();
    isis::Site site = std::move(first);
    CHECK(first.handle() == 0 && site.wait_view(1, patience).members[0] == site.id());
    isis::Process p = site.process("p"), q = site.process("q");
    const isis::ProcessRef ended = p.ref(), kept = q.ref();
    const isis::ProcessId id = q.id();
    p = std::move(q);
    CHECK(q.handle() == 0 && p.handle() == kept.handle() && p.id() == id && kept.id() == id);
    CHECK((throws<isis::ClosedError>(ISIS_ECLOSED, [&] { ended.id(); })));
    isis::Process &self = p;
    p = std::move(self);
    CHECK(p.id() == id);

    const std::string address = site.address();
    isis::Site other("id=1 first_view=alone");
    CHECK(other.address() != address && address.rfind("127.0.0.1:", 0) == 0);
    other = std::move(site);
    CHECK(other.address() == address && p.id() == id);

    isis::Group group = p.join("g", patience);
    group.bcast("l", "kept");
    isis::Message message;
    {
        const isis::Event event = await(p, ISIS_EVENT_MESSAGE);
        message = isis::Message(event.message());
    }
    const isis::Message copy = message, moved = std::move(message);
    CHECK(!message && copy.text() == "kept" && moved.data().data() == copy.data().data());
    other.close(patience);
    CHECK(moved.text() == "kept" && moved.sender() == id);
}

// One member with callbacks, one that takes its events: every primitive, and what can be asked.
static void test_group()
{
    std::vector<isis::Site> sites = open_sites(2);
    isis::Process p = sites[0].process("p"), q = sites[1].process("q");
    std::vector<std::string> told;
    std::vector<isis::GroupView> views;
    std::optional<isis::Completed> completed;
    std::optional<isis::Status> answer;
    isis::Callbacks callbacks;
    callbacks.deliver = [&](isis::Group group, isis::MessageRef message) {
        told.push_back(std::string(message.label()) + ":" + std::string(message.text()));
        CHECK(message.group() == group && message.id().sender == message.sender());
        CHECK(!group || message.view_number() == views.back().number);
    };
    callbacks.view = [&](isis::Group group, const isis::GroupView &view) {
        CHECK(view.group == group && view.name == "pair");
        views.push_back(view);
    };
    callbacks.completed = [&](const isis::Completed &outcome) { completed = outcome; };
    callbacks.answered = [&](std::uint64_t token, const isis::Status &status) {
        CHECK(token == 9);
        answer = status;
    };
    p.set_callbacks(callbacks);
    p.start_join("pair", 7);
    until({p.ref()}, [&] { return completed.has_value(); });
    CHECK(completed->token == 7 && completed->operation == ISIS_OP_JOIN && completed->status == ISIS_OK);
    isis::Group a = completed->group, b = q.join("pair", patience);
    CHECK(a.process().handle() == p.handle() && a.id() == b.id());
    until({p.ref()}, [&] { return views.size() == 2; });
    CHECK((views[1].members == std::vector<isis::ProcessId>{p.id(), q.id()}));
    CHECK((views[1].joined == std::vector<isis::ProcessId>{q.id()}) && views[1].left.empty());
    CHECK(a.current_view()->members == views[1].members && a.current_view()->id == a.id());

    const isis::Bytes in{"in "}, two{"two"};
    const isis::Id id = b.bcast("queue", "one");
    b.bcastv("queue", {in, two});
    b.obcast("stream", std::string("commutes"));
    b.obcastv(isis::causal, {two});
    b.gbcast(std::vector<unsigned char>{'g'});
    b.gbcastv({in, in});
    q.flush(patience);
    q.bcast_to({p.id(), q.id()}, "list", "to");
    q.bcast_tov({p.id(), q.id()}, "list", {in, two}, ISIS_SAFE);
    q.obcast_to({p.id()}, isis::causal, "o", ISIS_UNORDERED);
    q.obcast_tov({p.id()}, "x,y", {two});
    until({p.ref()}, [&] { return told.size() == 10; });
    std::sort(told.begin(), told.end());
    CHECK((told == std::vector<std::string>{":g", ":in in ", ":o", ":two", "list:in two", "list:to", "queue:in two",
                                            "queue:one", "stream:commutes", "x,y:two"}));

    const isis::Event event = await(q.ref(), ISIS_EVENT_MESSAGE);
    CHECK(event.process().handle() == q.handle() && event.group() == b && !event.group_view() && !event.site_view());
    CHECK((throws<isis::Error>(ISIS_EINVAL, [&] { event.delivery_status(); })));
    CHECK(event.message().sender() == q.id() && event.completed().token == 0);
    const isis::Status status = q.status(id, patience);
    CHECK(status.state == ISIS_STATUS_STABLE && status.failed.empty());
    q.start_status(id, 8);
    const isis::Event answered = await(q.ref(), ISIS_EVENT_COMPLETED);
    CHECK(answered.completed().token == 8 && answered.completed().operation == ISIS_OP_STATUS);
    CHECK(answered.delivery_status().state == ISIS_STATUS_STABLE);
    p.start_status(a.bcast("queue", "mine"), 9);
    until({p.ref()}, [&] { return answer.has_value(); });

    // A third process watches; then the pair dissolves.
    isis::Process w = sites[1].process("w");
    isis::Group watch = w.lookup("pair", patience);
    CHECK(await(w.ref(), ISIS_EVENT_VIEW).group_view()->members.size() == 2);
    w.start_flush(3);
    CHECK(await(w.ref(), ISIS_EVENT_COMPLETED).completed().token == 3);
    b.leave(patience);
    until({p.ref()}, [&] { return views.size() == 3; });
    CHECK(views[2].left.size() == 1 && views[2].left[0].process == q.id() && views[2].left[0].reason == ISIS_LEFT);
    a.start_leave(4);
    until({p.ref()}, [&] { return completed->token == 4; });
    for (;;)
        if (await(w.ref(), ISIS_EVENT_VIEW).group_view()->members.empty())
            break;
    CHECK((throws<isis::Error>(ISIS_ENOTMEMBER, [&] { watch.bcast("l", "x"); })));

    // The other site leaves.
    CHECK(!q.start_close(5));
    CHECK(await(q.ref(), ISIS_EVENT_COMPLETED).completed().token == 5);
    await(q.ref(), ISIS_EVENT_CLOSED);
    CHECK((throws<isis::ClosedError>(ISIS_ECLOSED, [&] { q.next(patience); })));
    CHECK(q.start_close(6));
    std::optional<isis::SiteView> alone;
    callbacks.site_view = [&](const isis::SiteView &view) { alone = view; };
    p.set_callbacks(callbacks);
    const isis::SiteId gone = sites[1].id();
    const std::uint64_t deadline = now_ms() + PATIENCE_MS;
    while (!sites[1].start_close() && now_ms() < deadline)
        w.wakeup(), std::this_thread::sleep_for(1ms);
    CHECK(sites[1].handle() == 0);
    until({p.ref()}, [&] { return alone && alone->members.size() == 1; });
    CHECK(alone->left.size() == 1 && alone->left[0].site == gone && alone->left[0].reason == ISIS_LEFT);
    CHECK(alone->addresses[0] == sites[0].address() && alone->epoch.size() == 32);
    CHECK(sites[0].current_view()->number == alone->number && !sites[0].is_blocked());
    CHECK(sites[0].stats().bcasts_delivered >= 4);
}

static void test_waits()
{
    isis::Site site = open_alone();
    isis::Process p = site.process("p");
    const std::uint64_t start = now_ms();
    p.wakeup();
    pollfd ready{p.fd(), POLLIN, 0};
    CHECK(poll(&ready, 1, PATIENCE_MS) == 1);
    while (p.next(patience)) { // what there is, then the ring
    }
    p.wakeup();
    while (p.dispatch(patience) != 0) {
    }
    CHECK(now_ms() - start < PATIENCE_MS);

    int messages = 0;
    isis::Callbacks callbacks;
    callbacks.deliver = [&](isis::Group, isis::MessageRef) { messages++; };
    isis::Group group = p.join("g", callbacks, patience);
    for (int i = 0; i < 3; i++)
        group.bcast("l", "x");
    p.flush(patience);
    CHECK(p.dispatch(patience, 2) == 2 && messages < 3); // the view, and no more than one
    until({p.ref()}, [&] { return messages == 3; });
}

// dispatch() throws what a callback threw, and what is behind that event stays.
static void test_exceptions_of_dispatch()
{
    isis::Site site = open_alone();
    isis::Process p = site.process("p");
    std::vector<std::string> told;
    isis::Callbacks callbacks;
    callbacks.deliver = [&](isis::Group, isis::MessageRef message) {
        told.emplace_back(message.text());
        if (message.text() == "bad")
            throw Oops{7};
    };
    isis::Group group = p.join("g", callbacks, patience);
    for (const char *text : {"good", "bad", "better"})
        group.bcast("l", text);
    p.flush(patience);
    CHECK(oops_of([&] {
        const std::uint64_t deadline = now_ms() + PATIENCE_MS;
        while (told.size() < 3 && now_ms() < deadline)
            p.dispatch(10ms);
    }) == 7);
    CHECK((told == std::vector<std::string>{"good", "bad"}));
    until({p.ref()}, [&] { return told.size() == 3; });

    // With a handler they go there, and it goes on.
    std::vector<int> failed;
    callbacks.failed = [&](std::exception_ptr exception) {
        failed.push_back(oops_of([&] { std::rethrow_exception(exception); }));
    };
    isis::Group second = p.join("h", callbacks, patience);
    second.bcast("l", "bad");
    second.bcast("l", "good");
    until({p.ref()}, [&] { return told.size() == 5; });
    CHECK((failed == std::vector<int>{7}));

    // What would wait throws inside a callback, and what is let through there comes out of dispatch().
    callbacks.failed = nullptr;
    callbacks.deliver = [&](isis::Group to, isis::MessageRef) { to.process().flush(patience); };
    isis::Group third = p.join("i", callbacks, patience);
    third.bcast("l", "x");
    CHECK((throws<isis::Error>(ISIS_EBUSY, [&] { until({p.ref()}, [] { return false; }); })));
}

// On a library thread the handler is told.
static void test_exceptions_of_a_thread()
{
    std::atomic<int> failed{0}, told{0};
    isis::Site site = open_alone();
    isis::Process p = site.process("p");
    isis::Callbacks callbacks;
    callbacks.deliver = [&](isis::Group, isis::MessageRef) {
        told++;
        throw Oops{1};
    };
    callbacks.failed = [&](std::exception_ptr) { failed++; };
    p.set_callbacks(callbacks);
    p.start_thread();
    isis::Group group = p.join("g", patience);
    for (int i = 0; i < 3; i++)
        group.bcast("l", "x", ISIS_WAIT);
    const std::uint64_t deadline = now_ms() + PATIENCE_MS;
    while (failed < 3 && now_ms() < deadline)
        std::this_thread::sleep_for(1ms);
    CHECK(failed == 3 && told == 3);
    site.close(patience);
}

// Without a handler that is the end of the program, as for a std::thread. In a child, forked before any
// site was opened.
static void test_exceptions_of_a_thread_without_a_handler()
{
    const pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        std::set_terminate([] { raise(SIGKILL); }); // valgrind counts no leaks then
        isis::Site site = open_alone();
        isis::Process p = site.process("p");
        isis::Callbacks callbacks;
        callbacks.view = [](isis::Group, const isis::GroupView &) { throw Oops{1}; };
        p.set_callbacks(callbacks);
        p.start_thread();
        p.start_join("g", 1);
        std::this_thread::sleep_for(patience);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

// Callbacks end once: when they are replaced, when the membership ends, when the call fails.
static void test_lifetime_of_callbacks()
{
    const auto alive = std::make_shared<int>(0);
    isis::Callbacks callbacks;
    callbacks.deliver = [alive](isis::Group, isis::MessageRef) {};
    CHECK(alive.use_count() == 2);
    {
        isis::Site site = open_alone();
        isis::Process p = site.process("p");
        p.set_callbacks(callbacks);
        CHECK(alive.use_count() == 3);
        p.set_callbacks(callbacks);
        CHECK(alive.use_count() == 3);
        isis::Group group = p.join("g", callbacks, patience);
        CHECK(alive.use_count() == 4);
        CHECK((throws<isis::Error>(ISIS_EINVAL, [&] { p.join("g", callbacks, patience); })));
        CHECK((throws<isis::Error>(ISIS_ENAME, [&] { p.start_join("", callbacks, 1); })));
        CHECK(alive.use_count() == 4);
        group.leave(patience);
        until({p.ref()}, [&] { return alive.use_count() == 3; });
    }
    CHECK(alive.use_count() == 2);
}

// An exception of the comparison of olabels comes out of the send, and the site has halted.
static void test_comparison()
{
    isis::SiteOptions options;
    options.id = 1;
    options.first_view = ISIS_FIRST_VIEW_ALONE;
    options.cluster = "versions";
    options.olabel_order = "versions";
    options.compare_olabels = [](std::string_view first, std::string_view second) {
        if (first == "?" || second == "?")
            throw Oops{3};
        return first < second ? ISIS_OLABEL_BEFORE : first > second ? ISIS_OLABEL_AFTER : ISIS_OLABEL_EQUAL;
    };
    isis::Site opened(options), site = std::move(opened);
    isis::Process p = site.process("p");
    isis::Group group = p.join("g", patience);
    int thrown = 0;
    // The first may be settled when the second is sent: until they meet.
    for (int i = 0; i < 100000 && thrown == 0; i++)
        thrown = oops_of([&] {
            group.obcast("1", "x", ISIS_WAIT);
            group.obcast("?", "x", ISIS_WAIT);
        });
    CHECK(thrown == 3);
    CHECK((throws<isis::Error>(ISIS_EPANIC, [&] {
        for (const std::uint64_t deadline = now_ms() + PATIENCE_MS; now_ms() < deadline;)
            group.bcast("l", "x", ISIS_WAIT);
    })));
}

// The log is told, survives a logger that throws, and ends when it is switched off.
static void test_log()
{
    std::atomic<int> lines{0};
    isis::set_log([&](int level, std::string_view target, std::string_view text) {
        CHECK(level <= ISIS_LOG_INFO && !target.empty() && !text.empty());
        lines++;
        throw Oops{1};
    });
    open_alone().wait_view(1, patience);
    CHECK(lines > 0);
    isis::set_log(nullptr);
    const int then = lines;
    open_alone().wait_view(1, patience);
    CHECK(lines == then);
}

int main()
{
    test_exceptions_of_a_thread_without_a_handler();
    test_values();
    test_errors();
    test_moves();
    test_group();
    test_waits();
    test_exceptions_of_dispatch();
    test_exceptions_of_a_thread();
    test_lifetime_of_callbacks();
    test_comparison();
    test_log();
    return finish();
}
