/* A member of the measurement: what the C interface reaches, as a program with one thread sees it.
 *
 *   member <configuration> <sites>
 *
 * It prints `view number=<n> at=<ns> members=<n>` with every group view, and obeys its standard
 * input:
 *   run b|s|o <size> <ms> sends BCASTs, safe ones or OBCASTs of this size for so long, as fast as back-pressure
 *                         lets it; when everything that any member sent is delivered here, prints
 *                         `ran delivered=<n> begin=<ns> end=<ns>`
 *   latency b|s <n>       sends that many BCASTs of 64 bytes one by one, each when the one before is
 *                         delivered here; prints `latency p50_ns=<t> p99_ns=<t>`
 *   quit
 */
#define _POSIX_C_SOURCE 200809L
#include <isis.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 64, MAX_SIZE = 65536 };

static struct member {
    isis_process process;
    isis_group group;
    isis_process_id self;
    unsigned sites, ends;
    char kind; /* of the run under way, 0 if none */
    size_t size;
    int writable, said_end, quit;
    uint64_t begin, until, last, delivered, own;
} me;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void check(int code, const char *what)
{
    if (code < 0) {
        fprintf(stderr, "%s: %s: %s\n", what, isis_error_name(code), isis_last_error());
        exit(1);
    }
}

static void on_deliver(void *user, isis_process process, isis_group group, const isis_message *message)
{
    size_t len;
    const char *data = isis_message_data(message, &len);
    (void)user, (void)process, (void)group;
    if (data[0] == 'E') {
        me.ends++;
    } else if (data[0] == 'L') {
        isis_process_id sender;
        isis_message_sender(message, &sender);
        me.own += sender.site == me.self.site;
    } else {
        me.delivered++;
        me.last = 0; /* the clock is read once per burst */
    }
}

static void on_view(void *user, isis_process process, isis_group group, const isis_group_view *view)
{
    uint64_t at = now_ns();
    size_t count;
    (void)user, (void)process, (void)group;
    isis_group_view_members(view, &count);
    printf("view number=%" PRIu64 " at=%" PRIu64 " members=%lu\n", isis_group_view_number(view), at,
           (unsigned long)count);
}

static void on_writable(void *user, isis_process process)
{
    (void)user, (void)process;
    me.writable = 1;
}

static int sent(int code)
{
    if (code == ISIS_EAGAIN)
        me.writable = 0;
    else
        check(code, "send");
    return code != ISIS_EAGAIN;
}

static uint32_t safe(char kind)
{
    return kind == 's' ? ISIS_SAFE : 0;
}

/* One message of the run, or its end: an OBCAST comes before a later BCAST of its sender, so that
 * the end is delivered after everything that it ends. */
static int send_next(void)
{
    static char payload[MAX_SIZE];
    payload[0] = 'M';
    if (now_ns() < me.until)
        return sent(me.kind == 'o' ? isis_obcast(me.group, NULL, payload, me.size, 0, NULL)
                                   : isis_bcast(me.group, "bench", payload, me.size, safe(me.kind), NULL));
    me.said_end = sent(isis_bcast(me.group, "bench", "E", 1, 0, NULL));
    return 0;
}

static void dispatch(int timeout_ms)
{
    int code = isis_dispatch(me.process, timeout_ms, 4 * BURST);
    if (code != ISIS_ETIMEDOUT && code != ISIS_EINTR)
        check(code, "dispatch");
    if (me.last == 0)
        me.last = now_ns();
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void latency(char kind, size_t count)
{
    uint64_t *took = malloc(count * sizeof *took), begin, before;
    char payload[64] = {'L'};
    size_t i;
    if (took == NULL)
        exit(1);
    for (i = 0; i < count; i++) {
        begin = now_ns();
        before = me.own;
        check(isis_bcast(me.group, "bench", payload, sizeof payload, ISIS_WAIT | safe(kind), NULL), "bcast");
        while (me.own == before)
            dispatch(1000);
        took[i] = now_ns() - begin;
    }
    qsort(took, count, sizeof *took, by_value);
    printf("latency p50_ns=%" PRIu64 " p99_ns=%" PRIu64 "\n", took[count / 2], took[count * 99 / 100]);
    free(took);
}

static void command(const char *line)
{
    unsigned long size, amount;
    char kind;
    if (sscanf(line, "run %c %lu %lu", &kind, &size, &amount) == 3 && size >= 1 && size <= MAX_SIZE) {
        me.kind = kind;
        me.size = size;
        me.said_end = 0;
        me.begin = now_ns();
        me.until = me.begin + amount * 1000000u;
    } else if (sscanf(line, "latency %c %lu", &kind, &amount) == 2) {
        latency(kind, amount);
    } else {
        me.quit = 1;
    }
}

static void obey(void)
{
    static char line[256];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, line + len, sizeof line - 1 - len);
    char *end;
    if (got <= 0)
        me.quit = 1; /* whoever started this program has gone */
    else
        len += (size_t)got;
    line[len] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        command(line);
        len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, len + 1);
    }
}

static void run(void)
{
    struct pollfd fds[2];
    fds[0].fd = isis_fd(me.process);
    fds[1].fd = STDIN_FILENO;
    fds[0].events = fds[1].events = POLLIN;
    while (!me.quit) {
        int burst = 0, sending = me.kind != 0 && !me.said_end;
        while (sending && me.writable && burst < BURST && send_next())
            burst++;
        if (me.ends == me.sites && me.kind != 0 && me.said_end) {
            printf("ran delivered=%" PRIu64 " begin=%" PRIu64 " end=%" PRIu64 "\n", me.delivered,
                   me.begin, me.last);
            me.kind = 0;
            me.ends = 0;
            me.delivered = 0;
        }
        sending = me.kind != 0 && !me.said_end && me.writable;
        if (poll(fds, 2, sending ? 0 : -1) < 0)
            continue;
        if (fds[0].revents)
            dispatch(0);
        if (fds[1].revents)
            obey();
    }
}

int main(int argc, char **argv)
{
    isis_callbacks callbacks;
    isis_site site;
    if (argc != 3) {
        fputs("usage: member <configuration> <sites>\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    me.sites = (unsigned)atoi(argv[2]);
    me.writable = 1;
    check(isis_site_open_text(argv[1], &site), "open");
    check(isis_process_open(site, "bench", &me.process), "process");
    check(isis_process_get_id(me.process, &me.self), "id");
    isis_callbacks_init(&callbacks);
    callbacks.deliver = on_deliver;
    callbacks.view = on_view;
    callbacks.writable = on_writable;
    check(isis_set_callbacks(me.process, &callbacks, NULL), "callbacks");
    check(isis_join(me.process, "bench", NULL, NULL, -1, 0, &me.group), "join");
    run();
    check(isis_site_close(site, 5000), "close");
    return 0;
}
