/* SPDX-License-Identifier: BSD-3-Clause */
/* Two lanes of jobs: order, independence, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/workers.h"

struct bench {
    struct workers *workers;
    char said[64]; /* in the order in which jobs ran; for one thread only */
    _Atomic unsigned ran;
    pthread_mutex_t gate;
};

struct word {
    struct job job;
    struct bench *bench;
    char letter;
    enum lane adds_to; /* LANE_COUNT: none */
};

static void word_run(struct job *job);

static void
word_add(struct bench *bench, enum lane lane, char letter, enum lane adds_to)
{
    struct word *word = calloc(1, sizeof *word);
    assert_non_null(word);
    *word =
        (struct word){.job.run = word_run, .bench = bench, .letter = letter, .adds_to = adds_to};
    workers_add(bench->workers, lane, &word->job);
}

static void
word_run(struct job *job)
{
    struct word *word = (struct word *)job;
    size_t size = strlen(word->bench->said);
    word->bench->said[size] = word->letter;
    word->bench->ran++;
    if (word->adds_to != LANE_COUNT) {
        word_add(word->bench, word->adds_to, (char)(word->letter - 'a' + 'A'), LANE_COUNT);
    }
    free(word);
}

static void
test_without_threads_jobs_run_where_they_are_asked_for_in_order(void **state)
{
    const unsigned none[LANE_COUNT] = {0, 0};
    struct bench bench = {0};
    struct fault why = {0};
    assert_int_equal(workers_new(none, &bench.workers, &why), 0);
    word_add(&bench, LANE_LOCAL, 'a', LANE_COUNT);
    word_add(&bench, LANE_LOCAL, 'b', LANE_COUNT);
    word_add(&bench, LANE_LOCAL, 'c', LANE_LOCAL);
    assert_int_equal(workers_waiting(bench.workers), 3);
    workers_run_all(bench.workers);
    assert_string_equal(bench.said, "abcC"); /* what a job adds runs too */
    assert_int_equal(workers_waiting(bench.workers), 0);
    workers_free(bench.workers);
}

static void
test_the_end_runs_what_is_queued_and_what_that_queues_in_either_lane(void **state)
{
    const unsigned none[LANE_COUNT] = {0, 0};
    struct bench bench = {0};
    struct fault why = {0};
    assert_int_equal(workers_new(none, &bench.workers, &why), 0);
    word_add(&bench, LANE_UPSTREAM, 'u', LANE_LOCAL);
    word_add(&bench, LANE_LOCAL, 'l', LANE_UPSTREAM);
    workers_free(bench.workers);
    assert_int_equal(bench.ran, 4);
}

static void
test_one_thread_runs_a_lane_in_order_and_the_end_waits_for_all(void **state)
{
    const unsigned one[LANE_COUNT] = {1, 1};
    struct bench bench = {0};
    struct fault why = {0};
    assert_int_equal(workers_new(one, &bench.workers, &why), 0);
    assert_int_equal(workers_threads(bench.workers, LANE_UPSTREAM), 1);
    char expected[32] = "";
    for (char c = 'a'; c <= 'z'; c++) {
        word_add(&bench, LANE_LOCAL, c, LANE_COUNT);
        expected[c - 'a'] = c;
    }
    workers_free(bench.workers);
    assert_string_equal(bench.said, expected);
}

struct gate_job {
    struct job job;
    struct bench *bench;
};

static void
gate_run(struct job *job)
{
    struct bench *bench = ((struct gate_job *)job)->bench;
    pthread_mutex_lock(&bench->gate); /* as a PCS that hangs */
    pthread_mutex_unlock(&bench->gate);
    bench->ran++;
    free(job);
}

static void
count_run(struct job *job)
{
    struct bench *bench = ((struct gate_job *)job)->bench;
    bench->ran++;
    free(job);
}

static void
test_an_upstream_lane_that_hangs_delays_no_local_job(void **state)
{
    const unsigned threads[LANE_COUNT] = {1, 2};
    struct bench bench = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct fault why = {0};
    assert_int_equal(workers_new(threads, &bench.workers, &why), 0);
    pthread_mutex_lock(&bench.gate);
    for (int i = 0; i < 5; i++) {
        struct gate_job *job = calloc(1, sizeof *job);
        *job = (struct gate_job){.job.run = gate_run, .bench = &bench};
        workers_add(bench.workers, LANE_UPSTREAM, &job->job);
    }
    for (int i = 0; i < 100; i++) {
        struct gate_job *job = calloc(1, sizeof *job);
        *job = (struct gate_job){.job.run = count_run, .bench = &bench};
        workers_add(bench.workers, LANE_LOCAL, &job->job);
    }
    while (bench.ran < 100) {
        sched_yield();
    }
    assert_int_equal(bench.ran, 100);
    pthread_mutex_unlock(&bench.gate);
    workers_free(bench.workers);
    assert_int_equal(bench.ran, 105);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_threads_jobs_run_where_they_are_asked_for_in_order),
        cmocka_unit_test(test_the_end_runs_what_is_queued_and_what_that_queues_in_either_lane),
        cmocka_unit_test(test_one_thread_runs_a_lane_in_order_and_the_end_waits_for_all),
        cmocka_unit_test(test_an_upstream_lane_that_hangs_delays_no_local_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
