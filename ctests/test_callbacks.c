/* Callbacks: three sites in one program, groups over loopback, what may be called inside. */
#include "check.h"

#include <pthread.h>

/* What one member has been told. */
typedef struct told {
    char order[4096]; /* the payloads of BCASTs, one after the other */
    size_t members;   /* of the last view */
    uint64_t view_number;
    int messages, views, site_views, completed, closed, drops, left;
    int calls_after_drop, in_callback_codes;
    uint64_t token;
    int operation, status;
    isis_group group;
    isis_message *kept;
} told;

static void alive(told *t)
{
    t->calls_after_drop += t->drops != 0;
}

static void on_deliver(void *user, isis_process process, isis_group group, const isis_message *message)
{
    told *t = (told *)user;
    size_t len, used = strlen(t->order);
    const char *data = (const char *)isis_message_data(message, &len);
    isis_process_id sender;
    isis_id id;
    alive(t);
    t->messages++;
    if (isis_message_primitive(message) == ISIS_BCAST && used + len < sizeof t->order)
        memcpy(t->order + used, data, len);
    CHECK(isis_message_group(message) == group && process != 0);
    OK(isis_message_sender(message, &sender));
    OK(isis_message_id(message, &id));
    CHECK(memcmp(&sender, &id.sender, sizeof sender) == 0 && id.seq > 0);
    CHECK(group == 0 || isis_message_view_number(message) == t->view_number);
    if (t->kept == NULL && isis_message_primitive(message) == ISIS_BCAST)
        t->kept = isis_message_clone(message);
}

static void on_view(void *user, isis_process process, isis_group group, const isis_group_view *view)
{
    told *t = (told *)user;
    size_t joined, left;
    (void)process;
    alive(t);
    t->views++;
    CHECK(t->view_number == 0 || isis_group_view_number(view) == t->view_number + 1);
    t->view_number = isis_group_view_number(view);
    CHECK(isis_group_view_members(view, &t->members) != NULL);
    CHECK(isis_group_view_joined(view, &joined) != NULL);
    CHECK(isis_group_view_left(view, &left) != NULL);
    CHECK(isis_group_view_group(view) == group);
    t->left += (int)left;
}

static void on_site_view(void *user, isis_process process, const isis_site_view *view)
{
    told *t = (told *)user;
    (void)process, (void)view;
    alive(t);
    t->site_views++;
}

static void on_completed(void *user, isis_process process, uint64_t token, int operation, int status,
                         isis_group group)
{
    told *t = (told *)user;
    (void)process;
    alive(t);
    t->completed++;
    t->token = token;
    t->operation = operation;
    t->status = status;
    t->group = group;
}

static void on_closed(void *user, isis_process process)
{
    told *t = (told *)user;
    (void)process;
    alive(t);
    t->closed++;
}

static void on_drop(void *user)
{
    ((told *)user)->drops++;
}

static isis_callbacks callbacks_of_told(void)
{
    isis_callbacks callbacks;
    isis_callbacks_init(&callbacks);
    callbacks.deliver = on_deliver;
    callbacks.view = on_view;
    callbacks.site_view = on_site_view;
    callbacks.completed = on_completed;
    callbacks.closed = on_closed;
    callbacks.drop = on_drop;
    return callbacks;
}

/* Dispatches all processes until the condition holds. */
#define UNTIL(processes, count, condition)                                                          \
    do {                                                                                            \
        uint64_t until_deadline = now_ms() + PATIENCE_MS;                                           \
        int until_i;                                                                                \
        while (!(condition) && now_ms() < until_deadline)                                           \
            for (until_i = 0; until_i < (count); until_i++)                                         \
                CHECK(isis_dispatch((processes)[until_i], 2, 0) >= 0);                              \
        NEED(condition);                                                                            \
    } while (0)

/* Three members agree on the order of BCASTs, see views, and one leaves. */
static void test_group(void)
{
    cluster c;
    isis_process processes[3];
    isis_group groups[3];
    told t[3];
    isis_callbacks callbacks = callbacks_of_told();
    isis_group_view *view;
    isis_process_id ids[3];
    isis_iovec pieces[2];
    int i, n;
    memset(t, 0, sizeof t);
    cluster_open(&c, 3, "");
    for (i = 0; i < 3; i++) {
        OK(isis_process_open(c.sites[i], "member", &processes[i]));
        OK(isis_process_get_id(processes[i], &ids[i]));
        OK(isis_set_callbacks(processes[i], &callbacks, &t[i]));
        OK(isis_join(processes[i], "trio", NULL, NULL, PATIENCE_MS, 0, &groups[i]));
        CHECK(groups[i] != 0);
    }
    UNTIL(processes, 3, t[0].members == 3 && t[1].members == 3 && t[2].members == 3);
    OK(isis_group_current_view(groups[1], &view));
    CHECK(strcmp(isis_group_view_name(view), "trio") == 0);
    CHECK(memcmp(isis_group_view_members(view, NULL), ids, sizeof ids) == 0); /* oldest first */
    isis_group_view_free(view);

    for (n = 0; n < 20; n++)
        for (i = 0; i < 3; i++) {
            char text[16];
            isis_id id;
            sprintf(text, "%d%c ", n, 'a' + i);
            OK(isis_bcast(groups[i], "queue", text, strlen(text), ISIS_WAIT, &id));
            CHECK(memcmp(&id.sender, &ids[i], sizeof id.sender) == 0);
            CHECK(id.primitive == ISIS_BCAST && id.seq == (uint64_t)n + 1);
        }
    pieces[0].base = "gathered";
    pieces[0].len = 8;
    pieces[1].base = " here ";
    pieces[1].len = 6;
    OK(isis_bcastv(groups[0], "queue", pieces, 2, ISIS_WAIT, NULL));
    OK(isis_obcast(groups[0], NULL, "o", 1, ISIS_WAIT, NULL));
    OK(isis_obcastv(groups[0], "stream", pieces, 2, ISIS_WAIT, NULL));
    OK(isis_obcast(groups[0], NULL, "o", 1, ISIS_WAIT | ISIS_UNORDERED, NULL));
    OK(isis_gbcast(groups[1], "g", 1, ISIS_WAIT, NULL));
    OK(isis_gbcastv(groups[2], pieces, 2, ISIS_WAIT, NULL));
    UNTIL(processes, 3, t[0].messages == 66 && t[1].messages == 66 && t[2].messages == 66);
    CHECK(strcmp(t[0].order, t[1].order) == 0 && strcmp(t[1].order, t[2].order) == 0);
    CHECK(strstr(t[0].order, "gathered here ") != NULL);

    OK(isis_leave(groups[2], PATIENCE_MS, 0));
    CODE(isis_bcast(groups[2], "queue", "x", 1, 0, NULL), ISIS_ENOTMEMBER);
    UNTIL(processes, 3, t[0].members == 2 && t[1].members == 2 && t[2].left == 1);
    OK(isis_bcast(groups[0], "queue", "last", 4, ISIS_WAIT, NULL));
    UNTIL(processes, 2, t[0].messages == 67 && t[1].messages == 67);
    CHECK(t[2].messages == 66);

    for (i = 0; i < 3; i++) {
        CHECK(isis_message_data(t[i].kept, NULL) != NULL); /* outlives its callback */
        CHECK(strcmp(isis_message_label(t[i].kept), "queue") == 0);
        OK(isis_process_close(processes[i], PATIENCE_MS, 0));
        CHECK(t[i].drops == 1 && t[i].calls_after_drop == 0);
    }
    cluster_close(&c);
    for (i = 0; i < 3; i++)
        isis_message_free(t[i].kept);
}

/* A failed member is seen to fail by the others, and nothing of it comes after. */
static void test_failure(void)
{
    cluster c;
    isis_process processes[3];
    told t[3];
    isis_callbacks callbacks = callbacks_of_told();
    int i, code;
    memset(t, 0, sizeof t);
    cluster_open(&c, 3, "");
    for (i = 0; i < 3; i++) {
        OK(isis_process_open(c.sites[i], "member", &processes[i]));
        OK(isis_set_callbacks(processes[i], &callbacks, &t[i]));
        OK(isis_join(processes[i], "trio", NULL, NULL, PATIENCE_MS, 0, NULL));
    }
    UNTIL(processes, 3, t[0].members == 3 && t[1].members == 3 && t[2].members == 3);
    code = isis_site_close(c.sites[0], 1); /* next to no time for a farewell */
    CHECK(code == ISIS_OK || code == ISIS_ETIMEDOUT);
    UNTIL(processes + 1, 2, t[1].members == 2 && t[2].members == 2);
    CHECK(t[1].left == 1 && t[2].left == 1);
    CHECK(t[0].drops == 1);
    OK(isis_site_close(c.sites[1], PATIENCE_MS));
    OK(site_close_in_steps(c.sites[2]));
    CHECK(t[1].drops == 1 && t[2].drops == 1);
}

/* Explicit destination lists: no group, no view. */
static void test_lists(void)
{
    isis_site site;
    isis_process processes[2];
    isis_process_id ids[2];
    isis_iovec piece;
    told t[2];
    isis_callbacks callbacks = callbacks_of_told();
    int i;
    memset(t, 0, sizeof t);
    piece.base = "p";
    piece.len = 1;
    OK(isis_site_open_text("id=1", &site));
    for (i = 0; i < 2; i++) {
        OK(isis_process_open(site, "p", &processes[i]));
        OK(isis_process_get_id(processes[i], &ids[i]));
        OK(isis_set_callbacks(processes[i], &callbacks, &t[i]));
    }
    OK(isis_bcast_to(processes[0], ids, 2, "l", "b", 1, ISIS_WAIT, NULL));
    OK(isis_bcast_tov(processes[0], ids, 2, "l", &piece, 1, ISIS_WAIT, NULL));
    OK(isis_obcast_to(processes[0], &ids[1], 1, NULL, "o", 1, ISIS_WAIT, NULL));
    OK(isis_obcast_tov(processes[0], &ids[1], 1, "s", &piece, 1, ISIS_WAIT, NULL));
    UNTIL(processes, 2, t[0].messages == 2 && t[1].messages == 4);
    CHECK(strcmp(t[0].order, "bp") == 0 && strcmp(t[1].order, "bp") == 0);
    OK(isis_site_close(site, PATIENCE_MS));
    for (i = 0; i < 2; i++) {
        CHECK(t[i].drops == 1 && t[i].calls_after_drop == 0);
        isis_message_free(t[i].kept);
    }
}

/* Callbacks of a group take its events; what they leave NULL goes to the process's. */
static void test_group_callbacks(void)
{
    isis_site site;
    isis_process process;
    isis_group first, second;
    told of_process, of_group;
    isis_callbacks callbacks = callbacks_of_told(), group_callbacks;
    memset(&of_process, 0, sizeof of_process);
    memset(&of_group, 0, sizeof of_group);
    isis_callbacks_init(&group_callbacks);
    group_callbacks.deliver = on_deliver;
    group_callbacks.view = on_view;
    group_callbacks.drop = on_drop;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_set_callbacks(process, &callbacks, &of_process));
    OK(isis_join(process, "first", NULL, NULL, PATIENCE_MS, 0, &first));
    OK(isis_join(process, "second", &group_callbacks, &of_group, PATIENCE_MS, 0, &second));
    UNTIL(&process, 1, of_process.views == 1 && of_group.views == 1);
    OK(isis_bcast(first, "l", "1", 1, ISIS_WAIT, NULL));
    OK(isis_bcast(second, "l", "2", 1, ISIS_WAIT, NULL));
    UNTIL(&process, 1, of_process.messages == 1 && of_group.messages == 1);
    CHECK(strcmp(of_process.order, "1") == 0 && strcmp(of_group.order, "2") == 0);
    CODE(isis_leave(second, 0, 31), ISIS_PENDING);
    UNTIL(&process, 1, of_process.completed == 1 && of_group.drops == 1);
    CHECK(of_process.token == 31 && of_process.operation == ISIS_OP_LEAVE);
    CHECK(of_group.calls_after_drop == 0 && of_process.drops == 0);

    /* A join that fails at once takes nothing; one that fails later drops. */
    isis_message_free(of_group.kept);
    memset(&of_group, 0, sizeof of_group);
    CODE(isis_join(process, "", &group_callbacks, &of_group, 0, 0, NULL), ISIS_ENAME);
    CHECK(of_group.drops == 0);
    /* Replacing the process's callbacks drops the old ones. */
    OK(isis_set_callbacks(process, NULL, NULL));
    CHECK(of_process.drops == 1);
    OK(isis_bcast(first, "l", "x", 1, ISIS_WAIT, NULL));
    CHECK(isis_dispatch(process, PATIENCE_MS, 0) >= 1); /* nobody is told */
    OK(isis_site_close(site, PATIENCE_MS));
    CHECK(of_process.drops == 1 && of_process.calls_after_drop == 0);
    isis_message_free(of_process.kept);
}

/* Inside a callback: sends and starts are allowed, waiting is refused. */
typedef struct inside {
    isis_site site;
    isis_process process;
    isis_group group;
    int done, completed;
} inside;

static void on_deliver_inside(void *user, isis_process process, isis_group group,
                              const isis_message *message)
{
    inside *in = (inside *)user;
    isis_event *event;
    isis_id id;
    isis_delivery_status status;
    isis_message *kept;
    if (in->done++ > 0)
        return;
    OK(isis_message_id(message, &id));
    status.struct_size = sizeof status;
    CODE(isis_flush(process, -1, 0), ISIS_EBUSY);
    CHECK(last_error_has("isis_flush") && last_error_has("callback"));
    CODE(isis_join(process, "other", NULL, NULL, -1, 0, NULL), ISIS_EBUSY);
    CODE(isis_leave(group, 5, 0), ISIS_EBUSY);
    CODE(isis_process_close(process, -1, 0), ISIS_EBUSY);
    CODE(isis_site_close(in->site, -1), ISIS_EBUSY);
    CODE(isis_site_wait_view(in->site, 1, -1, NULL), ISIS_EBUSY);
    CODE(isis_status(process, &id, -1, 0, &status), ISIS_EBUSY);
    CODE(isis_next(process, 0, &event), ISIS_EBUSY);
    CODE(isis_dispatch(process, 0, 0), ISIS_EBUSY);
    CODE(isis_bcast(group, "l", "x", 1, ISIS_WAIT, NULL), ISIS_EBUSY);
    CODE(isis_set_log(NULL, NULL, 0), ISIS_EBUSY);
    OK(isis_bcast(group, "l", "x", 1, 0, NULL));
    OK(isis_obcast(group, NULL, "x", 1, 0, NULL));
    CODE(isis_flush(process, 0, 5), ISIS_PENDING);
    CODE(isis_join(process, "other", NULL, NULL, 0, 6, NULL), ISIS_PENDING);
    CODE(isis_status(process, &id, 0, 7, NULL), ISIS_PENDING);
    kept = isis_message_clone(message);
    CHECK(kept != NULL);
    isis_message_free(kept);
}

static void on_completed_inside(void *user, isis_process process, uint64_t token, int operation,
                                int status, isis_group group)
{
    inside *in = (inside *)user;
    (void)process;
    in->completed++;
    CHECK(status == ISIS_OK);
    CHECK(token == 5   ? operation == ISIS_OP_FLUSH && group == 0
          : token == 6 ? operation == ISIS_OP_JOIN && group != 0
                       : token == 7 && operation == ISIS_OP_STATUS && group == 0);
}

static void test_inside(void)
{
    inside in;
    isis_callbacks callbacks;
    memset(&in, 0, sizeof in);
    isis_callbacks_init(&callbacks);
    callbacks.deliver = on_deliver_inside;
    callbacks.completed = on_completed_inside;
    OK(isis_site_open_text("id=1", &in.site));
    OK(isis_process_open(in.site, "p", &in.process));
    OK(isis_set_callbacks(in.process, &callbacks, &in));
    OK(isis_join(in.process, "g", NULL, NULL, PATIENCE_MS, 0, &in.group));
    OK(isis_bcast(in.group, "l", "go", 2, ISIS_WAIT, NULL));
    UNTIL(&in.process, 1, in.done == 3 && in.completed == 3);
    OK(isis_flush(in.process, PATIENCE_MS, 0)); /* outside, waiting works again */
    OK(isis_site_close(in.site, PATIENCE_MS));
}

/* A process may be closed from its own last callback. */
static void close_on_closed(void *user, isis_process process)
{
    *(int *)user = isis_process_close(process, 0, 0);
}

static void test_close_inside(void)
{
    isis_site site;
    isis_process process;
    isis_callbacks callbacks;
    int code = -100;
    isis_callbacks_init(&callbacks);
    callbacks.closed = close_on_closed;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_set_callbacks(process, &callbacks, &code));
    CODE(isis_process_close(process, 0, 0), ISIS_PENDING);
    while (code == -100 && isis_dispatch(process, PATIENCE_MS, 0) > 0)
        ;
    CHECK(code == ISIS_OK);
    CODE(isis_dispatch(process, 0, 0), ISIS_ECLOSED);
    OK(isis_site_close(site, PATIENCE_MS));
}

/* The library's thread calls back; the application only waits. */
typedef struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int messages, drops, closed;
    pthread_t thread;
} counter;

static void count_message(void *user, isis_process process, isis_group group, const isis_message *message)
{
    counter *c = (counter *)user;
    (void)process, (void)group, (void)message;
    pthread_mutex_lock(&c->lock);
    c->messages++;
    c->thread = pthread_self();
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void count_closed(void *user, isis_process process)
{
    (void)process;
    ((counter *)user)->closed++;
}

static void count_drop(void *user)
{
    ((counter *)user)->drops++;
}

static void test_thread(void)
{
    isis_site site;
    isis_process process;
    isis_group group;
    isis_callbacks callbacks;
    isis_event *event;
    counter c;
    int i;
    memset(&c, 0, sizeof c);
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.changed, NULL);
    isis_callbacks_init(&callbacks);
    callbacks.deliver = count_message;
    callbacks.closed = count_closed;
    callbacks.drop = count_drop;
    OK(isis_site_open_text("id=1", &site));
    OK(isis_process_open(site, "p", &process));
    OK(isis_set_callbacks(process, &callbacks, &c));
    OK(isis_start_thread(process));
    CODE(isis_start_thread(process), ISIS_EINVAL);
    OK(isis_join(process, "g", NULL, NULL, PATIENCE_MS, 0, &group));
    for (i = 0; i < 100; i++)
        OK(isis_bcast(group, "l", "x", 1, ISIS_WAIT, NULL));
    pthread_mutex_lock(&c.lock);
    while (c.messages < 100)
        pthread_cond_wait(&c.changed, &c.lock);
    CHECK(!pthread_equal(c.thread, pthread_self()));
    pthread_mutex_unlock(&c.lock);
    CODE(isis_dispatch(process, 0, 0), ISIS_EBUSY);
    CODE(isis_next(process, 0, &event), ISIS_EBUSY);
    OK(isis_wakeup(process)); /* the thread shrugs it off */
    OK(isis_process_close(process, PATIENCE_MS, 0));
    CHECK(c.closed == 1 && c.drops == 1);
    OK(isis_site_close(site, PATIENCE_MS));
    pthread_mutex_destroy(&c.lock);
    pthread_cond_destroy(&c.changed);
}

static int log_lines;

static void on_log(void *user, int level, const char *target, const char *message)
{
    (void)user;
    if (level >= ISIS_LOG_ERROR && level <= ISIS_LOG_INFO && target[0] != '\0' && message[0] != '\0')
        __atomic_add_fetch(&log_lines, 1, __ATOMIC_SEQ_CST);
}

static void test_log(void)
{
    isis_site site;
    int before;
    OK(isis_set_log(on_log, NULL, ISIS_LOG_INFO));
    OK(isis_site_open_text("id=1", &site));
    OK(isis_site_wait_view(site, 1, PATIENCE_MS, NULL));
    OK(isis_site_close(site, PATIENCE_MS));
    CHECK(__atomic_load_n(&log_lines, __ATOMIC_SEQ_CST) > 0);
    OK(isis_set_log(NULL, NULL, ISIS_LOG_TRACE));
    before = __atomic_load_n(&log_lines, __ATOMIC_SEQ_CST);
    OK(isis_site_open_text("id=1", &site));
    OK(isis_site_close(site, PATIENCE_MS));
    CHECK(__atomic_load_n(&log_lines, __ATOMIC_SEQ_CST) == before);
}

int main(void)
{
    test_group();
    test_failure();
    test_lists();
    test_group_callbacks();
    test_inside();
    test_close_inside();
    test_thread();
    test_log();
    return finish();
}
