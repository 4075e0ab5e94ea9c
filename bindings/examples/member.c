/* A group member: sends the lines that it reads, prints what the group delivers. Build and run it:
 *   cc member.c $(pkg-config --cflags --libs isis) -o member
 *   ./member "id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002 peer=3@127.0.0.1:7003"
 * A line goes out as BCAST (all print these in one order), one that begins with '+' as OBCAST. */
#include <isis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int code, const char *what)
{
    if (code < 0) {
        fprintf(stderr, "%s: %s: %s\n", what, isis_strerror(code), isis_last_error());
        exit(1);
    }
}

static void on_deliver(void *user, isis_process process, isis_group group, const isis_message *message)
{
    isis_process_id sender;
    size_t len;
    const char *data = isis_message_data(message, &len);
    (void)user, (void)process, (void)group;
    check(isis_message_sender(message, &sender), "sender");
    printf("%u says %.*s\n", (unsigned)sender.site, (int)len, data);
}

static void on_view(void *user, isis_process process, isis_group group, const isis_group_view *view)
{
    size_t i, count;
    const isis_process_id *members = isis_group_view_members(view, &count);
    (void)user, (void)process, (void)group;
    printf("view %lu:", (unsigned long)isis_group_view_number(view));
    for (i = 0; i < count; i++)
        printf(" %u%c", (unsigned)members[i].site, i + 1 < count ? ',' : '\n');
}

int main(int argc, char **argv)
{
    isis_site site;
    isis_process process;
    isis_group group;
    isis_callbacks callbacks;
    char line[256];
    setvbuf(stdout, NULL, _IOLBF, 0);
    check(isis_site_open_text(argc > 1 ? argv[1] : NULL, &site), "open"); /* NULL: ISIS_CONFIG */
    check(isis_process_open(site, "member", &process), "process");
    isis_callbacks_init(&callbacks);
    callbacks.deliver = on_deliver;
    callbacks.view = on_view;
    check(isis_set_callbacks(process, &callbacks, NULL), "callbacks");
    check(isis_start_thread(process), "thread"); /* it calls the two functions above */
    check(isis_join(process, "example", NULL, NULL, -1, 0, &group), "join");
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t len = strcspn(line, "\n");
        check(line[0] == '+' ? isis_obcast(group, NULL, line + 1, len - 1, ISIS_WAIT, NULL)
                             : isis_bcast(group, "chat", line, len, ISIS_WAIT, NULL), "send");
    }
    check(isis_site_close(site, -1), "close");
}
