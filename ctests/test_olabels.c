/* Sets of streams, and comparisons of olabels that the application registers. */
#include "check.h"

#include <pthread.h>

/* How often the comparison was called, and whether on another thread than this one. */
typedef struct calls {
    pthread_t thread;
    int count, elsewhere;
} calls;

/* "x3" is less than "x4"; other letters are unrelated; "?" is at fault. */
static int compare(void *user, const char *first, const char *second)
{
    calls *c = (calls *)user;
    c->count++;
    c->elsewhere += !pthread_equal(c->thread, pthread_self());
    if (strcmp(second, "?") == 0)
        return strcmp(first, "?") == 0 ? ISIS_OLABEL_EQUAL : ISIS_OLABEL_BEFORE;
    if (strcmp(first, "?") == 0)
        return ISIS_OLABEL_BEFORE;
    if (first[0] == '!' || second[0] == '!')
        return 77;
    if (first[0] != second[0])
        return ISIS_OLABEL_UNRELATED;
    if (first[1] == second[1])
        return ISIS_OLABEL_EQUAL;
    return first[1] < second[1] ? ISIS_OLABEL_BEFORE : ISIS_OLABEL_AFTER;
}

static isis_site open_alone(calls *c)
{
    isis_site_options options;
    isis_site site;
    isis_site_options_init(&options);
    options.id = 1;
    options.first_view = ISIS_FIRST_VIEW_ALONE;
    memset(c, 0, sizeof *c);
    c->thread = pthread_self();
    options.olabel_order = "versions";
    CODE(isis_site_open(&options, &site), ISIS_EINVAL);
    CHECK(last_error_has("go together"));
    options.compare_olabels = compare;
    options.compare_user = c;
    NEED(isis_site_open(&options, &site) == ISIS_OK);
    return site;
}

static isis_group join(isis_site site)
{
    isis_process process;
    isis_group group;
    NEED(isis_process_open(site, "", &process) == ISIS_OK);
    NEED(isis_join(process, "g", NULL, NULL, PATIENCE_MS, 0, &group) == ISIS_OK);
    return group;
}

/* Sends both until they meet, as the first may be settled when the second is sent; the last code. */
static int send_both(isis_group group, const char *first, const char *second)
{
    int code = ISIS_OK, i;
    for (i = 0; i < 100000 && code == ISIS_OK; i++) {
        code = isis_obcast(group, first, "", 0, ISIS_WAIT, NULL);
        if (code == ISIS_OK)
            code = isis_obcast(group, second, "", 0, ISIS_WAIT, NULL);
    }
    return code;
}

static void test_comparison(void)
{
    calls c;
    isis_stats stats;
    isis_site site = open_alone(&c);
    isis_group group = join(site);
    int i;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    for (i = 0; i < 1000 && stats.late_olabels == 0; i++) {
        OK(isis_obcast(group, "x2", "", 0, 0, NULL));
        OK(isis_obcast(group, "y1", "", 0, 0, NULL));
        OK(isis_obcast(group, "x1", "", 0, 0, NULL));
        OK(isis_site_stats(site, &stats));
    }
    CHECK(stats.late_olabels > 0);
    CHECK(c.count > 0 && c.elsewhere == 0);
    OK(isis_site_close(site, PATIENCE_MS));
}

static void test_fault(const char *first, const char *second, const char *words)
{
    calls c;
    isis_site site = open_alone(&c);
    isis_group group = join(site);
    CODE(send_both(group, first, second), ISIS_EPANIC);
    CHECK(last_error_has(first) && last_error_has(second) && last_error_has(words));
    while (isis_bcast(group, "", "", 0, ISIS_WAIT, NULL) == ISIS_OK)
        ; /* until the site's threads have heard of it */
    CODE(isis_bcast(group, "", "", 0, ISIS_WAIT, NULL), ISIS_EPANIC);
    CHECK(last_error_has(words));
    isis_site_close(site, PATIENCE_MS);
}

static void test_streams(void)
{
    cluster c;
    isis_group group;
    cluster_open(&c, 1, "");
    group = join(c.sites[0]);
    OK(isis_obcast(group, "x,y", "", 0, ISIS_WAIT, NULL));
    CODE(isis_obcast(group, "x,,y", "", 0, ISIS_WAIT, NULL), ISIS_ENAME);
    CHECK(last_error_has("empty stream"));
    cluster_close(&c);
}

int main(void)
{
    test_comparison();
    test_fault("x1", "?", "contradicts itself");
    test_fault("x1", "!", "77");
    test_streams();
    return finish();
}
