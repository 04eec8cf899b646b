/* SPDX-License-Identifier: BSD-3-Clause */
/* The Prometheus text format, by the rules that promtool checks, and exact counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "metrics/metrics.h"

static struct buf page = {.size_max = 1 << 20};

static const char *
render(void)
{
    buf_clear(&page);
    assert_int_equal(metrics_render(&page), 0);
    return buf_text(&page);
}

static void
assert_line(const char *line)
{
    char wanted[300];
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (strstr(render(), wanted) == NULL) {
        fail_msg("no line: %s", line);
    }
}

static void
test_an_index_beyond_the_ceiling_is_a_fault_of_ours(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        close(STDERR_FILENO);
        metric_add(METRIC_CACHE, METRIC_LABEL1_MAX, 0, 1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void
test_a_ceiling_on_the_page_is_reported(void **state)
{
    auto_cleanup(buf_done) struct buf small = BUF_INIT(100);
    assert_int_equal(metrics_render(&small), FAULT_TOO_LARGE);
}

static void
test_label_values_cannot_break_a_line(void **state)
{
    metrics_name_label1(METRIC_CEILINGS, 3, "a\"b\\c\nd");
    metric_add(METRIC_CEILINGS, 3, 0, 5);
    assert_line("pccs_ceilings_reached_total{ceiling=\"a\\\"b\\\\c\\nd\"} 5");
}

static void
test_named_labels_appear_before_they_are_counted(void **state)
{
    assert_null(strstr(render(), "result=\"miss\""));
    metrics_name_label1(METRIC_CACHE, 1, "miss");
    assert_line("pccs_cache_lookups_total{result=\"miss\"} 0");
    metric_add(METRIC_CACHE, 1, 0, 2);
    metric_add(METRIC_CACHE, 1, 0, 1);
    assert_line("pccs_cache_lookups_total{result=\"miss\"} 3");
    assert_int_equal(metric_get(METRIC_CACHE, 1, 0), 3);
    /* counted without a word: shown by its index, not lost */
    metric_add(METRIC_CACHE, 2, 0, 1);
    assert_line("pccs_cache_lookups_total{result=\"2\"} 1");
}

static void
test_of_two_labels_only_counted_pairs_appear(void **state)
{
    metrics_name_label1(METRIC_REQUESTS, 0, "pckcert");
    metrics_name_label1(METRIC_REQUESTS, 1, "tcb");
    metrics_name_label2(METRIC_REQUESTS, 0, "200");
    metrics_name_label2(METRIC_REQUESTS, 1, "404");
    metric_add(METRIC_REQUESTS, 1, 1, 7);
    assert_line("pccs_requests_total{route=\"tcb\",code=\"404\"} 7");
    assert_null(strstr(render(), "route=\"pckcert\",code"));
}

static void
test_gauges_go_up_and_down(void **state)
{
    assert_line("pccs_flights 0");
    metric_set(METRIC_FLIGHTS, 0, 0, 5);
    metric_add(METRIC_FLIGHTS, 0, 0, (uint64_t)-1);
    assert_line("pccs_flights 4");
    metric_set(METRIC_FLIGHTS, 0, 0, -3);
    assert_line("pccs_flights -3");
    metric_set(METRIC_FLIGHTS, 0, 0, 0);
    assert_line("pccs_flights 0");
}

static void
test_buckets_are_cumulative_and_their_bounds_inclusive(void **state)
{
    metrics_name_label1(METRIC_LATENCY, 4, "tcb");
    static const uint64_t times_us[] = {0, 100, 101, 10000000, 10000001, 123456789};
    for (size_t i = 0; i < ARRAY_COUNT(times_us); i++) {
        metric_observe_us(METRIC_LATENCY, 4, times_us[i]);
    }
    assert_line("pccs_request_seconds_bucket{route=\"tcb\",le=\"0.0001\"} 2");
    assert_line("pccs_request_seconds_bucket{route=\"tcb\",le=\"0.00025\"} 3");
    assert_line("pccs_request_seconds_bucket{route=\"tcb\",le=\"5\"} 3");
    assert_line("pccs_request_seconds_bucket{route=\"tcb\",le=\"10\"} 4");
    assert_line("pccs_request_seconds_bucket{route=\"tcb\",le=\"+Inf\"} 6");
    assert_line("pccs_request_seconds_sum{route=\"tcb\"} 143.456991");
    assert_line("pccs_request_seconds_count{route=\"tcb\"} 6");
    assert_int_equal(metric_get(METRIC_LATENCY, 4, 0), 6);
}

enum { THREADS = 4, COUNTS = 20000 };

static void *
count_many(void *unused)
{
    for (int i = 0; i < COUNTS; i++) {
        metric_add(METRIC_STORE_ERRORS, 0, 0, 1);
        metric_observe_us(METRIC_UPSTREAM_LATENCY, 0, 1000);
    }
    return NULL;
}

static void
test_threads_lose_no_count(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        render(); /* meanwhile */
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(metric_get(METRIC_STORE_ERRORS, 0, 0), THREADS * COUNTS);
    assert_int_equal(metric_get(METRIC_UPSTREAM_LATENCY, 0, 0), THREADS * COUNTS);
    assert_line("pccs_upstream_seconds_sum{endpoint=\"0\"} 80.000000");
}

static bool
ends_in(const char *text, const char *end)
{
    size_t size = strlen(text);
    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static bool
is_name(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_') {
            return false;
        }
    }
    return text[0] != '\0' && !isdigit((unsigned char)text[0]);
}

static void
test_names_keep_the_rules_of_promtool(void **state)
{
    static const struct {
        const char *type, *name, *labels[2], *help;
    } rows[] = {
#define METRIC(id, type, name, label1, label2, help) {#type, name, {label1, label2}, help},
#include "metrics/metrics.def"
#undef METRIC
    };
    static const char *const bad_ends[] = {"_bucket", "_count",    "_sum",     "_ms",
                                           "_us",     "_kb",       "_minutes", "_counter",
                                           "_gauge",  "_histogram"};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_memory_equal(rows[i].name, "pccs_", 5);
        assert_true(is_name(rows[i].name));
        assert_true(rows[i].help[0] != '\0');
        bool is_counter = strcmp(rows[i].type, "COUNTER") == 0;
        assert_int_equal(ends_in(rows[i].name, "_total"), is_counter);
        assert_true(strcmp(rows[i].type, "HISTOGRAM") != 0 || ends_in(rows[i].name, "_seconds"));
        for (size_t j = 0; j < ARRAY_COUNT(bad_ends); j++) {
            assert_false(ends_in(rows[i].name, bad_ends[j]));
        }
        for (size_t j = 0; j < 2; j++) {
            assert_true(rows[i].labels[j][0] == '\0' || is_name(rows[i].labels[j]));
            assert_string_not_equal(rows[i].labels[j], "le");
        }
        assert_true(rows[i].labels[0][0] != '\0' || rows[i].labels[1][0] == '\0');
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(rows[i].name, rows[j].name);
        }
    }
}

/* HELP, TYPE, then this metric's samples: each a name, perhaps labels in braces, a number. */
static void
test_the_page_is_well_formed(void **state)
{
    char name[100] = "";
    unsigned metrics = 0;
    auto_free char *text = strdup(render());
    assert_int_equal(text[strlen(text) - 1], '\n');
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); rest != NULL; line = strsep(&rest, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            char type_name[100] = "";
            assert_int_equal(sscanf(line, "# HELP %99s", name), 1);
            line = strsep(&rest, "\n");
            assert_int_equal(sscanf(line, "# TYPE %99s", type_name), 1);
            assert_string_equal(name, type_name);
            metrics++;
            continue;
        }
        assert_memory_equal(line, name, strlen(name));
        char *value = strrchr(line, ' ');
        assert_non_null(value);
        assert_true(value[-1] == '}' || strchr(line, '{') == NULL);
        char *end;
        strtod(value + 1, &end);
        assert_true(end > value + 1 && *end == '\0');
    }
    assert_int_equal(metrics, METRIC_COUNT);
}

static int
free_page(void **state)
{
    buf_done(&page);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_index_beyond_the_ceiling_is_a_fault_of_ours),
        cmocka_unit_test(test_a_ceiling_on_the_page_is_reported),
        cmocka_unit_test(test_label_values_cannot_break_a_line),
        cmocka_unit_test(test_named_labels_appear_before_they_are_counted),
        cmocka_unit_test(test_of_two_labels_only_counted_pairs_appear),
        cmocka_unit_test(test_gauges_go_up_and_down),
        cmocka_unit_test(test_buckets_are_cumulative_and_their_bounds_inclusive),
        cmocka_unit_test(test_threads_lose_no_count),
        cmocka_unit_test(test_names_keep_the_rules_of_promtool),
        cmocka_unit_test(test_the_page_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, free_page);
}
