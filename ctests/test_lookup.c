/* Addressing a group from outside: look-ups, what a process that watches sends and is told. */
#include "check.h"

/* Takes events until one of this kind; the caller frees it. */
static isis_event *next_of(isis_process process, int kind)
{
    isis_event *event;
    for (;;) {
        NEED(isis_next(process, PATIENCE_MS, &event) == ISIS_OK);
        if (isis_event_kind(event) == kind)
            return event;
        isis_event_free(event);
    }
}

/* The number of members of the process's next group view, which is of this group. */
static size_t next_view(isis_process process, isis_group group)
{
    isis_event *event = next_of(process, ISIS_EVENT_VIEW);
    size_t count = 0;
    CHECK(isis_event_group(event) == group);
    isis_group_view_members(isis_event_group_view(event), &count);
    isis_event_free(event);
    return count;
}

static void expect_message(isis_process process, const char *text)
{
    isis_event *event = next_of(process, ISIS_EVENT_MESSAGE);
    char buffer[16] = "";
    isis_message_read(isis_event_message(event), 0, buffer, sizeof buffer - 1);
    CHECK(strcmp(buffer, text) == 0);
    isis_event_free(event);
}

static void test_no_such_group(isis_process process)
{
    isis_group group = 7;
    isis_event *event;
    CODE(isis_lookup(process, "nobody", PATIENCE_MS, 0, &group), ISIS_ENAME);
    CHECK(group == 0 && last_error_has("no group"));
    CODE(isis_lookup(process, "nobody", 0, 31, &group), ISIS_PENDING);
    event = next_of(process, ISIS_EVENT_COMPLETED);
    CHECK(isis_event_token(event) == 31 && isis_event_operation(event) == ISIS_OP_LOOKUP);
    CHECK(isis_event_status(event) == ISIS_ENAME && isis_event_group(event) == 0);
    isis_event_free(event);
    CODE(isis_lookup(process, "", PATIENCE_MS, 0, &group), ISIS_ENAME);
    CODE(isis_lookup(process, NULL, PATIENCE_MS, 0, &group), ISIS_EINVAL);
    CODE(isis_lookup(0, "g", PATIENCE_MS, 0, &group), ISIS_EINVAL);
}

/* Messages from outside come in the sender's order; views go to who watches. */
static void test_from_outside(cluster *c)
{
    isis_process member, second, client;
    isis_group group, other, watched, again;
    isis_group_view *view;
    isis_group_id id, same;
    isis_process_id self;
    isis_id sent;
    isis_delivery_status status;
    size_t count = 9;
    OK(isis_process_open(c->sites[0], "member", &member));
    OK(isis_process_open(c->sites[1], "second", &second));
    OK(isis_process_open(c->sites[1], "client", &client));
    OK(isis_join(member, "served", NULL, NULL, PATIENCE_MS, 0, &group));
    CHECK(next_view(member, group) == 1);

    OK(isis_lookup(client, "served", PATIENCE_MS, 0, &watched));
    CHECK(watched != 0);
    CHECK(next_view(client, watched) == 1);
    OK(isis_group_get_id(group, &id));
    OK(isis_group_get_id(watched, &same));
    CHECK(memcmp(&id, &same, sizeof id) == 0);
    OK(isis_group_process(watched, &again));
    CHECK(again == client);
    OK(isis_group_current_view(watched, &view));
    CHECK(view != NULL);
    isis_group_view_free(view);
    OK(isis_lookup(client, "served", PATIENCE_MS, 0, &again));
    CHECK(again == watched);
    OK(isis_lookup(member, "served", PATIENCE_MS, 0, &again));
    CHECK(again == group);

    OK(isis_obcast(watched, "s", "one", 3, ISIS_WAIT, NULL));
    OK(isis_bcast(watched, "l", "two", 3, ISIS_WAIT, &sent));
    OK(isis_gbcast(watched, "three", 5, ISIS_WAIT, NULL));
    expect_message(member, "one");
    expect_message(member, "two");
    expect_message(member, "three");
    OK(isis_flush(client, PATIENCE_MS, 0));
    memset(&status, 0, sizeof status);
    status.struct_size = sizeof status;
    OK(isis_status(client, &sent, PATIENCE_MS, 0, &status));
    CHECK(status.state == ISIS_STATUS_STABLE);

    OK(isis_join(second, "served", NULL, NULL, PATIENCE_MS, 0, &other));
    CHECK(next_view(client, watched) == 2);
    OK(isis_bcast(watched, "l", "four", 4, ISIS_WAIT | ISIS_SAFE, NULL));
    expect_message(member, "four");
    expect_message(second, "four");
    OK(isis_process_get_id(member, &self));
    OK(isis_bcast_to(second, &self, 1, "l", "to one", 6, ISIS_WAIT | ISIS_SAFE, NULL));
    expect_message(member, "to one");
    OK(isis_process_close(second, PATIENCE_MS, 0));
    CHECK(next_view(client, watched) == 1);

    OK(isis_leave(watched, PATIENCE_MS, 0));
    CODE(isis_bcast(watched, "l", "x", 1, 0, NULL), ISIS_ENOTMEMBER);
    CODE(isis_leave(watched, PATIENCE_MS, 0), ISIS_ENOTMEMBER);

    /* Who watches can join; it is told as a member from then on. */
    OK(isis_lookup(client, "served", PATIENCE_MS, 0, &watched));
    CHECK(next_view(client, watched) == 1);
    OK(isis_join(client, "served", NULL, NULL, PATIENCE_MS, 0, &again));
    CHECK(again == watched);
    CHECK(next_view(client, watched) == 2);
    OK(isis_bcast(group, "l", "five", 4, ISIS_WAIT, NULL));
    expect_message(client, "five");
    OK(isis_process_get_id(client, &self));
    OK(isis_group_current_view(watched, &view));
    CHECK(memcmp(isis_group_view_members(view, &count) + 1, &self, sizeof self) == 0 && count == 2);
    isis_group_view_free(view);
    OK(isis_process_close(client, PATIENCE_MS, 0));
    OK(isis_process_close(member, PATIENCE_MS, 0));
}

typedef struct told {
    int views, undeliverable, completed;
    size_t members;
    isis_group group;
    isis_id id;
} told;

static void on_view(void *user, isis_process process, isis_group group, const isis_group_view *view)
{
    told *t = (told *)user;
    (void)process;
    t->views++;
    t->group = group;
    isis_group_view_members(view, &t->members);
}

static void on_undeliverable(void *user, isis_process process, const isis_id *id)
{
    told *t = (told *)user;
    (void)process;
    t->undeliverable++;
    t->id = *id;
}

static void on_completed(void *user, isis_process process, uint64_t token, int operation, int status,
                         isis_group group)
{
    told *t = (told *)user;
    (void)process;
    CHECK(token == 5 && operation == ISIS_OP_LOOKUP && status == ISIS_OK);
    t->completed++;
    t->group = group;
}

static void dispatch_until(isis_process process, const int *what)
{
    while (!*what)
        NEED(isis_dispatch(process, PATIENCE_MS, 0) >= 0);
}

/* A group that is dissolved: the watch ends with a view without members. */
static void test_dissolved(cluster *c)
{
    isis_process member, client;
    isis_group group;
    isis_callbacks callbacks;
    told t;
    memset(&t, 0, sizeof t);
    isis_callbacks_init(&callbacks);
    callbacks.view = on_view;
    callbacks.completed = on_completed;
    callbacks.undeliverable = on_undeliverable;
    OK(isis_process_open(c->sites[0], "member", &member));
    OK(isis_process_open(c->sites[1], "client", &client));
    OK(isis_set_callbacks(client, &callbacks, &t));
    OK(isis_join(member, "short", NULL, NULL, PATIENCE_MS, 0, &group));
    CODE(isis_lookup(client, "short", 0, 5, NULL), ISIS_PENDING);
    dispatch_until(client, &t.completed);
    CHECK(t.views == 1 && t.members == 1 && t.group != 0);
    OK(isis_leave(group, PATIENCE_MS, 0));
    while (t.members != 0)
        NEED(isis_dispatch(client, PATIENCE_MS, 0) >= 0);
    CHECK(t.views == 2);
    CODE(isis_bcast(t.group, "l", "x", 1, 0, NULL), ISIS_ENOTMEMBER);
    CHECK(t.undeliverable == 0);
    OK(isis_process_close(client, PATIENCE_MS, 0));
    OK(isis_process_close(member, PATIENCE_MS, 0));
}

/* What is sent while the group is being dissolved reaches a member or comes back, never neither. */
static void test_undeliverable(cluster *c)
{
    isis_process member, client;
    isis_group group, watched;
    isis_event *event;
    int sent = 0, taken = 0, returned = 0, code;
    OK(isis_process_open(c->sites[0], "member", &member));
    OK(isis_process_open(c->sites[1], "client", &client));
    OK(isis_join(member, "going", NULL, NULL, PATIENCE_MS, 0, &group));
    OK(isis_lookup(client, "going", PATIENCE_MS, 0, &watched));
    CODE(isis_leave(group, 0, 0), ISIS_PENDING);
    do {
        code = isis_bcast(watched, "l", "x", 1, 0, NULL);
        sent += code == ISIS_OK;
        while (isis_next(member, 0, &event) == ISIS_OK) {
            taken += isis_event_kind(event) == ISIS_EVENT_MESSAGE;
            isis_event_free(event);
        }
    } while (code == ISIS_OK || code == ISIS_EAGAIN);
    CHECK(code == ISIS_ENOTMEMBER);
    OK(isis_flush(client, PATIENCE_MS, 0));
    while (isis_next(client, 0, &event) == ISIS_OK) {
        if (isis_event_kind(event) == ISIS_EVENT_UNDELIVERABLE) {
            isis_id id;
            isis_event_id(event, &id);
            CHECK(id.primitive == ISIS_BCAST && id.seq > 0);
            returned++;
        }
        isis_event_free(event);
    }
    while (isis_next(member, 0, &event) == ISIS_OK) {
        taken += isis_event_kind(event) == ISIS_EVENT_MESSAGE;
        isis_event_free(event);
    }
    CHECK(taken + returned == sent);
    OK(isis_process_close(client, PATIENCE_MS, 0));
    OK(isis_process_close(member, PATIENCE_MS, 0));
}

int main(void)
{
    cluster c;
    isis_process process;
    isis_id id;
    cluster_open(&c, 2, "");
    NEED(isis_process_open(c.sites[0], "alone", &process) == ISIS_OK);
    test_no_such_group(process);
    OK(isis_process_close(process, PATIENCE_MS, 0));
    test_from_outside(&c);
    test_dissolved(&c);
    test_undeliverable(&c);
    memset(&id, 1, sizeof id);
    isis_event_id(NULL, &id);
    CHECK(id.seq == 0 && id.primitive == 0);
    isis_event_id(NULL, NULL);
    cluster_close(&c);
    return finish();
}
