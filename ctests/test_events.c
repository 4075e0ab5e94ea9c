/* Events one by one, the level-triggered descriptor, interruptions, tokens of late operations. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static int readable(isis_process process)
{
    struct pollfd fd;
    fd.fd = isis_fd(process);
    fd.events = POLLIN;
    return poll(&fd, 1, 0) == 1;
}

/* Takes events until one of this kind; the caller frees it. */
static isis_event *next_of(isis_process process, int kind)
{
    isis_event *event;
    int code;
    for (;;) {
        code = isis_next(process, PATIENCE_MS, &event);
        NEED(code == ISIS_OK);
        if (isis_event_kind(event) == kind)
            return event;
        isis_event_free(event);
    }
}

static void drain(isis_process process)
{
    isis_event *event;
    while (isis_next(process, 0, &event) == ISIS_OK)
        isis_event_free(event);
    CHECK(event == NULL);
}

static void test_next(isis_process process)
{
    isis_event *event;
    isis_group group;
    isis_process_id self;
    char buffer[8] = "";
    size_t count;
    OK(isis_join(process, "next", NULL, NULL, PATIENCE_MS, 0, &group));
    OK(isis_process_get_id(process, &self));

    event = next_of(process, ISIS_EVENT_VIEW);
    CHECK(isis_event_group(event) == group && isis_event_process(event) == process);
    CHECK(isis_group_view_number(isis_event_group_view(event)) >= 1);
    CHECK(memcmp(isis_group_view_members(isis_event_group_view(event), &count), &self, sizeof self) == 0);
    CHECK(count == 1 && isis_event_message(event) == NULL && isis_event_token(event) == 0);
    isis_event_free(event);

    OK(isis_obcast(group, "stream", "payload", 7, ISIS_WAIT, NULL));
    event = next_of(process, ISIS_EVENT_MESSAGE);
    CHECK(isis_message_read(isis_event_message(event), 3, buffer, sizeof buffer) == 4);
    CHECK(memcmp(buffer, "load", 4) == 0);
    CHECK(strcmp(isis_message_label(isis_event_message(event)), "stream") == 0);
    CHECK(isis_message_primitive(isis_event_message(event)) == ISIS_OBCAST);
    CHECK(isis_event_group_view(event) == NULL);
    isis_event_free(event);

    CODE(isis_next(process, 0, &event), ISIS_ETIMEDOUT);
    CHECK(event == NULL);
    CODE(isis_next(process, 20, &event), ISIS_ETIMEDOUT);

    CODE(isis_leave(group, 0, 41), ISIS_PENDING);
    event = next_of(process, ISIS_EVENT_VIEW);
    isis_group_view_members(isis_event_group_view(event), &count);
    CHECK(count == 0 && isis_event_group(event) == group);
    isis_event_free(event);
    CODE(isis_gbcast(group, "x", 1, 0, NULL), ISIS_ENOTMEMBER);
    drain(process);
}

/* Operations that do not wait end as events with the caller's token; so do late ones. */
static void test_tokens(isis_process process)
{
    isis_event *event;
    isis_group group, viewed = 0, completed = 0;
    int code;
    CODE(isis_join(process, "tokens", NULL, NULL, 0, 501, &group), ISIS_PENDING);
    CHECK(group == 0);
    while (!viewed || !completed) { /* in either order */
        NEED(isis_next(process, PATIENCE_MS, &event) == ISIS_OK);
        if (isis_event_kind(event) == ISIS_EVENT_COMPLETED) {
            CHECK(isis_event_token(event) == 501 && isis_event_operation(event) == ISIS_OP_JOIN);
            CHECK(isis_event_status(event) == ISIS_OK);
            completed = isis_event_group(event);
        } else if (isis_event_kind(event) == ISIS_EVENT_VIEW) {
            viewed = isis_event_group(event);
        }
        isis_event_free(event);
    }
    CHECK(viewed == completed);
    group = completed;

    OK(isis_bcast(group, "l", "x", 1, ISIS_WAIT, NULL));
    CODE(isis_flush(process, 0, 502), ISIS_PENDING);
    event = next_of(process, ISIS_EVENT_COMPLETED);
    CHECK(isis_event_token(event) == 502 && isis_event_operation(event) == ISIS_OP_FLUSH);
    isis_event_free(event);

    /* Either it makes it within a millisecond, or its token comes later; never both. */
    code = isis_flush(process, 1, 503);
    CHECK(code == ISIS_OK || code == ISIS_ETIMEDOUT);
    OK(isis_flush(process, PATIENCE_MS, 504));
    if (code == ISIS_ETIMEDOUT) {
        event = next_of(process, ISIS_EVENT_COMPLETED);
        CHECK(isis_event_token(event) == 503);
        isis_event_free(event);
    }
    OK(isis_leave(group, PATIENCE_MS, 505));
    drain(process);
}

/* A site that never gets its first view: what waits for it is told in time. */
static void test_late_join(void)
{
    cluster c;
    isis_process process;
    isis_group group;
    isis_event *event;
    cluster_configure(&c, 2, "");
    NEED(isis_site_open_text(c.config[0], &c.sites[0]) == ISIS_OK);
    OK(isis_process_open(c.sites[0], "early", &process));
    CODE(isis_join(process, "late", NULL, NULL, 20, 61, &group), ISIS_ETIMEDOUT);
    CHECK(group == 0);
    CODE(isis_site_wait_view(c.sites[0], 1, 20, NULL), ISIS_ETIMEDOUT);
    NEED(isis_site_open_text(c.config[1], &c.sites[1]) == ISIS_OK);
    event = next_of(process, ISIS_EVENT_COMPLETED);
    CHECK(isis_event_token(event) == 61 && isis_event_status(event) == ISIS_OK);
    CHECK(isis_event_group(event) != 0);
    isis_event_free(event);
    cluster_close(&c);
}

/* The descriptor is readable exactly while events wait. */
static void test_descriptor(isis_process process)
{
    isis_group group;
    isis_event *event;
    int fd = isis_fd(process), round;
    struct pollfd poll_fd;
    CHECK(fd >= 0 && isis_fd(process) == fd);
    OK(isis_join(process, "fd", NULL, NULL, PATIENCE_MS, 0, &group));
    CHECK(readable(process)); /* its view */
    CHECK(readable(process)); /* level-triggered */
    drain(process);
    CHECK(!readable(process));
    poll_fd.fd = fd;
    poll_fd.events = POLLIN;
    for (round = 0; round < 200; round++) {
        OK(isis_bcast(group, "l", "x", 1, ISIS_WAIT, NULL));
        OK(isis_obcast(group, NULL, "x", 1, ISIS_WAIT, NULL));
        CHECK(poll(&poll_fd, 1, PATIENCE_MS) == 1);
        OK(isis_next(process, 0, &event));
        isis_event_free(event);
        OK(isis_next(process, PATIENCE_MS, &event));
        isis_event_free(event);
        CHECK(!readable(process));
    }
    OK(isis_leave(group, PATIENCE_MS, 0));
    drain(process);
}

static isis_process signalled;

static void on_alarm(int signal)
{
    (void)signal;
    isis_wakeup(signalled);
}

static void *wake_soon(void *process)
{
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
    isis_wakeup(*(isis_process *)process);
    return NULL;
}

static void test_wakeup(isis_process process)
{
    isis_event *event;
    struct sigaction action;
    struct itimerval timer;
    pthread_t thread;

    OK(isis_wakeup(process));
    OK(isis_wakeup(process));
    CHECK(readable(process));
    CODE(isis_dispatch(process, -1, 0), ISIS_EINTR); /* several rings, one answer */
    CHECK(!readable(process));
    CHECK(isis_dispatch(process, 0, 0) == 0);

    CHECK(pthread_create(&thread, NULL, wake_soon, &process) == 0);
    CODE(isis_next(process, -1, &event), ISIS_EINTR);
    CHECK(pthread_join(thread, NULL) == 0);

    /* From a signal handler, into this thread's own wait. */
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    memset(&timer, 0, sizeof timer);
    timer.it_value.tv_usec = 20000;
    signalled = process;
    setitimer(ITIMER_REAL, &timer, NULL);
    CODE(isis_next(process, -1, &event), ISIS_EINTR);
    while (isis_next(process, 0, &event) == ISIS_EINTR)
        ; /* the signal may have ended the wait before its handler rang */
    CHECK(event == NULL && !readable(process));
}

static int stop_ringing;

static void *ring_on(void *process)
{
    int stop;
    do {
        isis_wakeup(*(isis_process *)process);
        __atomic_load(&stop_ringing, &stop, __ATOMIC_SEQ_CST);
    } while (!stop);
    return NULL;
}

/* Rings from another thread, while events come and go and the process is closed under them. */
static void test_ringing_under_load(isis_site site)
{
    isis_process process;
    isis_group group;
    isis_event *event;
    pthread_t thread;
    int i, messages = 0, stop = 1;
    OK(isis_process_open(site, "rung", &process));
    OK(isis_join(process, "rung", NULL, NULL, PATIENCE_MS, 0, &group));
    CHECK(pthread_create(&thread, NULL, ring_on, &process) == 0);
    for (i = 0; i < 300; i++) {
        int code;
        OK(isis_bcast(group, "l", "x", 1, ISIS_WAIT, NULL));
        code = isis_next(process, PATIENCE_MS, &event);
        NEED(code == ISIS_OK || code == ISIS_EINTR);
        messages += isis_event_kind(event) == ISIS_EVENT_MESSAGE;
        isis_event_free(event);
    }
    while (messages < 300) {
        int code = isis_next(process, PATIENCE_MS, &event);
        NEED(code == ISIS_OK || code == ISIS_EINTR);
        messages += isis_event_kind(event) == ISIS_EVENT_MESSAGE;
        isis_event_free(event);
    }
    OK(isis_process_close(process, PATIENCE_MS, 0));
    __atomic_store(&stop_ringing, &stop, __ATOMIC_SEQ_CST);
    CHECK(pthread_join(thread, NULL) == 0);
    CODE(isis_wakeup(process), ISIS_EINVAL);
}

/* Back-pressure: sends refuse, *writable* comes, everything accepted is delivered. */
static void test_writable(void)
{
    isis_site site;
    isis_process process;
    isis_group group;
    isis_event *event;
    int accepted = 0, refused = 0, messages = 0, writable = 0;
    OK(isis_site_open_text("id=1 window_messages=16", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_join(process, "g", NULL, NULL, PATIENCE_MS, 0, &group));
    while (!refused) {
        int code = isis_bcast(group, "l", "x", 1, 0, NULL);
        accepted += code == ISIS_OK;
        refused = code == ISIS_EAGAIN;
        NEED(code == ISIS_OK || code == ISIS_EAGAIN);
    }
    CHECK(accepted == 16);
    OK(isis_set_send_timeout(process, 20));
    CODE(isis_bcast(group, "l", "x", 1, ISIS_WAIT, NULL), ISIS_ETIMEDOUT);
    while (messages < accepted || !writable) {
        NEED(isis_next(process, PATIENCE_MS, &event) == ISIS_OK);
        messages += isis_event_kind(event) == ISIS_EVENT_MESSAGE;
        writable += isis_event_kind(event) == ISIS_EVENT_WRITABLE;
        isis_event_free(event);
    }
    OK(isis_bcast(group, "l", "x", 1, 0, NULL));
    OK(isis_site_close(site, PATIENCE_MS));
}

static void test_stats(isis_site site)
{
    isis_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    OK(isis_site_stats(site, &stats));
    CHECK(stats.struct_size == sizeof stats);
    CHECK(stats.site_views >= 1 && stats.threads == 3 && stats.processes >= 1);
    CHECK(stats.bcasts_delivered > 200);
}

int main(void)
{
    isis_site site;
    isis_process process;
    NEED(isis_site_open_text("id=1", &site) == ISIS_OK);
    NEED(isis_process_open(site, "events", &process) == ISIS_OK);
    test_next(process);
    test_tokens(process);
    test_descriptor(process);
    test_wakeup(process);
    test_ringing_under_load(site);
    test_stats(site);
    test_late_join();
    test_writable();
    OK(isis_process_close(process, PATIENCE_MS, 0));
    OK(isis_site_close(site, PATIENCE_MS));
    return finish();
}
