/* Bad input: each mistake gives its code and words that name it, and the group carries on. */
#include "check.h"

static isis_group join(isis_process process, const char *name)
{
    isis_group group = 0;
    NEED(isis_join(process, name, NULL, NULL, PATIENCE_MS, 0, &group) == ISIS_OK);
    return group;
}

static void test_null(isis_site site, isis_process process, isis_group group)
{
    isis_id id;
    isis_event *event;
    isis_group joined;
    OK(isis_set_log(NULL, NULL, ISIS_LOG_OFF));
    CODE(isis_set_log(NULL, NULL, 9), ISIS_EINVAL);
    CODE(isis_site_open(NULL, &site), ISIS_EINVAL);
    CODE(isis_site_open_text("id=1", NULL), ISIS_EINVAL);
    CODE(isis_process_open(site, NULL, &process), ISIS_EINVAL);
    CHECK(last_error_has("name is NULL"));
    CODE(isis_process_open(site, "p", NULL), ISIS_EINVAL);
    CODE(isis_process_get_id(process, NULL), ISIS_EINVAL);
    CODE(isis_site_get_id(site, NULL), ISIS_EINVAL);
    CODE(isis_site_address(site, NULL, 5), ISIS_EINVAL);
    CHECK(isis_site_address(site, NULL, 0) > 0);
    CODE(isis_site_stats(site, NULL), ISIS_EINVAL);
    CODE(isis_site_current_view(site, NULL), ISIS_EINVAL);
    CODE(isis_join(process, NULL, NULL, NULL, 0, 0, &joined), ISIS_EINVAL);
    CODE(isis_next(process, 0, NULL), ISIS_EINVAL);
    CODE(isis_next(0, 0, &event), ISIS_EINVAL);
    CHECK(event == NULL);
    CODE(isis_bcast(group, "l", NULL, 3, 0, &id), ISIS_EINVAL);
    CODE(isis_bcastv(group, "l", NULL, 3, 0, &id), ISIS_EINVAL);
    CODE(isis_bcast_to(process, NULL, 1, "l", "x", 1, 0, &id), ISIS_EINVAL);
    CODE(isis_status(process, NULL, 0, 0, NULL), ISIS_EINVAL);
    CODE(isis_group_current_view(group, NULL), ISIS_EINVAL);
    CODE(isis_group_process(group, NULL), ISIS_EINVAL);
    CODE(isis_group_get_id(group, NULL), ISIS_EINVAL);
    CODE(isis_message_id(NULL, &id), ISIS_EINVAL);
    CODE(isis_message_sender(NULL, &id.sender), ISIS_EINVAL);
    CODE(isis_group_view_id(NULL, NULL), ISIS_EINVAL);
    OK(isis_bcast(group, NULL, NULL, 0, ISIS_WAIT, NULL)); /* nothing to say is allowed */
}

static void test_null_accessors(void)
{
    size_t count = 7;
    char buffer[4];
    CHECK(isis_message_clone(NULL) == NULL);
    isis_message_free(NULL);
    isis_event_free(NULL);
    isis_group_view_free(NULL);
    isis_site_view_free(NULL);
    CHECK(isis_message_data(NULL, &count) == NULL && count == 0);
    CHECK(isis_message_read(NULL, 0, buffer, sizeof buffer) == 0);
    CHECK(isis_message_label(NULL) == NULL && isis_message_group(NULL) == 0);
    CHECK(isis_message_primitive(NULL) == 0 && isis_message_flags(NULL) == 0);
    CHECK(isis_message_view_number(NULL) == 0);
    CHECK(isis_event_kind(NULL) == 0 && isis_event_message(NULL) == NULL);
    CHECK(isis_event_group_view(NULL) == NULL && isis_event_site_view(NULL) == NULL);
    CHECK(isis_event_token(NULL) == 0 && isis_event_operation(NULL) == 0);
    CHECK(isis_event_status(NULL) == 0 && isis_event_group(NULL) == 0);
    CHECK(isis_event_process(NULL) == 0);
    count = 7;
    CHECK(isis_group_view_members(NULL, &count) == NULL && count == 0);
    CHECK(isis_group_view_joined(NULL, NULL) == NULL && isis_group_view_left(NULL, NULL) == NULL);
    CHECK(isis_group_view_name(NULL) == NULL && isis_group_view_number(NULL) == 0);
    CHECK(isis_group_view_group(NULL) == 0);
    CHECK(isis_site_view_members(NULL, NULL) == NULL && isis_site_view_epoch(NULL) == NULL);
    CHECK(isis_site_view_joined(NULL, NULL) == NULL && isis_site_view_left(NULL, NULL) == NULL);
    CHECK(isis_site_view_address(NULL, 0) == NULL && isis_site_view_number(NULL) == 0);
}

/* No handle, a wrong kind of handle, and numbers that look like handles. */
static void test_handles(isis_site site, isis_process process, isis_group group)
{
    const uint64_t wrong[] = {0, 1, UINT64_MAX, 0x400000000u, group + 1, process + 1};
    size_t i;
    isis_process_id id;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CODE(isis_bcast(wrong[i], "l", "x", 1, 0, NULL), ISIS_EINVAL);
        CODE(isis_process_get_id(wrong[i], &id), ISIS_EINVAL);
        CODE(isis_site_is_blocked(wrong[i]), ISIS_EINVAL);
        CODE(isis_wakeup(wrong[i]), ISIS_EINVAL);
        CODE(isis_fd(wrong[i]), ISIS_EINVAL);
    }
    CODE(isis_bcast(site, "l", "x", 1, 0, NULL), ISIS_EINVAL);
    CHECK(last_error_has("group"));
    CODE(isis_flush(group, 0, 0), ISIS_EINVAL);
    CODE(isis_site_close(process, 0), ISIS_EINVAL);
    CODE(isis_leave(process, 0, 0), ISIS_EINVAL);
}

static void test_names(isis_process process, isis_group group)
{
    char longest[257];
    isis_group joined = 5;
    memset(longest, 'x', 256);
    longest[256] = '\0';
    CODE(isis_join(process, longest, NULL, NULL, 0, 0, &joined), ISIS_ENAME);
    CHECK(joined == 0);
    CHECK(last_error_has("255"));
    CODE(isis_join(process, "\xff\xfe", NULL, NULL, 0, 0, NULL), ISIS_ENAME);
    CHECK(last_error_has("UTF-8"));
    CODE(isis_join(process, "", NULL, NULL, 0, 0, NULL), ISIS_ENAME);
    CODE(isis_bcast(group, longest, "x", 1, 0, NULL), ISIS_ENAME);
    CODE(isis_bcast(group, "\xc3", "x", 1, 0, NULL), ISIS_ENAME);
    CODE(isis_obcast(group, longest, "x", 1, 0, NULL), ISIS_ENAME);
    longest[255] = '\0';
    OK(isis_bcast(group, longest, "x", 1, ISIS_WAIT, NULL));
}

static void test_sends(isis_process process, isis_group group)
{
    static char large[2001];
    isis_process_id self;
    isis_iovec pieces[2];
    OK(isis_process_get_id(process, &self));
    CODE(isis_bcast(group, "l", large, sizeof large, 0, NULL), ISIS_EMSGSIZE);
    CHECK(last_error_has("2001") && last_error_has("2000"));
    CODE(isis_obcast(group, NULL, large, sizeof large, ISIS_WAIT, NULL), ISIS_EMSGSIZE);
    CODE(isis_gbcast(group, large, sizeof large, 0, NULL), ISIS_EMSGSIZE);
    CODE(isis_bcast_to(process, &self, 1, "l", large, sizeof large, 0, NULL), ISIS_EMSGSIZE);
    OK(isis_bcast(group, "l", large, 2000, ISIS_WAIT, NULL));
    pieces[0].base = pieces[1].base = large;
    pieces[0].len = 1500;
    pieces[1].len = 501;
    CODE(isis_bcastv(group, "l", pieces, 2, 0, NULL), ISIS_EMSGSIZE);
    pieces[0].len = pieces[1].len = SIZE_MAX;
    CODE(isis_bcastv(group, "l", pieces, 2, 0, NULL), ISIS_EMSGSIZE);
    CODE(isis_bcast_to(process, &self, 0, "l", "x", 1, 0, NULL), ISIS_EINVAL);
    CHECK(last_error_has("empty"));
    CODE(isis_obcast_to(process, NULL, 0, NULL, "x", 1, 0, NULL), ISIS_EINVAL);
    CODE(isis_bcast(group, "l", "x", 1, 0x100, NULL), ISIS_EINVAL);
    CODE(isis_bcast(group, "l", "x", 1, ISIS_UNORDERED, NULL), ISIS_EINVAL);
    CODE(isis_obcast(group, "s", "x", 1, ISIS_SAFE, NULL), ISIS_EINVAL);
    CODE(isis_gbcast(group, "x", 1, ISIS_SAFE, NULL), ISIS_EINVAL);
    CODE(isis_obcast(group, "s", "x", 1, ISIS_UNORDERED, NULL), ISIS_EINVAL);
    CODE(isis_dispatch(process, 0, -1), ISIS_EINVAL);
}

/* The answer as an event, which has it for who asks properly. */
static void test_status_event(isis_process process, const isis_id *id)
{
    isis_delivery_status status;
    isis_event *event = NULL;
    memset(&status, 0, sizeof status);
    CODE(isis_status(process, id, 0, 9, NULL), ISIS_PENDING);
    do {
        isis_event_free(event);
        NEED(isis_next(process, PATIENCE_MS, &event) == ISIS_OK);
        if (isis_event_kind(event) != ISIS_EVENT_COMPLETED)
            CODE(isis_event_delivery_status(event, &status), ISIS_EINVAL);
    } while (isis_event_kind(event) != ISIS_EVENT_COMPLETED);
    CHECK(isis_event_operation(event) == ISIS_OP_STATUS && isis_event_token(event) == 9);
    CODE(isis_event_delivery_status(event, &status), ISIS_EINVAL);
    CHECK(last_error_has("struct_size"));
    CODE(isis_event_delivery_status(event, NULL), ISIS_EINVAL);
    CODE(isis_event_delivery_status(NULL, &status), ISIS_EINVAL);
    status.struct_size = sizeof status;
    OK(isis_event_delivery_status(event, &status));
    CHECK(status.state == ISIS_STATUS_STABLE && status.failed_count == 0);
    isis_event_free(event);
}

static void test_status(isis_process process, isis_group group)
{
    isis_delivery_status status;
    isis_id id;
    memset(&status, 0, sizeof status);
    OK(isis_bcast(group, "l", "x", 1, ISIS_WAIT, &id));
    CODE(isis_status(process, &id, PATIENCE_MS, 0, &status), ISIS_EINVAL);
    CHECK(last_error_has("struct_size"));
    status.struct_size = sizeof status + 8;
    CODE(isis_status(process, &id, PATIENCE_MS, 0, &status), ISIS_EVERSION);
    status.struct_size = sizeof status;
    OK(isis_flush(process, PATIENCE_MS, 0));
    OK(isis_status(process, &id, PATIENCE_MS, 0, &status));
    CHECK(status.state == ISIS_STATUS_STABLE || status.state == ISIS_STATUS_SENT);
    CHECK(status.failed_count == 0);
    test_status_event(process, &id);
    CODE(isis_status(process, &id, PATIENCE_MS, 0, NULL), ISIS_EINVAL);
    id.seq += 1000;
    CODE(isis_status(process, &id, 0, 0, NULL), ISIS_EINVAL);
    CODE(isis_status(process, &id, PATIENCE_MS, 0, &status), ISIS_EINVAL);
    id.primitive = 77;
    CODE(isis_status(process, &id, PATIENCE_MS, 0, &status), ISIS_EINVAL);
}

static void test_structs(isis_process process)
{
    isis_site_options options;
    isis_callbacks callbacks;
    isis_stats stats;
    isis_site site;
    memset(&options, 0, sizeof options);
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    isis_site_options_init(&options);
    options.struct_size += 8;
    CODE(isis_site_open(&options, &site), ISIS_EVERSION);
    isis_callbacks_init(&callbacks);
    callbacks.struct_size = 3;
    CODE(isis_set_callbacks(process, &callbacks, NULL), ISIS_EINVAL);
    callbacks.struct_size = sizeof callbacks + 1;
    CODE(isis_join(process, "g", &callbacks, NULL, 0, 0, NULL), ISIS_EVERSION);
    memset(&stats, 0, sizeof stats);
    CODE(isis_site_stats(1, &stats), ISIS_EINVAL);
}

static void test_configuration(void)
{
    isis_site site;
    isis_site_options options;
    isis_peer peers[2];
    const char *bad[][2] = {
        {"", "id="},
        {"id=0", "from 1 on"},
        {"id=1 lisen=127.0.0.1:1", "lisen"},
        {"id=1 listen=nowhere", "listen"},
        {"id=1 peer=2", "peer"},
        {"id=1 quorum=half", "quorum"},
        {"id=1 peer=1@127.0.0.1:5", "own id"},
    };
    size_t i;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        CODE(isis_site_open_text(bad[i][0], &site), ISIS_EINVAL);
        CHECK(last_error_has(bad[i][1]));
        CHECK(!last_error_has(isis_strerror(ISIS_EINVAL))); /* printed side by side, nothing twice */
    }
    CODE(isis_site_open_text("id=1 cluster=\xff", &site), ISIS_ENAME);
    CHECK(isis_site_open_text("id=1 listen=0.0.0.0:0 advertise=127.0.0.1:9", &site) < 0);
    CHECK(last_error_has("insecure"));
    CHECK(isis_site_open_text("id=1 listen=no-such-host.invalid:7001", &site) < 0);
    CHECK(last_error_has("no-such-host.invalid"));
    unsetenv("ISIS_CONFIG");
    CODE(isis_site_open_text(NULL, &site), ISIS_EINVAL);
    CHECK(last_error_has("ISIS_CONFIG"));

    isis_site_options_init(&options);
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    CHECK(last_error_has("id=0"));
    options.id = 1;
    options.quorum = 9;
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    options.quorum = ISIS_QUORUM_MAJORITY;
    options.abandon = "it";
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    CHECK(last_error_has("abandon"));
    options.abandon = NULL;
    options.store = "/no/such/folder/store";
    CODE(isis_site_open(&options, &site), ISIS_EIO);
    CHECK(last_error_has("/no/such/folder/store"));
    options.store = NULL;
    options.first_view = 9;
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    options.first_view = ISIS_FIRST_VIEW_ALL;
    memset(peers, 0, sizeof peers);
    peers[0].id = peers[1].id = 2;
    peers[0].address = peers[1].address = "127.0.0.1:9";
    options.peers = peers;
    options.peer_count = 2;
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    CHECK(last_error_has("twice"));
    peers[1].address = NULL;
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    options.peers = NULL;
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
}

static void test_left_group(isis_process process)
{
    isis_group group = join(process, "left");
    OK(isis_leave(group, PATIENCE_MS, 0));
    CODE(isis_bcast(group, "l", "x", 1, 0, NULL), ISIS_ENOTMEMBER);
    CODE(isis_gbcast(group, "x", 1, 0, NULL), ISIS_ENOTMEMBER);
    CODE(isis_leave(group, PATIENCE_MS, 0), ISIS_ENOTMEMBER);
    while (isis_dispatch(process, 0, 0) > 0)
        ;
    CODE(isis_obcast(group, NULL, "x", 1, 0, NULL), ISIS_ENOTMEMBER);
}

int main(void)
{
    isis_site site;
    isis_process process;
    isis_group group;
    NEED(isis_site_open_text("id=1 max_message=2000", &site) == ISIS_OK);
    OK(isis_process_open(site, "arguments", &process));
    group = join(process, "arguments");
    test_null(site, process, group);
    test_null_accessors();
    test_handles(site, process, group);
    test_names(process, group);
    test_sends(process, group);
    test_status(process, group);
    test_structs(process);
    test_configuration();
    test_left_group(process);
    OK(isis_bcast(group, "l", "still here", 10, ISIS_WAIT, NULL));
    OK(isis_flush(process, PATIENCE_MS, 0));
    OK(isis_process_close(process, PATIENCE_MS, 0));
    OK(isis_site_close(site, PATIENCE_MS));
    return finish();
}
