/* SPDX-License-Identifier: BSD-3-Clause */
/* Tasks beside one another, results in order, never more at once than the ring holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <time.h>

#include "pccsadmin/parallel.h"
#include "pccsadmin/seen.h"

enum { TASKS = 500, JOBS = 4, HELD_MAX = JOBS * 16 };

struct run {
    unsigned produced, consumed, held_max;
    atomic_uint working, working_max;
};

struct task {
    unsigned number, square;
};

static bool
produce(void *self, void *task)
{
    struct run *run = self;
    unsigned held = run->produced - run->consumed + 1;
    if (run->produced == TASKS) {
        return false;
    }
    assert_int_equal(((struct task *)task)->square, 0); /* zeroed */
    run->held_max = held > run->held_max ? held : run->held_max;
    ((struct task *)task)->number = run->produced++;
    return true;
}

/* The first of them is slow: those behind it must wait for their turn. */
static void
work(void *self, void *pointer)
{
    struct run *run = self;
    struct task *task = pointer;
    unsigned working = atomic_fetch_add(&run->working, 1) + 1;
    if (working > atomic_load(&run->working_max)) {
        atomic_store(&run->working_max, working);
    }
    struct timespec wait = {.tv_nsec = task->number == 0 ? 20000000 : 10000};
    nanosleep(&wait, NULL);
    task->square = task->number * task->number;
    atomic_fetch_sub(&run->working, 1);
}

static void
consume(void *self, void *pointer)
{
    struct run *run = self;
    const struct task *task = pointer;
    assert_int_equal(task->number, run->consumed);
    assert_int_equal(task->square, task->number * task->number);
    run->consumed++;
}

static void
test_results_come_in_order_and_few_are_held(void **state)
{
    struct run run = {0};
    struct parallel parallel = {.self = &run,
                                .jobs = JOBS,
                                .task_size = sizeof(struct task),
                                .produce = produce,
                                .work = work,
                                .consume = consume};
    struct fault why;
    (void)state;
    assert_int_equal(parallel_run(&parallel, &why), 0);
    assert_int_equal(run.consumed, TASKS);
    assert_in_range(run.held_max, 2, HELD_MAX);
    assert_in_range(atomic_load(&run.working_max), 2, JOBS);
}

static bool
produce_nothing(void *self, void *task)
{
    (void)self;
    (void)task;
    return false;
}

static void
test_no_task_is_no_trouble(void **state)
{
    struct parallel parallel = {
        .jobs = 1, .task_size = 1, .produce = produce_nothing, .work = work, .consume = consume};
    struct fault why;
    (void)state;
    assert_int_equal(parallel_run(&parallel, &why), 0);
}

static void
test_seen_knows_each_text_again_while_it_grows(void **state)
{
    struct seen seen = {0};
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            bool is_new = round != 0;
            struct seen_entry *entry = seen_add(&seen, span_of(&i, sizeof i), &is_new);
            assert_non_null(entry);
            assert_int_equal(is_new, round == 0);
            assert_int_equal(entry->is_good, round != 0 && i % 3 == 0);
            entry->is_good = i % 3 == 0;
        }
    }
    assert_int_equal(seen.count, 3000);
    seen_done(&seen);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_come_in_order_and_few_are_held),
        cmocka_unit_test(test_no_task_is_no_trouble),
        cmocka_unit_test(test_seen_knows_each_text_again_while_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
