/* Built against the installed library alone: opens a site, forms a group of one, hears itself. */
#include <isis.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    isis_site site;
    isis_process process;
    isis_group group;
    isis_event *event;
    int heard = 0;
    if (isis_version_check(ISIS_VERSION_NUMBER) != ISIS_OK
        || isis_site_open_text("id=1", &site) != ISIS_OK
        || isis_process_open(site, "installed", &process) != ISIS_OK
        || isis_join(process, "g", NULL, NULL, 60000, 0, &group) != ISIS_OK
        || isis_bcast(group, "l", "hello", 5, 0, NULL) != ISIS_OK) {
        fprintf(stderr, "%s\n", isis_last_error());
        return 1;
    }
    while (!heard && isis_next(process, 60000, &event) == ISIS_OK) {
        size_t len;
        const void *data = isis_message_data(isis_event_message(event), &len);
        heard = len == 5 && memcmp(data, "hello", 5) == 0;
        isis_event_free(event);
    }
    return isis_site_close(site, 60000) == ISIS_OK && heard ? 0 : 1;
}
