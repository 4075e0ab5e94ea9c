/* What program and library must agree on: versions, codes, struct sizes, defaults. */
#include "check.h"

static void test_version(void)
{
    CHECK(strcmp(isis_version_string(), ISIS_VERSION) == 0);
    CHECK(isis_version_number() == ISIS_VERSION_NUMBER);
    OK(isis_version_check(ISIS_VERSION_NUMBER));
    CODE(isis_version_check(ISIS_VERSION_NUMBER + 65536u), ISIS_EVERSION);
    CHECK(last_error_has("header"));
}

static void test_codes(void)
{
    int code;
    CHECK(strcmp(isis_error_name(ISIS_OK), "ISIS_OK") == 0);
    CHECK(strcmp(isis_error_name(ISIS_EAGAIN), "ISIS_EAGAIN") == 0);
    CHECK(strcmp(isis_error_name(ISIS_EPANIC), "ISIS_EPANIC") == 0);
    for (code = ISIS_PENDING; code >= ISIS_EPANIC; code--) {
        CHECK(strncmp(isis_error_name(code), "ISIS_", 5) == 0 && strlen(isis_strerror(code)) > 0);
        CHECK(strcmp(isis_error_name(code), "ISIS_E?") != 0);
    }
    CHECK(strcmp(isis_error_name(ISIS_EPANIC - 1), "ISIS_E?") == 0);
    CHECK(strlen(isis_strerror(12345)) > 0);
}

static void test_structs(void)
{
    isis_site_options options;
    isis_callbacks callbacks;
    memset(&options, 0xff, sizeof options);
    isis_site_options_init(&options);
    CHECK(options.struct_size == sizeof options);
    CHECK(options.id == 0 && options.listen == NULL && options.peer_count == 0);
    CHECK(options.record == NULL);
    memset(&callbacks, 0xff, sizeof callbacks);
    isis_callbacks_init(&callbacks);
    CHECK(callbacks.struct_size == sizeof callbacks);
    CHECK(callbacks.deliver == NULL && callbacks.drop == NULL);
    isis_site_options_init(NULL);
    isis_callbacks_init(NULL);
    CHECK(sizeof(isis_process_id) == 16 && sizeof(isis_site_id) == 16);
    CHECK(sizeof(isis_id) == 32 && sizeof(isis_group_id) == 24);
    CHECK(sizeof(isis_site) == 8 && sizeof(isis_process) == 8 && sizeof(isis_group) == 8);
}

static void test_first_error_is_empty(void)
{
    CHECK(isis_last_error() != NULL && isis_last_error()[0] == '\0');
}

int main(void)
{
    test_first_error_is_empty();
    test_version();
    test_codes();
    test_structs();
    return finish();
}
