/* SPDX-License-Identifier: BSD-3-Clause */
/* The shipped default.json and the operator's page hold what schema.def holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "config_help.h"

static void
read_source(const char *name, struct buf *b)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", SOURCE_ROOT, name);
    assert_int_equal(file_read(path, b, NULL), 0);
}

/* The values without their origins. */
static void
print_values(const struct config *config, struct buf *b)
{
    auto_cleanup(buf_done) struct buf lines = BUF_INIT(65536);
    assert_int_equal(config_print(config, &lines), 0);
    for (const char *line = buf_text(&lines); *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *origin = strstr(line, "  # ");
        buf_add(b, span_of(line, (size_t)(origin - line)));
        buf_add_byte(b, '\n');
    }
}

static void
test_the_shipped_file_sets_the_defaults_without_a_warning(void **state)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
    auto_cleanup(buf_done) struct buf shipped = BUF_INIT(65536);
    auto_cleanup(buf_done) struct buf initial = BUF_INIT(65536);
    struct warnings warnings = {0};
    struct fault why = {0};
    struct config config;
    config_init(&config);
    print_values(&config, &initial);
    read_source("config/default.json", &text);
    assert_int_equal(
        config_apply_json(&config, "x", buf_span(&text), keep_warning, &warnings, &why), 0);
    assert_string_equal(warnings.text, "");
    assert_int_equal(config_check(&config, &why), 0);
    print_values(&config, &shipped);
    assert_string_equal(buf_text(&shipped), buf_text(&initial));
    config_done(&config);
}

static void
test_the_shipped_file_has_the_references_keys(void **state)
{
    static const enum config_option keys[] = {CONFIG_HTTPS_PORT,
                                              CONFIG_HOSTS,
                                              CONFIG_URI,
                                              CONFIG_API_KEY,
                                              CONFIG_PROXY,
                                              CONFIG_REFRESH_SCHEDULE,
                                              CONFIG_USER_TOKEN_HASH,
                                              CONFIG_ADMIN_TOKEN_HASH,
                                              CONFIG_CACHING_FILL_MODE,
                                              CONFIG_OPENSSL_FIPS_MODE,
                                              CONFIG_LOG_LEVEL,
                                              CONFIG_DB_CONFIG,
                                              CONFIG_SQLITE_STORAGE};
    auto_cleanup(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
    struct config config;
    config_init(&config);
    read_source("config/default.json", &text);
    assert_int_equal(config_apply_json(&config, "x", buf_span(&text), NULL, NULL, NULL), 0);
    size_t set = 0;
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        set += config.origins[i] != NULL;
    }
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        assert_non_null(config.origins[keys[i]]);
    }
    assert_int_equal(set, ARRAY_COUNT(keys));
    config_done(&config);
}

/* "| `KEY` | `PCCS_KEY` | ": what the page's row of an option begins with. */
static void
test_the_page_has_a_row_for_every_key_and_variable(void **state)
{
    auto_cleanup(buf_done) struct buf page = BUF_INIT(1024 * 1024);
    read_source("docs/configuration.md", &page);
    size_t rows = 0;
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        char name[CONFIG_ENVIRONMENT_NAME_SIZE];
        char row[200];
        config_option_environment_name((enum config_option)i, name);
        snprintf(row, sizeof row, "\n| `%s` | `%s` | ", config_option_key((enum config_option)i),
                 name);
        if (strstr(buf_text(&page), row) == NULL) {
            fail_msg("docs/configuration.md has no row %s", row + 1);
        }
    }
    for (const char *at = strstr(buf_text(&page), "` | `PCCS_"); at != NULL;
         at = strstr(at + 1, "` | `PCCS_")) {
        rows++;
    }
    assert_int_equal(rows, CONFIG_OPTION_COUNT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_shipped_file_sets_the_defaults_without_a_warning),
        cmocka_unit_test(test_the_shipped_file_has_the_references_keys),
        cmocka_unit_test(test_the_page_has_a_row_for_every_key_and_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
