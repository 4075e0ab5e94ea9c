/* A member of the demonstration: sends its share of a text, each line by BCAST and each word by
 * OBCAST, and applies what the group delivers to its replica. One thread: it polls the library's
 * descriptor and its standard input, and sends as fast as back-pressure lets it.
 *
 *   member <configuration> <text> <place> <sites> <base> start|resume
 *
 * A member that resumes asks the group which of its items are in. What the group answers is exact:
 * the view in which the dead incarnation left came before the one in which this one joined, and
 * after it nothing of the dead one is delivered any more (report 3.3).
 *
 * Messages: "L<number> <line>", "W<number> <word>", "D<place>" (all sent),
 * "A<place> <nonce> <lines from> <to> <words from> <to>" (which of these are in?),
 * "H<nonce> <line ranges> <word ranges>" (these are).
 */
#define _POSIX_C_SOURCE 200809L
#include <isis.h>

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "replica.h"

enum { BURST = 64, MAX_SITES = 16, MAX_ASKED = 128, ANSWER_ROOM = 60000, PROGRESS_NS = 20000000 };

/* Numbers that this member sends, and those of them that are in already. */
typedef struct share {
    size_t from, to, next;
    unsigned char *in;
} share;

static struct member {
    isis_process process;
    isis_group group;
    isis_process_id self;
    unsigned place, sites;
    text text;
    replica replica;
    share lines, words;
    char asked[MAX_SITES][MAX_ASKED]; /* questions not yet answered, by place */
    isis_process_id asker[MAX_SITES];
    isis_process_id members[MAX_SITES];
    size_t member_count;
    unsigned char done[MAX_SITES];
    char nonce[32];
    int resume, sending, writable, said_done, complete, quit;
    uint64_t told;
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

static int same(const isis_process_id *a, const isis_process_id *b)
{
    return a->incarnation == b->incarnation && a->site == b->site && a->index == b->index;
}

/* --- sending --- */

/* Whether the message is accepted; if not, the writable callback will come. */
static int sent(int code, const char *what)
{
    if (code == ISIS_EAGAIN) {
        me.writable = 0;
        return 0;
    }
    check(code, what);
    return 1;
}

static int bcast(const char *message)
{
    return sent(isis_bcast(me.group, "demo", message, strlen(message), 0, NULL), "bcast");
}

/* "<kind><number> <bytes>" in one buffer that grows. */
static piece message_of(char kind, size_t number, piece bytes)
{
    static char *buffer;
    static size_t room;
    piece message;
    if (room < bytes.len + 32) {
        room = bytes.len + 1024;
        buffer = realloc(buffer, room);
        if (buffer == NULL)
            exit(1);
    }
    message.len = (size_t)sprintf(buffer, "%c%lu ", kind, (unsigned long)number);
    memcpy(buffer + message.len, bytes.at, bytes.len);
    message.len += bytes.len;
    message.at = buffer;
    return message;
}

static int send_item(share *share, char kind, const piece *texts)
{
    size_t n = share->next;
    piece message;
    if (!share->in[n - share->from]) {
        message = message_of(kind, n, texts[n]);
        if (!sent(kind == 'W' ? isis_obcast(me.group, NULL, message.at, message.len, 0, NULL)
                              : isis_bcast(me.group, "demo", message.at, message.len, 0, NULL),
                  "send"))
            return 0;
    }
    share->next++;
    return 1;
}

/* The words of the next line, then the line. Whether something was sent. */
static int send_next(void)
{
    char message[32];
    if (me.lines.next == me.lines.to) {
        if (!me.said_done) {
            sprintf(message, "D%u", me.place);
            me.said_done = bcast(message);
        }
        return 0;
    }
    if (me.words.next < me.text.first_word[me.lines.next + 1])
        return send_item(&me.words, 'W', me.text.words);
    if (me.lines.next + 1 == me.lines.to)
        puts("last"); /* before it is sent: what was not said before a kill was not sent */
    return send_item(&me.lines, 'L', me.text.lines);
}

static void share_init(share *share, size_t from, size_t to)
{
    share->from = share->next = from;
    share->to = to;
    share->in = calloc(to - from + 1, 1);
    if (share->in == NULL)
        exit(1);
}

/* --- questions of members that came back --- */

static void ask(void)
{
    char question[MAX_ASKED];
    sprintf(me.nonce, "%" PRIu64, me.self.incarnation);
    sprintf(question, "A%u %s %lu %lu %lu %lu", me.place, me.nonce, (unsigned long)me.lines.from,
            (unsigned long)me.lines.to, (unsigned long)me.words.from, (unsigned long)me.words.to);
    check(isis_bcast(me.group, "demo", question, strlen(question), ISIS_WAIT, NULL), "ask");
}

/* The oldest member other than the asker answers. */
static int mine_to_answer(unsigned place)
{
    size_t i = 0;
    while (i < me.member_count && same(&me.members[i], &me.asker[place]))
        i++;
    return me.asked[place][0] != '\0' && i < me.member_count && same(&me.members[i], &me.self);
}

static int answer(unsigned place)
{
    static char lines[ANSWER_ROOM], words[ANSWER_ROOM], message[2 * ANSWER_ROOM + 64];
    unsigned long from, to, words_from, words_to;
    char nonce[32];
    if (sscanf(me.asked[place], "%*u %31s %lu %lu %lu %lu", nonce, &from, &to, &words_from, &words_to)
        != 5)
        return 1;
    items_write_ranges(&me.replica.queue, from, to, lines, sizeof lines);
    items_write_ranges(&me.replica.words, words_from, words_to, words, sizeof words);
    sprintf(message, "H%s %s %s", nonce, lines, words);
    return bcast(message);
}

static void answer_all(void)
{
    unsigned place;
    for (place = 0; place < me.sites; place++)
        if (mine_to_answer(place) && answer(place))
            me.asked[place][0] = '\0';
}

/* What is in, if this member asked; in any case, the question is answered. */
static void take_answer(const char *message)
{
    static char lines[ANSWER_ROOM], words[ANSWER_ROOM];
    char nonce[32], asked[32];
    unsigned place;
    size_t i, missing_lines = 0, missing_words = 0;
    if (sscanf(message, "%31s %59999s %59999s", nonce, lines, words) != 3)
        return;
    for (place = 0; place < me.sites; place++)
        if (sscanf(me.asked[place], "%*u %31s", asked) == 1 && strcmp(asked, nonce) == 0)
            me.asked[place][0] = '\0';
    if (strcmp(nonce, me.nonce) != 0 || me.sending)
        return;
    ranges_read(lines, me.lines.in, me.lines.from, me.lines.to);
    ranges_read(words, me.words.in, me.words.from, me.words.to);
    for (i = 0; i < me.lines.to - me.lines.from; i++)
        missing_lines += !me.lines.in[i];
    for (i = 0; i < me.words.to - me.words.from; i++)
        missing_words += !me.words.in[i];
    printf("resume missing_lines=%lu missing_words=%lu\n", (unsigned long)missing_lines,
           (unsigned long)missing_words);
    me.sending = 1;
}

/* --- what the group delivers --- */

static void on_deliver(void *user, isis_process process, isis_group group, const isis_message *message)
{
    char text[2 * ANSWER_ROOM + 64];
    piece payload;
    unsigned place;
    (void)user, (void)process, (void)group;
    payload.at = isis_message_data(message, &payload.len);
    if (payload.len == 0)
        return;
    payload.at++, payload.len--;
    switch (payload.at[-1]) {
    case 'L':
        replica_line(&me.replica, payload);
        return;
    case 'W':
        replica_word(&me.replica, payload);
        return;
    }
    if (payload.len >= sizeof text)
        return;
    memcpy(text, payload.at, payload.len);
    text[payload.len] = '\0';
    place = (unsigned)strtoul(text, NULL, 10);
    if (payload.at[-1] == 'H') {
        take_answer(text);
    } else if (place < me.sites && payload.at[-1] == 'A' && payload.len < MAX_ASKED) {
        strcpy(me.asked[place], text);
        isis_message_sender(message, &me.asker[place]);
    } else if (place < me.sites && payload.at[-1] == 'D') {
        me.done[place] = 1;
    }
}

static void print_site(const char *separator, uint32_t site, uint64_t incarnation)
{
    printf("%s%" PRIu32 ".%" PRIu64, separator, site, incarnation);
}

static void on_view(void *user, isis_process process, isis_group group, const isis_group_view *view)
{
    uint64_t at = now_ns();
    size_t i, joined;
    const isis_process_id *members = isis_group_view_members(view, &me.member_count);
    (void)user, (void)process, (void)group;
    if (me.member_count > MAX_SITES)
        me.member_count = MAX_SITES;
    memcpy(me.members, members, me.member_count * sizeof *members);
    printf("view number=%" PRIu64 " at=%" PRIu64 " members=", isis_group_view_number(view), at);
    for (i = 0; i < me.member_count; i++)
        print_site(i == 0 ? "" : ",", members[i].site, members[i].incarnation);
    putchar('\n');
    isis_group_view_joined(view, &joined);
    if (joined > 0)
        replica_joined(&me.replica);
    if (!me.resume && me.member_count == me.sites)
        me.sending = 1;
}

static void on_site_view(void *user, isis_process process, const isis_site_view *view)
{
    uint64_t at = now_ns();
    size_t i, count;
    const isis_site_id *members = isis_site_view_members(view, &count);
    (void)user, (void)process;
    printf("siteview number=%" PRIu64 " at=%" PRIu64 " members=", isis_site_view_number(view), at);
    for (i = 0; i < count; i++)
        print_site(i == 0 ? "" : ",", members[i].site, members[i].incarnation);
    putchar('\n');
}

static void on_writable(void *user, isis_process process)
{
    (void)user, (void)process;
    me.writable = 1;
}

static void on_excluded(void *user, isis_process process, const isis_site_view *view)
{
    (void)user, (void)process, (void)view;
    fputs("excluded from the site view\n", stderr);
    exit(1);
}

/* --- the rest --- */

static void tell_progress(void)
{
    uint64_t now = now_ns();
    unsigned place, done = 0;
    if (now - me.told > PROGRESS_NS) {
        me.told = now;
        printf("progress sent=%lu of=%lu lines=%lu words=%lu\n",
               (unsigned long)(me.lines.next - me.lines.from),
               (unsigned long)(me.lines.to - me.lines.from), (unsigned long)me.replica.queue.count,
               (unsigned long)me.replica.words.count);
    }
    for (place = 0; place < me.sites; place++)
        done += me.done[place];
    if (done == me.sites && !me.complete) {
        me.complete = 1;
        puts("complete");
    }
}

static void report(const char *base)
{
    digests d = replica_digests(&me.replica);
    if (replica_write(&me.replica, base) != 0) {
        perror(base);
        exit(1);
    }
    printf("report incarnation=%" PRIu64 " queue=%llx tally=%llx queue_since=%llx tally_since=%llx\n",
           me.self.incarnation, d.queue, d.tally, d.queue_since, d.tally_since);
}

static void obey(const char *base)
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
        if (strcmp(line, "report") == 0)
            report(base);
        else if (strcmp(line, "quit") == 0)
            me.quit = 1;
        len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, len + 1);
    }
}

static void run(const char *base)
{
    struct pollfd fds[2];
    fds[0].fd = isis_fd(me.process);
    fds[1].fd = STDIN_FILENO;
    fds[0].events = fds[1].events = POLLIN;
    while (!me.quit) {
        int burst = 0, more;
        answer_all();
        while (me.sending && me.writable && burst < BURST && send_next())
            burst++;
        tell_progress();
        more = me.sending && me.writable && !me.said_done;
        if (poll(fds, 2, more ? 0 : 20) < 0)
            continue;
        if (fds[0].revents)
            check(isis_dispatch(me.process, 0, 4 * BURST), "dispatch");
        if (fds[1].revents)
            obey(base);
    }
}

int main(int argc, char **argv)
{
    isis_callbacks callbacks;
    isis_site site;
    if (argc != 7) {
        fputs("usage: member <configuration> <text> <place> <sites> <base> start|resume\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    me.place = (unsigned)atoi(argv[3]);
    me.sites = (unsigned)atoi(argv[4]);
    me.resume = strcmp(argv[6], "resume") == 0;
    me.writable = 1;
    if (me.sites > MAX_SITES || me.place >= me.sites || text_read(&me.text, argv[2]) != 0) {
        perror(argv[2]);
        return 1;
    }
    replica_init(&me.replica, &me.text);
    share_init(&me.lines, me.text.line_count * me.place / me.sites,
               me.text.line_count * (me.place + 1) / me.sites);
    share_init(&me.words, me.text.first_word[me.lines.from], me.text.first_word[me.lines.to]);

    check(isis_site_open_text(argv[1], &site), "open");
    check(isis_process_open(site, "demo", &me.process), "process");
    check(isis_process_get_id(me.process, &me.self), "id");
    printf("open incarnation=%" PRIu64 "\n", me.self.incarnation);
    isis_callbacks_init(&callbacks);
    callbacks.deliver = on_deliver;
    callbacks.view = on_view;
    callbacks.site_view = on_site_view;
    callbacks.writable = on_writable;
    callbacks.excluded = on_excluded;
    check(isis_set_callbacks(me.process, &callbacks, NULL), "callbacks");
    check(isis_join(me.process, "demo", NULL, NULL, -1, 0, &me.group), "join");
    if (me.resume)
        ask();
    run(argv[5]);

    check(isis_site_close(site, 5000), "close");
    free(me.lines.in);
    free(me.words.in);
    replica_free(&me.replica);
    text_free(&me.text);
    return 0;
}
