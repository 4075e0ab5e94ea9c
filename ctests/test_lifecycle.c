/* Opening and closing in every order: twice, too late, after a fork, with a port in use. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static void test_double_close(void)
{
    isis_site site;
    isis_process process;
    isis_group group;
    isis_event *event = NULL;
    isis_stats stats;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_join(process, "g", NULL, NULL, PATIENCE_MS, 0, &group));
    OK(isis_process_close(process, PATIENCE_MS, 0));
    CODE(isis_process_close(process, PATIENCE_MS, 0), ISIS_ECLOSED);
    CHECK(last_error_has("closed"));
    CODE(isis_flush(process, 0, 0), ISIS_ECLOSED);
    CODE(isis_dispatch(process, -1, 0), ISIS_ECLOSED);
    CODE(isis_next(process, -1, &event), ISIS_ECLOSED);
    CODE(isis_fd(process), ISIS_ECLOSED);
    CODE(isis_wakeup(process), ISIS_EINVAL);
    CODE(isis_bcast(group, "l", "x", 1, 0, NULL), ISIS_ECLOSED);
    OK(isis_site_close(site, PATIENCE_MS));
    CODE(isis_site_close(site, PATIENCE_MS), ISIS_ECLOSED);
    CODE(isis_process_open(site, "p", &process), ISIS_ECLOSED);
    stats.struct_size = sizeof stats;
    CODE(isis_site_stats(site, &stats), ISIS_ECLOSED);
    CHECK(process != 0);
}

/* A site takes its processes and groups along. */
static void test_site_close_ends_its_processes(void)
{
    isis_site site;
    isis_process process;
    isis_group group;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_join(process, "g", NULL, NULL, PATIENCE_MS, 0, &group));
    OK(isis_site_close(site, PATIENCE_MS));
    CODE(isis_flush(process, PATIENCE_MS, 0), ISIS_ECLOSED);
    CODE(isis_process_close(process, PATIENCE_MS, 0), ISIS_ECLOSED);
    CODE(isis_bcast(group, "l", "x", 1, 0, NULL), ISIS_ECLOSED);
    CODE(isis_leave(group, PATIENCE_MS, 0), ISIS_ECLOSED);
}

/* A stale handle names nothing, also when its place has been taken by another. */
static void test_stale_handles(void)
{
    isis_site site, again;
    isis_process first, second;
    isis_process_id id;
    int i;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &first));
    OK(isis_process_close(first, PATIENCE_MS, 0));
    for (i = 0; i < 3; i++) {
        OK(isis_process_open(site, "q", &second));
        CHECK(second != first);
        CHECK(isis_process_get_id(first, &id) < 0);
        OK(isis_process_get_id(second, &id));
        OK(isis_process_close(second, PATIENCE_MS, 0));
    }
    OK(site_close_in_steps(site));
    CODE(isis_site_close(site, 0), ISIS_ECLOSED);
    OK(isis_site_open_text("id=1", &again));
    CHECK(again != site);
    CODE(isis_site_is_blocked(site), ISIS_EINVAL);
    CHECK(last_error_has("stale"));
    OK(isis_site_close(again, PATIENCE_MS));
}

/* Closing without waiting: the events go on to the end, then the handle is given back. */
static void test_close_in_steps(void)
{
    isis_site site;
    isis_process process;
    isis_event *event;
    int completed = 0, closed = 0;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    CODE(isis_process_close(process, 0, 77), ISIS_PENDING);
    while (!closed && isis_next(process, PATIENCE_MS, &event) == ISIS_OK) {
        if (isis_event_kind(event) == ISIS_EVENT_COMPLETED) {
            completed++;
            CHECK(isis_event_token(event) == 77 && isis_event_status(event) == ISIS_OK);
            CHECK(isis_event_operation(event) == ISIS_OP_CLOSE);
        }
        closed = isis_event_kind(event) == ISIS_EVENT_CLOSED;
        CHECK(isis_event_process(event) == process);
        isis_event_free(event);
    }
    CHECK(completed == 1 && closed);
    CODE(isis_next(process, -1, &event), ISIS_ECLOSED);
    CODE(isis_dispatch(process, -1, 0), ISIS_ECLOSED);
    OK(isis_process_close(process, 0, 0));
    CODE(isis_process_close(process, 0, 0), ISIS_ECLOSED);
    OK(isis_site_close(site, PATIENCE_MS));
}

static void test_port_in_use(void)
{
    isis_site site, second = 3;
    char address[64], config[128];
    CHECK(isis_site_open_text("id=1", &site) == ISIS_OK);
    CHECK(isis_site_address(site, address, sizeof address) == (int)strlen(address));
    CHECK(strncmp(address, "127.0.0.1:", 10) == 0 && strcmp(address, "127.0.0.1:0") != 0);
    sprintf(config, "id=2 listen=%s", address);
    CODE(isis_site_open_text(config, &second), ISIS_EIO);
    CHECK(last_error_has(address));
    OK(isis_site_close(site, PATIENCE_MS));
    OK(isis_site_open_text(config, &second)); /* the port is free again */
    OK(isis_site_close(second, PATIENCE_MS));
}

static void test_address_is_cut(void)
{
    isis_site site;
    char small[6];
    OK(isis_site_open_text("id=1", &site));
    CHECK(isis_site_address(site, small, sizeof small) > 5);
    CHECK(strcmp(small, "127.0") == 0);
    OK(isis_site_close(site, PATIENCE_MS));
}

static void test_options_and_environment(void)
{
    isis_site_options options;
    isis_site site;
    isis_site_id id;
    isis_site_view *view = NULL;
    size_t count = 0;
    isis_site_options_init(&options);
    options.id = 9;
    options.cluster = "options";
    options.listen = "127.0.0.1:0";
    options.hello_interval_ms = 50;
    options.suspect_after_ms = 1000;
    options.max_message = 4096;
    OK(isis_site_open(&options, &site));
    OK(isis_site_get_id(site, &id));
    CHECK(id.site == 9 && id.incarnation != 0);
    OK(isis_site_wait_view(site, 1, PATIENCE_MS, &view));
    CHECK(isis_site_view_number(view) == 0);
    CHECK(isis_site_view_members(view, &count) != NULL && count == 1);
    CHECK(memcmp(isis_site_view_members(view, NULL), &id, sizeof id) == 0);
    CHECK(strlen(isis_site_view_epoch(view)) == 32);
    CHECK(strncmp(isis_site_view_address(view, 0), "127.0.0.1:", 10) == 0);
    CHECK(isis_site_view_address(view, 1) == NULL);
    isis_site_view_free(view);
    CODE(isis_site_wait_view(site, 2, 0, &view), ISIS_ETIMEDOUT);
    CHECK(view == NULL);
    CODE(isis_site_wait_view(site, 2, 10, NULL), ISIS_ETIMEDOUT);
    CHECK(isis_site_is_blocked(site) == 0);
    OK(isis_site_close(site, PATIENCE_MS));

    setenv("ISIS_CONFIG", "id=12", 1);
    OK(isis_site_open_text(NULL, &site));
    OK(isis_site_get_id(site, &id));
    CHECK(id.site == 12);
    OK(isis_site_close(site, PATIENCE_MS));
    unsetenv("ISIS_CONFIG");
}

/* A child of a fork is refused everything but freeing memory; the parent goes on. */
static void test_fork(void)
{
    isis_site site, child_site;
    isis_process process;
    isis_group group;
    isis_event *event = NULL;
    isis_site_view *view = NULL;
    pid_t child;
    int answer[2], wrong = 0;
    NEED(pipe(answer) == 0);
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_join(process, "g", NULL, NULL, PATIENCE_MS, 0, &group));
    OK(isis_next(process, PATIENCE_MS, &event));
    OK(isis_site_current_view(site, &view));
    fflush(NULL);
    child = fork();
    if (child == 0) {
        wrong += isis_bcast(group, "l", "x", 1, 0, NULL) != ISIS_EFORKED;
        wrong += isis_flush(process, -1, 0) != ISIS_EFORKED;
        wrong += isis_dispatch(process, -1, 0) != ISIS_EFORKED;
        wrong += isis_process_close(process, -1, 0) != ISIS_EFORKED;
        wrong += isis_site_close(site, -1) != ISIS_EFORKED;
        wrong += isis_wakeup(process) != ISIS_EFORKED;
        wrong += isis_site_open_text("id=2", &child_site) != ISIS_EFORKED;
        wrong += !last_error_has("fork");
        isis_event_free(event);
        isis_site_view_free(view);
        /* Not by the exit status, to which valgrind adds its opinion of the parent's threads. */
        _exit(write(answer[1], &wrong, sizeof wrong) != sizeof wrong);
    }
    NEED(child > 0);
    close(answer[1]);
    CHECK(read(answer[0], &wrong, sizeof wrong) == sizeof wrong && wrong == 0);
    close(answer[0]);
    CHECK(waitpid(child, NULL, 0) == child);
    isis_event_free(event);
    isis_site_view_free(view);
    OK(isis_bcast(group, "l", "x", 1, 0, NULL));
    OK(isis_flush(process, PATIENCE_MS, 0));
    OK(isis_site_close(site, PATIENCE_MS));
}

/* Whether every thread of this program but the caller's blocks these signals, from /proc. */
static void test_threads_block_signals(void)
{
    isis_site site;
    isis_process process;
    char path[64], line[256];
    int threads = 0, blocking = 0;
    long tid;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_start_thread(process));
    for (tid = getpid() + 1; tid < getpid() + 2000; tid++) {
        FILE *file;
        unsigned long long mask;
        sprintf(path, "/proc/self/task/%ld/status", tid);
        file = fopen(path, "r");
        if (file == NULL)
            continue;
        threads++;
        while (fgets(line, sizeof line, file) != NULL)
            if (sscanf(line, "SigBlk: %llx", &mask) == 1)
                blocking += (mask >> (SIGINT - 1) & 1) && (mask >> (SIGCHLD - 1) & 1)
                            && (mask >> (SIGUSR1 - 1) & 1);
        fclose(file);
    }
    CHECK(threads >= 4); /* transport, view, broadcast, dispatch */
    CHECK(blocking == threads);
    OK(isis_site_close(site, PATIENCE_MS));
}

static void *close_it(void *site)
{
    return isis_site_close(*(isis_site *)site, PATIENCE_MS) == ISIS_OK ? site : NULL;
}

/* Of several that close at once, exactly one does it. */
static void test_close_race(void)
{
    pthread_t threads[4];
    isis_site site;
    int i, closed = 0;
    OK(isis_site_open_text("id=1", &site));
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, close_it, &site);
    for (i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        closed += result != NULL;
    }
    CHECK(closed == 1);
}

/* Opening and closing again and again leaves no thread and no descriptor. */
static int open_descriptors(void)
{
    int fd, open = 0;
    for (fd = 0; fd < 512; fd++)
        open += dup2(fd, fd) == fd;
    return open;
}

static void test_nothing_is_left(void)
{
    int before = open_descriptors(), i;
    for (i = 0; i < 10; i++) {
        isis_site site;
        isis_process process;
        OK(isis_site_open_text("id=1", &site));
        OK(isis_process_open(site, "p", &process));
        OK(isis_join(process, "g", NULL, NULL, PATIENCE_MS, 0, NULL));
        OK(isis_site_close(site, PATIENCE_MS));
    }
    CHECK(open_descriptors() == before);
}

int main(void)
{
    test_double_close();
    test_site_close_ends_its_processes();
    test_stale_handles();
    test_close_in_steps();
    test_port_in_use();
    test_address_is_cut();
    test_options_and_environment();
    test_threads_block_signals();
    test_close_race();
    test_nothing_is_left();
    test_fork();
    return finish();
}
