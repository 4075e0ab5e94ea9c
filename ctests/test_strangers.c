/* Sites and bytes that do not belong: each is told why, counted and logged, and the group that is
 * there goes on with nothing lost. */
#include "check.h"

#include <pthread.h>

/* What the library has logged. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[1 << 20];
static size_t logged_bytes;

static void on_log(void *user, int level, const char *target, const char *message)
{
    size_t len = strlen(message);
    (void)user;
    (void)level;
    (void)target;
    pthread_mutex_lock(&lock);
    if (logged_bytes + len + 2 < sizeof logged) {
        memcpy(logged + logged_bytes, message, len);
        logged_bytes += len;
        logged[logged_bytes++] = '\n';
    }
    pthread_mutex_unlock(&lock);
}

static int log_has(const char *words)
{
    int found;
    pthread_mutex_lock(&lock);
    logged[logged_bytes] = '\0';
    found = strstr(logged, words) != NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

static void forget_log(void)
{
    pthread_mutex_lock(&lock);
    logged_bytes = 0;
    pthread_mutex_unlock(&lock);
}

static isis_stats stats_of(isis_site site)
{
    isis_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    OK(isis_site_stats(site, &stats));
    return stats;
}

static const struct timespec moment = {0, 1000000};

/* Waits until the condition holds. */
#define UNTIL(condition)                                                                            \
    do {                                                                                            \
        uint64_t end = now_ms() + PATIENCE_MS;                                                      \
        while (!(condition) && now_ms() < end)                                                      \
            nanosleep(&moment, NULL);                                                               \
        NEED(condition);                                                                            \
    } while (0)

/* Two sites of one group, each with a process. */
typedef struct pair {
    cluster c;
    isis_process processes[2];
    isis_group groups[2];
    int said;
} pair;

static void pair_open(pair *p)
{
    int i;
    memset(p, 0, sizeof *p);
    cluster_open(&p->c, 2, "");
    for (i = 0; i < 2; i++) {
        NEED(isis_process_open(p->c.sites[i], "p", &p->processes[i]) == ISIS_OK);
        NEED(isis_join(p->processes[i], "g", NULL, NULL, PATIENCE_MS, 0, &p->groups[i]) == ISIS_OK);
    }
    forget_log();
}

/* Each sends, and both have everything; the site view is still the first. */
static void pair_goes_on(pair *p)
{
    int i, heard;
    isis_event *event;
    for (i = 0; i < 2; i++)
        OK(isis_bcast(p->groups[i], "l", "on", 2, ISIS_WAIT, NULL));
    for (i = 0; i < 2; i++) {
        for (heard = 0; heard < 2;) {
            NEED(isis_next(p->processes[i], PATIENCE_MS, &event) == ISIS_OK);
            heard += isis_event_kind(event) == ISIS_EVENT_MESSAGE;
            isis_event_free(event);
        }
        CHECK(stats_of(p->c.sites[i]).site_views == 1);
    }
}

/* A third configuration that lists both. */
static void stranger_config(const pair *p, int id, const char *more, char *text)
{
    char address[64];
    int i, len = sprintf(text, "id=%d %s", id, more);
    for (i = 0; i < 2; i++) {
        NEED(isis_site_address(p->c.sites[i], address, sizeof address) > 0);
        if (i + 1 != id)
            len += sprintf(text + len, " peer=%d@%s", i + 1, address);
    }
}

static void test_another_cluster(void)
{
    pair p;
    char config[256];
    isis_site stranger;
    pair_open(&p);
    stranger_config(&p, 3, "cluster=another", config);
    OK(isis_site_open_text(config, &stranger));
    UNTIL(stats_of(stranger).refused_handshakes > 0);
    UNTIL(stats_of(p.c.sites[0]).refused_handshakes > 0);
    UNTIL(log_has("my cluster is"));
    CODE(isis_site_wait_view(stranger, 1, 0, NULL), ISIS_ETIMEDOUT);
    pair_goes_on(&p);
    OK(isis_site_close(stranger, PATIENCE_MS));
    cluster_close(&p.c);
}

static void test_the_id_of_a_live_site(void)
{
    pair p;
    char config[256];
    isis_site stranger;
    pair_open(&p);
    stranger_config(&p, 2, "", config);
    OK(isis_site_open_text(config, &stranger));
    UNTIL(stats_of(stranger).refused_handshakes > 0);
    UNTIL(stats_of(p.c.sites[0]).refused_handshakes > 0);
    UNTIL(log_has("another live site has this id"));
    pair_goes_on(&p);
    OK(isis_site_close(stranger, PATIENCE_MS));
    cluster_close(&p.c);
}

static int dial(isis_site site)
{
    char address[64];
    struct sockaddr_in to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    NEED(fd >= 0 && isis_site_address(site, address, sizeof address) > 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    NEED(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void test_garbage_and_silence(void)
{
    static const char no_frame[] = "\xff\xff\xff\xff garbage", no_greeting[] = "\5\0\0\0hello";
    pair p;
    int fds[3], i;
    pair_open(&p);
    for (i = 0; i < 3; i++)
        fds[i] = dial(p.c.sites[0]);
    CHECK(write(fds[0], no_frame, sizeof no_frame) == (ssize_t)sizeof no_frame);
    CHECK(write(fds[1], no_greeting, sizeof no_greeting - 1) == (ssize_t)sizeof no_greeting - 1);
    UNTIL(stats_of(p.c.sites[0]).garbage_connections == 2);
    UNTIL(log_has("closed a connection"));
    pair_goes_on(&p);
    UNTIL(stats_of(p.c.sites[0]).half_open_connections == 1); /* the silent one, after its time */
    pair_goes_on(&p);
    for (i = 0; i < 3; i++)
        close(fds[i]);
    cluster_close(&p.c);
}

/* No resolver finds a name with so long a label; no question leaves the machine for it. */
#define NO_NAME "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_a_name_that_does_not_resolve(void)
{
    pair p;
    char config[512];
    isis_site third;
    pair_open(&p);
    CODE(isis_site_open_text("id=3 listen=" NO_NAME ":7001", &third), ISIS_EIO);
    CHECK(last_error_has(NO_NAME));
    /* As a peer's it keeps nobody from joining the others. */
    stranger_config(&p, 3, "peer=9@" NO_NAME ":7001", config);
    OK(isis_site_open_text(config, &third));
    NEED(isis_site_wait_view(third, 3, PATIENCE_MS, NULL) == ISIS_OK);
    OK(isis_bcast(p.groups[0], "l", "on", 2, ISIS_WAIT, NULL));
    OK(isis_site_close(third, PATIENCE_MS));
    cluster_close(&p.c);
    /* Alone it waits, and says for whom. */
    OK(isis_site_open_text("id=3 peer=9@" NO_NAME ":7001", &third));
    UNTIL(log_has(NO_NAME));
    CODE(isis_site_wait_view(third, 1, 0, NULL), ISIS_ETIMEDOUT);
    OK(isis_site_close(third, PATIENCE_MS));
}

static void test_lists_that_disagree(void)
{
    cluster c;
    char longer[600];
    isis_site site;
    cluster_configure(&c, 2, "");
    sprintf(longer, "%s peer=9@127.0.0.1:9", c.config[1]);
    OK(isis_site_open_text(c.config[0], &c.sites[0]));
    OK(isis_site_open_text(longer, &site));
    UNTIL(log_has("lists of peers differ"));
    CODE(isis_site_wait_view(c.sites[0], 1, 0, NULL), ISIS_ETIMEDOUT);
    /* With the right list it is another incarnation, and both go on. */
    OK(isis_site_close(site, PATIENCE_MS));
    OK(isis_site_open_text(c.config[1], &c.sites[1]));
    NEED(isis_site_wait_view(c.sites[0], 2, PATIENCE_MS, NULL) == ISIS_OK);
    cluster_close(&c);
}

int main(void)
{
    OK(isis_set_log(on_log, NULL, ISIS_LOG_INFO));
    test_another_cluster();
    test_the_id_of_a_live_site();
    test_garbage_and_silence();
    test_a_name_that_does_not_resolve();
    test_lists_that_disagree();
    OK(isis_set_log(NULL, NULL, ISIS_LOG_ERROR));
    return finish();
}
