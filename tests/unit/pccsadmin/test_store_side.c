/* SPDX-License-Identifier: BSD-3-Clause */
/* What a word of the command line means as a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pccsadmin/store_side.h"

static char folder[] = "/tmp/pccs-side-XXXXXX";

static const char *
place(const char *name)
{
    static char places[4][128];
    static unsigned turn;
    char *path = places[turn++ % 4];
    snprintf(path, sizeof places[0], "%s/%s", folder, name);
    return path;
}

static void
put(const char *name, const char *text)
{
    assert_int_equal(0, file_write_atomic(place(name), span_of_text(text), 0600, NULL));
}

static int
set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    const char head[16] = "SQLite format 3";
    int failed = file_write_atomic(place("any.name"), span_of(head, sizeof head), 0600, NULL);
    put("here.json", "{\"sqlite\": {\"options\": {\"storage\": \"/x/here.db\"}}}");
    put("postgres.json", "{\"DB_CONFIG\": \"postgres\", \"postgres\": {\"database\": \"d\","
                         " \"username\": \"u\", \"password\": \"secret\","
                         " \"options\": {\"host\": \"DB01\", \"port\": 5432}}}");
    put("renamed.json", "{\"DB_CONFIG\": \"postgres\", \"postgres\": {\"database\": \"d\","
                        " \"username\": \"v\", \"password\": \"secret\","
                        " \"options\": {\"host\": \"db01\", \"port\": 5432}}}");
    put("memory.json", "{\"sqlite\": {\"options\": {\"storage\": \":memory:\"}}}");
    put("broken.json", "{\"DB_CONFIG\": ");
    return failed;
}

static int
tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"any.name",     "here.json",   "postgres.json",
                                        "renamed.json", "memory.json", "broken.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(place(names[i]));
    }
    return rmdir(folder);
}

static void
refused(const char *name, const char *reason)
{
    struct store_side side;
    struct fault why = {0};
    assert_int_equal(FAULT_CONFIG, store_side_read(name, &side, &why));
    if (strstr(why.text, reason) == NULL) {
        fail_msg("%s: %s", name, why.text);
    }
    assert_null(strstr(why.text, "secret"));
    store_side_done(&side);
}

static void
test_refuses_what_is_no_store(void **state)
{
    (void)state;
    refused("sqlite:", "is no path");
    refused("sqlite::memory:", "is no path");
    refused(":memory:", "is not there");
    refused(place("none.json"), "name a new SQLite file as sqlite:");
    refused(folder, "cannot be read");
    refused(place("memory.json"), "in memory");
    refused(place("broken.json"), "broken.json");
}

static struct store_side
read_side(const char *name)
{
    struct store_side side;
    struct fault why = {0};
    if (store_side_read(name, &side, &why) != 0) {
        fail_msg("%s", why.text);
    }
    return side;
}

static void
test_a_file_is_told_by_its_first_bytes(void **state)
{
    (void)state;
    struct store_side side = read_side(place("any.name"));
    assert_false(side.is_configuration);
    assert_string_equal(place("any.name"), side.config.sqlite_storage);
    store_side_done(&side);
    side = read_side("sqlite:new.db");
    assert_false(side.is_configuration);
    assert_string_equal("new.db", side.config.sqlite_storage);
    store_side_done(&side);
    side = read_side(place("here.json"));
    assert_true(side.is_configuration);
    assert_string_equal("sqlite /x/here.db", side.shown);
    store_side_done(&side);
}

static void
test_a_server_is_shown_without_its_password(void **state)
{
    (void)state;
    struct store_side side = read_side(place("postgres.json"));
    assert_string_equal("postgres DB01:5432/d", side.shown);
    store_side_done(&side);
}

static void
test_the_environment_has_no_say(void **state)
{
    (void)state;
    setenv("PCCS_DB_CONFIG", "mariadb", 1);
    setenv("PCCS_NO_SUCH_KEY", "1", 1);
    struct store_side side = read_side(place("here.json"));
    unsetenv("PCCS_DB_CONFIG");
    unsetenv("PCCS_NO_SUCH_KEY");
    assert_string_equal("sqlite", side.config.db_config);
    store_side_done(&side);
}

static void
test_the_same_store_is_seen_under_two_names(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_same;
    } cases[] = {
        {"postgres.json", "renamed.json", true},
        {"postgres.json", "here.json", false},
        {"here.json", "any.name", false},
        {"any.name", "any.name", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_side a = read_side(place(cases[i].a));
        struct store_side b = read_side(place(cases[i].b));
        assert_int_equal(cases[i].is_same, store_side_is_same(&a, &b));
        assert_int_equal(cases[i].is_same, store_side_is_same(&b, &a));
        store_side_done(&a);
        store_side_done(&b);
    }
    struct store_side a = read_side("sqlite:new.db");
    struct store_side b = read_side("sqlite:new.db");
    assert_true(store_side_is_same(&a, &b)); /* neither is there */
    store_side_done(&a);
    store_side_done(&b);
}

static void
test_a_file_takes_the_uri_that_it_is_given(void **state)
{
    (void)state;
    struct fault why = {0};
    struct store_side a = read_side("sqlite:new.db");
    struct store_side b = read_side(place("here.json"));
    assert_true(store_side_is_same_pcs(&a, &b));
    assert_int_equal(FAULT_CONFIG, store_side_set_uri(&a, "ftp://pcs.example/", &why));
    assert_int_equal(0, store_side_set_uri(&a, "https://PCS.example/sgx/certification/v4/", &why));
    assert_false(store_side_is_same_pcs(&a, &b));
    assert_int_equal(0, store_side_set_uri(&b, "https://pcs.example/sgx/certification/v3/", &why));
    assert_true(store_side_is_same_pcs(&a, &b));
    store_side_done(&a);
    store_side_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_no_store),
        cmocka_unit_test(test_a_file_is_told_by_its_first_bytes),
        cmocka_unit_test(test_a_server_is_shown_without_its_password),
        cmocka_unit_test(test_the_environment_has_no_say),
        cmocka_unit_test(test_the_same_store_is_seen_under_two_names),
        cmocka_unit_test(test_a_file_takes_the_uri_that_it_is_given),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
