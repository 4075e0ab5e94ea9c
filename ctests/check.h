/* The checks of the C tests: counted, reported by line, and summed up in the last line. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <isis.h>

static int checks_passed, checks_failed;

static inline int check_that(int ok, const char *what, const char *file, int line)
{
    if (ok) {
        checks_passed++;
    } else {
        checks_failed++;
        fprintf(stderr, "%s:%d: FAILED: %s (last error: %s)\n", file, line, what, isis_last_error());
    }
    return ok;
}

#define CHECK(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

static inline int check_code(int got, int expected, const char *what, const char *file, int line)
{
    if (got != expected)
        fprintf(stderr, "%s:%d: %s, not %s\n", file, line, isis_error_name(got),
                isis_error_name(expected));
    return check_that(got == expected, what, file, line);
}

/* The call returns this code. */
#define CODE(call, expected) check_code((call), (expected), #call, __FILE__, __LINE__)
#define OK(call) CODE(call, ISIS_OK)

/* Ends a test that cannot go on. */
#define NEED(condition)                                                                             \
    do {                                                                                            \
        if (!CHECK(condition)) {                                                                    \
            printf("%d passed, %d failed\n", checks_passed, checks_failed);                         \
            exit(1);                                                                                \
        }                                                                                           \
    } while (0)

/* Whether the words of this thread's last error contain these. */
static inline int last_error_has(const char *words)
{
    return strstr(isis_last_error(), words) != NULL;
}

static inline int finish(void)
{
    printf("%d passed, %d failed\n", checks_passed, checks_failed);
    return checks_failed != 0;
}

static inline uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Long enough for a busy machine under valgrind; nothing waits for it when all is well. */
enum { PATIENCE_MS = 60000, MAX_SITES = 4 };

/* Sites of this program, with ids from 1, that list each other. */
typedef struct cluster {
    isis_site sites[MAX_SITES];
    char config[MAX_SITES][512];
    int count;
} cluster;

/* Ports that nobody listens on just now. */
static inline void free_ports(int *ports, int count)
{
    int fds[MAX_SITES], i;
    for (i = 0; i < count; i++) {
        struct sockaddr_in address;
        socklen_t len = sizeof address;
        memset(&address, 0, sizeof address);
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        NEED(fds[i] >= 0);
        NEED(bind(fds[i], (struct sockaddr *)&address, sizeof address) == 0);
        NEED(getsockname(fds[i], (struct sockaddr *)&address, &len) == 0);
        ports[i] = ntohs(address.sin_port);
    }
    for (i = 0; i < count; i++)
        close(fds[i]);
}

/* The configurations of sites that list each other. `more` is added to each. */
static inline void cluster_configure(cluster *c, int count, const char *more)
{
    int ports[MAX_SITES], i, j;
    memset(c, 0, sizeof *c);
    c->count = count;
    free_ports(ports, count);
    for (i = 0; i < count; i++) {
        char *text = c->config[i];
        int len = sprintf(text, "id=%d listen=127.0.0.1:%d %s", i + 1, ports[i], more);
        for (j = 0; j < count; j++)
            if (j != i)
                len += sprintf(text + len, " peer=%d@127.0.0.1:%d", j + 1, ports[j]);
    }
}

static inline void cluster_open(cluster *c, int count, const char *more)
{
    int i;
    cluster_configure(c, count, more);
    for (i = 0; i < count; i++)
        NEED(isis_site_open_text(c->config[i], &c->sites[i]) == ISIS_OK);
    for (i = 0; i < count; i++)
        NEED(isis_site_wait_view(c->sites[i], (size_t)count, PATIENCE_MS, NULL) == ISIS_OK);
}

static inline void cluster_close(cluster *c)
{
    int i;
    for (i = 0; i < c->count; i++)
        OK(isis_site_close(c->sites[i], PATIENCE_MS));
}

/* Closes a site without ever waiting in the library; what that says in the end. */
static inline int site_close_in_steps(isis_site site)
{
    uint64_t deadline = now_ms() + PATIENCE_MS;
    int code;
    while ((code = isis_site_close(site, 0)) == ISIS_PENDING) {
        struct timespec pause = {0, 1000000};
        NEED(now_ms() < deadline);
        nanosleep(&pause, NULL);
    }
    return code;
}

#endif
