/* A member of the tests on real networks: offers a load, and says what it is delivered.
 *
 *   member <configuration>
 *
 * It says, line by line, with times in nanoseconds of CLOCK_MONOTONIC:
 *   open me=2.17
 *   siteview number=3 at=<ns> epoch=<hex> members=1.9,2.17
 *   view number=5 at=<ns> members=1.9,2.17 messages=<n> order=<hex> set=<hex> in_flight=<n>
 *       the digests are of the view that this one ends; in flight is what this member has sent and
 *       somebody has not taken
 *   blocked at=<ns>, unblocked at=<ns>, excluded at=<ns>
 *   stopped b=<n> o=<n> g=<n>          what it has sent in all: BCASTs, OBCASTs, GBCASTs
 *   from site=1.9 kind=b first=1 last=5000 count=5000
 *   reported in_flight=<n>
 *   alone mean_ns=<t>
 * and obeys its standard input:
 *   join                     becomes a member of the group
 *   start <rate> <kinds>     offers so many broadcasts per second, of these kinds in turn: "bo", "bog"
 *   stop
 *   alone <n> <kind>         sends so many of a kind, each when the one before has left the window, and says
 *                            how long that takes
 *   slow <n>                 takes at most n events per second; 0: as fast as it can
 *   report
 *   quit
 * A member that is excluded says so, opens its site anew, and does again what it was told to do.
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

enum { SIZE = 64, BURST = 64, TICK_MS = 5, MAX_SENDERS = 64, KINDS = 3 };

static const char KIND[] = "obg";

/* What was delivered of one incarnation and primitive. */
typedef struct received {
    isis_site_id site;
    int kind;
    uint64_t first, last, count;
} received;

/* What it was told; this outlives the incarnation. */
static struct orders {
    int join, quit;
    double rate;
    char kinds[16];
    double slow;
} orders;

static struct member {
    isis_site site;
    isis_process process;
    isis_group group;
    isis_process_id self;
    int writable, excluded;
    uint64_t sent[KINDS], all_sent;
    uint64_t load_since, offered, slow_since, taken_slowly;
    uint64_t alone_left, alone_count, alone_since, alone_ns;
    int alone_kind;
    received from[MAX_SENDERS * KINDS];
    size_t froms;
    uint64_t messages, order, set;
} me;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double seconds_since(uint64_t then)
{
    return (double)(now_ns() - then) / 1e9;
}

static void check(int code, const char *what)
{
    if (code < 0) {
        fprintf(stderr, "%s: %s: %s\n", what, isis_error_name(code), isis_last_error());
        exit(1);
    }
}

static void on_log(void *user, int level, const char *target, const char *message)
{
    (void)user;
    fprintf(stderr, "%.3f %d %s: %s\n", (double)now_ns() / 1e9, level, target, message);
}

/* SplitMix64's mixing. */
static uint64_t mixed(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

static uint64_t in_flight(void)
{
    isis_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    /* A site that has ended holds nothing. */
    return isis_site_stats(me.site, &stats) == ISIS_OK ? stats.in_flight_messages : 0;
}

/* --- what the group delivers --- */

static received *received_from(const isis_process_id *sender, int kind)
{
    size_t i;
    for (i = 0; i < me.froms; i++)
        if (me.from[i].site.incarnation == sender->incarnation && me.from[i].site.site == sender->site
            && me.from[i].kind == kind)
            return &me.from[i];
    if (me.froms == sizeof me.from / sizeof me.from[0]) {
        fputs("more senders than expected\n", stderr);
        exit(1);
    }
    me.from[me.froms].site.site = sender->site;
    me.from[me.froms].site.incarnation = sender->incarnation;
    me.from[me.froms].kind = kind;
    return &me.from[me.froms++];
}

static void on_deliver(void *user, isis_process process, isis_group group, const isis_message *message)
{
    isis_process_id sender;
    received *from;
    size_t len;
    int i, kind;
    uint64_t number = 0, name;
    const unsigned char *data = isis_message_data(message, &len);
    (void)user, (void)process, (void)group;
    isis_message_sender(message, &sender);
    switch (isis_message_primitive(message)) {
    case ISIS_BCAST:
        kind = 1;
        break;
    case ISIS_GBCAST:
        kind = 2;
        break;
    default:
        kind = 0;
    }
    for (i = 7; i >= 0 && len >= 8; i--)
        number = number << 8 | data[i];
    from = received_from(&sender, kind);
    if (from->count++ == 0)
        from->first = number;
    if (number > from->last)
        from->last = number;
    name = mixed(sender.incarnation ^ mixed(number) ^ (uint64_t)kind);
    me.messages++;
    me.set += name;
    if (kind != 0)
        me.order = mixed(me.order ^ name);
}

static void say_site(size_t place, uint32_t site, uint64_t incarnation)
{
    printf("%s%" PRIu32 ".%" PRIu64, place == 0 ? "" : ",", site, incarnation);
}

static void on_view(void *user, isis_process process, isis_group group, const isis_group_view *view)
{
    uint64_t at = now_ns();
    size_t i, count;
    const isis_process_id *members = isis_group_view_members(view, &count);
    (void)user, (void)process, (void)group;
    printf("view number=%" PRIu64 " at=%" PRIu64 " members=", isis_group_view_number(view), at);
    for (i = 0; i < count; i++)
        say_site(i, members[i].site, members[i].incarnation);
    printf(" messages=%" PRIu64 " order=%" PRIx64 " set=%" PRIx64 " in_flight=%" PRIu64 "\n",
           me.messages, me.order, me.set, in_flight());
    me.messages = me.order = me.set = 0;
}

static void on_site_view(void *user, isis_process process, const isis_site_view *view)
{
    uint64_t at = now_ns();
    size_t i, count;
    const isis_site_id *members = isis_site_view_members(view, &count);
    (void)user, (void)process;
    printf("siteview number=%" PRIu64 " at=%" PRIu64 " epoch=%s members=",
           isis_site_view_number(view), at, isis_site_view_epoch(view));
    for (i = 0; i < count; i++)
        say_site(i, members[i].site, members[i].incarnation);
    putchar('\n');
}

static void on_blocked(void *user, isis_process process)
{
    (void)user, (void)process;
    printf("blocked at=%" PRIu64 "\n", now_ns());
}

static void on_unblocked(void *user, isis_process process)
{
    (void)user, (void)process;
    printf("unblocked at=%" PRIu64 "\n", now_ns());
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
    if (operation == ISIS_OP_JOIN && status == ISIS_OK) {
        me.group = group;
        me.load_since = now_ns();
        me.offered = 0;
    }
}

static void on_excluded(void *user, isis_process process, const isis_site_view *view)
{
    (void)user, (void)process, (void)view;
    printf("excluded at=%" PRIu64 "\n", now_ns());
    me.excluded = 1;
}

static void on_closed(void *user, isis_process process)
{
    (void)user, (void)process;
    if (!me.excluded && !orders.quit) {
        fputs("the site has ended\n", stderr);
        exit(1);
    }
}

/* --- the load --- */

/* One broadcast; whether it was accepted. */
static int send_one(int kind)
{
    unsigned char payload[SIZE];
    uint64_t number = me.sent[kind] + 1;
    int i, code;
    memset(payload, 0, sizeof payload);
    for (i = 0; i < 8; i++)
        payload[i] = (unsigned char)(number >> (8 * i));
    code = kind == 0   ? isis_obcast(me.group, NULL, payload, SIZE, 0, NULL)
           : kind == 1 ? isis_bcast(me.group, "net", payload, SIZE, 0, NULL)
                       : isis_gbcast(me.group, payload, SIZE, 0, NULL);
    if (code == ISIS_EAGAIN) {
        me.writable = 0;
        return 0;
    }
    if (code == ISIS_EEXCLUDED || code == ISIS_ECLOSED)
        return 0; /* the event is on its way */
    check(code, "send");
    me.sent[kind]++;
    me.all_sent++;
    return 1;
}

/* Catches up with the rate. What back-pressure kept back is not made up for. */
static void offer(void)
{
    int burst = 0;
    double due = seconds_since(me.load_since) * orders.rate;
    if (me.group == 0 || orders.rate == 0 || me.excluded)
        return;
    while (me.writable && burst++ < BURST && (double)me.offered < due) {
        char kind = orders.kinds[me.all_sent % strlen(orders.kinds)];
        if (!send_one((int)(strchr(KIND, kind) - KIND)))
            break;
        me.offered++;
    }
    if (!me.writable) {
        me.load_since = now_ns();
        me.offered = 0;
    }
}

/* The next of those that are sent alone. */
static void offer_alone(void)
{
    if (me.alone_count == 0 || in_flight() > 0)
        return;
    if (me.alone_since != 0) {
        me.alone_ns += now_ns() - me.alone_since;
        me.alone_left--;
        me.alone_since = 0;
    }
    if (me.alone_left == 0) {
        printf("alone mean_ns=%" PRIu64 "\n", me.alone_ns / me.alone_count);
        me.alone_count = 0;
    } else if (send_one(me.alone_kind)) {
        me.alone_since = now_ns();
    }
}

/* --- orders --- */

static void report(void)
{
    size_t i;
    for (i = 0; i < me.froms; i++)
        printf("from site=%" PRIu32 ".%" PRIu64 " kind=%c first=%" PRIu64 " last=%" PRIu64
               " count=%" PRIu64 "\n",
               me.from[i].site.site, me.from[i].site.incarnation, KIND[me.from[i].kind],
               me.from[i].first, me.from[i].last, me.from[i].count);
    printf("reported in_flight=%" PRIu64 "\n", in_flight());
}

static void join(void)
{
    int code = isis_join(me.process, "net", NULL, NULL, 0, 0, NULL);
    orders.join = 1;
    check(code == ISIS_PENDING ? ISIS_OK : code, "join");
}

static void command(const char *line)
{
    char kind;
    if (strcmp(line, "join") == 0) {
        join();
    } else if (sscanf(line, "start %lf %15[bog]", &orders.rate, orders.kinds) == 2) {
        me.load_since = now_ns();
        me.offered = 0;
    } else if (strcmp(line, "stop") == 0) {
        orders.rate = 0;
        printf("stopped b=%" PRIu64 " o=%" PRIu64 " g=%" PRIu64 "\n", me.sent[1], me.sent[0], me.sent[2]);
    } else if (sscanf(line, "alone %" SCNu64 " %c", &me.alone_count, &kind) == 2) {
        me.alone_left = me.alone_count;
        me.alone_kind = (int)(strchr(KIND, kind) - KIND);
        me.alone_ns = 0;
    } else if (sscanf(line, "slow %lf", &orders.slow) == 1) {
        me.slow_since = now_ns();
        me.taken_slowly = 0;
    } else if (strcmp(line, "report") == 0) {
        report();
    } else {
        orders.quit = 1;
    }
}

static void obey(void)
{
    static char line[256];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, line + len, sizeof line - 1 - len);
    char *end;
    if (got <= 0)
        orders.quit = 1; /* whoever started this program has gone */
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

/* How many events it may take now. */
static int appetite(void)
{
    double due;
    if (orders.slow == 0)
        return 4 * BURST;
    due = seconds_since(me.slow_since) * orders.slow - (double)me.taken_slowly;
    return due < 1 ? 0 : due < BURST ? (int)due : BURST;
}

static void run(void)
{
    struct pollfd fds[2];
    fds[0].fd = STDIN_FILENO;
    fds[1].fd = isis_fd(me.process);
    fds[0].events = fds[1].events = POLLIN;
    while (!orders.quit && !me.excluded) {
        int most = appetite();
        offer();
        offer_alone();
        /* A slow member does not look at what it will not take. */
        if (poll(fds, most > 0 ? 2 : 1, me.alone_count > 0 ? 1 : TICK_MS) < 0)
            continue;
        if (most > 0 && fds[1].revents) {
            int taken = isis_dispatch(me.process, 0, most);
            check(taken == ISIS_EINTR ? 0 : taken, "dispatch");
            me.taken_slowly += taken > 0 ? (uint64_t)taken : 0;
        }
        if (fds[0].revents)
            obey();
    }
}

static void open_site(const char *configuration)
{
    isis_callbacks callbacks;
    memset(&me, 0, sizeof me);
    me.writable = 1;
    check(isis_site_open_text(configuration, &me.site), "open");
    check(isis_process_open(me.site, "net", &me.process), "process");
    check(isis_process_get_id(me.process, &me.self), "id");
    printf("open me=%" PRIu32 ".%" PRIu64 "\n", me.self.site, me.self.incarnation);
    isis_callbacks_init(&callbacks);
    callbacks.deliver = on_deliver;
    callbacks.view = on_view;
    callbacks.site_view = on_site_view;
    callbacks.blocked = on_blocked;
    callbacks.unblocked = on_unblocked;
    callbacks.writable = on_writable;
    callbacks.completed = on_completed;
    callbacks.excluded = on_excluded;
    callbacks.closed = on_closed;
    check(isis_set_callbacks(me.process, &callbacks, NULL), "callbacks");
    if (orders.join)
        join();
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: member <configuration>\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    check(isis_set_log(on_log, NULL, ISIS_LOG_INFO), "log");
    while (!orders.quit) {
        int code;
        open_site(argv[1]);
        run();
        code = isis_site_close(me.site, 5000);
        if (code != ISIS_ETIMEDOUT) /* the others find out by themselves */
            check(code, "close");
    }
    return 0;
}
