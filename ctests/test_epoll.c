/* A program of one thread around epoll: two groups, sends under back-pressure, flushes, status calls,
 * leaves, and no call of the library waits, from opening the site to the end of its close. Its one
 * place to wait is its own epoll_wait().
 *
 * How that is checked: this program defines the functions through which the library could wait
 * (syscall(), which its locks, conditions and sleeps use for futex; poll() and its kin; sleeps; joins;
 * reads that block), so that the library's calls come here first. While a call of the library is under
 * way in this thread, each that would wait is counted, with or without a time limit: not one may.
 * Not seen are the locks that the C library takes inside itself: malloc()'s, for memory that another
 * thread frees, and those of pthread_create(). That the net holds is shown at the end, by calls that
 * must be caught.
 *
 * The other member is a program of its own, forked before anything is opened. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include "check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static __thread const char *in_library;
static int waits;

static void count_wait(const char *how, int would_wait)
{
    if (in_library == NULL || !would_wait)
        return;
    if (waits++ < 10)
        fprintf(stderr, "%s waits in %s\n", in_library, how);
}

/* Whether reading from it can wait for somebody. */
static int may_wait(int fd)
{
    struct stat status;
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode);
}

/* Defines a function of the C library that counts, then does what it always does. */
#define WATCH(type, name, parameters, arguments, would_wait)                                        \
    type name parameters                                                                            \
    {                                                                                               \
        static type(*real) parameters;                                                              \
        if (real == NULL) {                                                                         \
            void *found = dlsym(RTLD_NEXT, #name);                                                  \
            memcpy(&real, &found, sizeof real);                                                     \
        }                                                                                           \
        count_wait(#name, would_wait);                                                              \
        return real arguments;                                                                      \
    }

#ifdef __cplusplus
extern "C" {
#endif

WATCH(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout), timeout != 0)
WATCH(int, ppoll, (struct pollfd * fds, nfds_t count, const struct timespec *time, const sigset_t *mask),
      (fds, count, time, mask), time == NULL || time->tv_sec != 0 || time->tv_nsec != 0)
WATCH(int, select, (int count, fd_set *r, fd_set *w, fd_set *e, struct timeval *time),
      (count, r, w, e, time), time == NULL || time->tv_sec != 0 || time->tv_usec != 0)
WATCH(int, epoll_wait, (int epoll, struct epoll_event *events, int most, int timeout),
      (epoll, events, most, timeout), timeout != 0)
WATCH(int, nanosleep, (const struct timespec *time, struct timespec *rest), (time, rest), 1)
WATCH(int, clock_nanosleep,
      (clockid_t clock, int flags, const struct timespec *time, struct timespec *rest),
      (clock, flags, time, rest), 1)
WATCH(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t *mutex), (condition, mutex), 1)
WATCH(int, pthread_cond_timedwait,
      (pthread_cond_t * condition, pthread_mutex_t *mutex, const struct timespec *time),
      (condition, mutex, time), 1)
WATCH(int, pthread_join, (pthread_t thread, void **result), (thread, result), 1)
WATCH(int, sem_wait, (sem_t * semaphore), (semaphore), 1)
WATCH(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, size), may_wait(fd))
WATCH(ssize_t, recv, (int fd, void *buffer, size_t size, int flags), (fd, buffer, size, flags),
      may_wait(fd) && (flags & MSG_DONTWAIT) == 0)

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long a[6];
    va_list arguments;
    int i;
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "syscall");
        memcpy(&real, &found, sizeof real);
    }
    va_start(arguments, number);
    for (i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_futex) {
        int op = (int)a[1] & FUTEX_CMD_MASK;
        count_wait("futex", op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET || op == FUTEX_LOCK_PI);
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#ifdef __cplusplus
}
#endif

/* A call of the library, watched. */
static int result;
#define LIBRARY(call) (in_library = #call, result = (call), in_library = NULL, result)

enum { MESSAGES = 4000, FLUSH_EVERY = 500 };

/* --- the other member: waits as it likes --- */

static int other_stops;

static void other_delivers(void *user, isis_process process, isis_group group, const isis_message *message)
{
    size_t len;
    const char *data = (const char *)isis_message_data(message, &len);
    (void)user, (void)process;
    if (len == 4 && memcmp(data, "stop", 4) == 0)
        other_stops = 1;
    else if (len == 4 && memcmp(data, "ping", 4) == 0)
        isis_bcast(group, "pong", "pong", 4, 0, NULL);
}

static int other_member(const char *config)
{
    isis_site site;
    isis_process process;
    isis_callbacks callbacks;
    isis_callbacks_init(&callbacks);
    callbacks.deliver = other_delivers;
    if (isis_site_open_text(config, &site) != ISIS_OK
        || isis_process_open(site, "other", &process) != ISIS_OK
        || isis_set_callbacks(process, &callbacks, NULL) != ISIS_OK
        || isis_join(process, "left", NULL, NULL, PATIENCE_MS, 0, NULL) != ISIS_OK
        || isis_join(process, "right", NULL, NULL, PATIENCE_MS, 0, NULL) != ISIS_OK)
        return 1;
    while (!other_stops)
        if (isis_dispatch(process, PATIENCE_MS, 0) <= 0)
            return 2;
    return isis_site_close(site, PATIENCE_MS) != ISIS_OK;
}

/* --- the member of one thread --- */

static struct member {
    isis_site site;
    isis_process process;
    isis_process_id self;
    isis_group groups[2];
    size_t members[2];
    int joined, sent, delivered, pongs, flushes, flushed, writable, stopped, left, closed;
    int refused, asked, answered;
} me;

static void on_deliver(void *user, isis_process process, isis_group group, const isis_message *message)
{
    isis_process_id sender;
    size_t len;
    const char *data = (const char *)isis_message_data(message, &len);
    (void)user, (void)process, (void)group;
    isis_message_sender(message, &sender);
    me.delivered += memcmp(&sender, &me.self, sizeof sender) == 0;
    me.pongs += len == 4 && memcmp(data, "pong", 4) == 0;
}

static void on_view(void *user, isis_process process, isis_group group, const isis_group_view *view)
{
    int place = strcmp(isis_group_view_name(view), "right") == 0;
    (void)user, (void)process;
    me.groups[place] = group;
    isis_group_view_members(view, &me.members[place]);
}

static void on_writable(void *user, isis_process process)
{
    (void)user, (void)process;
    me.writable = 1;
}

static void on_completed(void *user, isis_process process, uint64_t token, int operation, int status,
                         isis_group group)
{
    (void)user, (void)process, (void)token;
    CHECK(status == ISIS_OK);
    me.joined += operation == ISIS_OP_JOIN && group != 0;
    me.flushed += operation == ISIS_OP_FLUSH;
    me.left += operation == ISIS_OP_LEAVE;
}

static void on_answered(void *user, isis_process process, uint64_t token,
                        const isis_delivery_status *answer)
{
    (void)user, (void)process;
    CHECK(token == 77 && answer->state <= ISIS_STATUS_STABLE && answer->failed_count == 0);
    me.answered++;
}

static void on_closed(void *user, isis_process process)
{
    (void)user, (void)process;
    me.closed = 1;
}

/* What else a program may want to know at any time. */
static void look_around(void)
{
    isis_site_view *site_view = NULL;
    isis_group_view *group_view = NULL;
    isis_stats stats;
    stats.struct_size = sizeof stats;
    OK(LIBRARY(isis_site_current_view(me.site, &site_view)));
    CHECK(site_view != NULL);
    isis_site_view_free(site_view);
    OK(LIBRARY(isis_group_current_view(me.groups[0], &group_view)));
    CHECK(group_view != NULL);
    isis_group_view_free(group_view);
    CHECK(LIBRARY(isis_site_is_blocked(me.site)) == 0);
    OK(LIBRARY(isis_site_stats(me.site, &stats)));
    CHECK(stats.processes == 1);
    OK(LIBRARY(isis_site_wait_view(me.site, 2, 0, NULL)));
}

/* If it was refused, *writable* follows. */
static int accepted(int code)
{
    if (code == ISIS_EAGAIN) {
        me.writable = 0;
        me.refused++;
        return 0;
    }
    OK(code);
    return 1;
}

static void send_one(void)
{
    char text[64];
    isis_id id;
    isis_group group = me.groups[me.sent % 2];
    int len = me.sent % 400 == 0 ? sprintf(text, "ping") : sprintf(text, "message %d", me.sent);
    int code = me.sent % 3 == 0
                   ? LIBRARY(isis_obcast(group, NULL, text, (size_t)len, 0, &id))
                   : LIBRARY(isis_bcast(group, "l", text, (size_t)len, 0, &id));
    if (!accepted(code))
        return;
    me.sent++;
    if (me.sent % FLUSH_EVERY == 0) {
        CODE(LIBRARY(isis_flush(me.process, 0, (uint64_t)me.sent)), ISIS_PENDING);
        CODE(LIBRARY(isis_status(me.process, &id, 0, 77, NULL)), ISIS_PENDING);
        me.flushes++;
        me.asked++;
        look_around();
    }
}

static int busy(void)
{
    return me.members[0] == 2 && me.members[1] == 2 && me.writable && me.sent < MESSAGES;
}

static void step(void)
{
    int burst;
    for (burst = 0; burst < 64 && busy(); burst++)
        send_one();
    if (me.sent == MESSAGES && me.delivered == MESSAGES && me.flushed == me.flushes && !me.stopped
        && me.answered == me.asked && me.writable
        && accepted(LIBRARY(isis_bcast(me.groups[0], "l", "stop", 4, 0, NULL)))) {
        CODE(LIBRARY(isis_leave(me.groups[0], 0, 1)), ISIS_PENDING);
        CODE(LIBRARY(isis_leave(me.groups[1], 0, 2)), ISIS_PENDING);
        me.stopped = 1;
    }
    if (me.left == 2) {
        me.left++;
        CODE(LIBRARY(isis_process_close(me.process, 0, 3)), ISIS_PENDING);
    }
}

static void run(void)
{
    uint64_t deadline = now_ms() + PATIENCE_MS; /* for something to happen */
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, LIBRARY(isis_fd(me.process)), &event) == 0);
    while (!me.closed) {
        NEED(now_ms() < deadline);
        step();
        if (epoll_wait(epoll, &event, 1, busy() ? 0 : 1000) > 0) {
            CHECK(LIBRARY(isis_dispatch(me.process, 0, 256)) >= 0);
            if (result > 0)
                deadline = now_ms() + PATIENCE_MS;
        }
    }
    /* Nothing is left; readable once for nothing is allowed. */
    do {
        NEED(now_ms() < deadline);
        CODE(LIBRARY(isis_dispatch(me.process, 0, 256)), ISIS_ECLOSED);
    } while (epoll_wait(epoll, &event, 1, 0) > 0);
    OK(LIBRARY(isis_process_close(me.process, 0, 0)));
    while (LIBRARY(isis_site_close(me.site, 0)) == ISIS_PENDING) {
        NEED(now_ms() < deadline);
        epoll_wait(epoll, &event, 1, 2);
    }
    OK(result);
    close(epoll);
}

static void *open_late(void *c)
{
    struct timespec pause = {0, 300000000};
    nanosleep(&pause, NULL);
    OK(isis_site_open_text(((cluster *)c)->config[1], &((cluster *)c)->sites[1]));
    return NULL;
}

/* The net catches what waits: for events, for an outcome, for room, for ever. */
static void test_the_net(void)
{
    cluster c;
    isis_process process;
    isis_process_id self;
    pthread_t thread;
    int before = waits;
    cluster_configure(&c, 2, "window_messages=2");
    OK(isis_site_open_text(c.config[0], &c.sites[0]));
    OK(isis_process_open(c.sites[0], "net", &process));
    OK(isis_process_get_id(process, &self));
    CHECK(LIBRARY(isis_dispatch(process, 300, 0)) == 0);
    CHECK(waits > before);
    before = waits; /* without the other site, nothing is ever done */
    CODE(LIBRARY(isis_join(process, "net", NULL, NULL, 300, 0, NULL)), ISIS_ETIMEDOUT);
    CHECK(waits > before);
    before = waits;
    OK(isis_set_send_timeout(process, 300));
    while (LIBRARY(isis_bcast_to(process, &self, 1, "l", "x", 1, ISIS_WAIT, NULL)) == ISIS_OK)
        ;
    CODE(result, ISIS_ETIMEDOUT);
    CHECK(waits > before);
    before = waits;
    CHECK(pthread_create(&thread, NULL, open_late, &c) == 0);
    OK(LIBRARY(isis_site_wait_view(c.sites[0], 2, -1, NULL)));
    CHECK(waits > before);
    CHECK(pthread_join(thread, NULL) == 0);
    cluster_close(&c);
}

int main(void)
{
    cluster c;
    isis_callbacks callbacks;
    pid_t other;
    int status = -1;
    cluster_configure(&c, 2, "window_messages=64");
    fflush(NULL);
    other = fork();
    if (other == 0)
        _exit(other_member(c.config[1]));
    NEED(other > 0);

    me.writable = 1;
    OK(LIBRARY(isis_site_open_text(c.config[0], &me.site)));
    OK(LIBRARY(isis_process_open(me.site, "one thread", &me.process)));
    OK(LIBRARY(isis_process_get_id(me.process, &me.self)));
    isis_callbacks_init(&callbacks);
    callbacks.deliver = on_deliver;
    callbacks.view = on_view;
    callbacks.writable = on_writable;
    callbacks.completed = on_completed;
    callbacks.answered = on_answered;
    callbacks.closed = on_closed;
    OK(LIBRARY(isis_set_callbacks(me.process, &callbacks, NULL)));
    CODE(LIBRARY(isis_join(me.process, "left", NULL, NULL, 0, 1, NULL)), ISIS_PENDING);
    CODE(LIBRARY(isis_join(me.process, "right", NULL, NULL, 0, 2, NULL)), ISIS_PENDING);
    run();
    CHECK(waits == 0);
    fprintf(stderr, "sent %d, refused %d, %d flushes, %d pongs; %d waits in the library\n", me.sent,
            me.refused, me.flushed, me.pongs, waits);
    CHECK(me.joined == 2 && me.delivered == MESSAGES + 1 && me.pongs > 0);
    CHECK(me.flushed == MESSAGES / FLUSH_EVERY && me.refused > 0);

    CHECK(waitpid(other, &status, 0) == other);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    test_the_net();
    return finish();
}
