/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worked examples of selection.md 6, as Intel's library answers them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pcssim/sim_fleet.h"

struct example {
    int number;
    struct sim_tcb raw;
    int expected; /* -1: none */
    size_t count;
    struct sim_tcb pcks[5];
};

#define T(a, b, n)                                                                                 \
    {                                                                                              \
        .components = {a, b}, .pcesvn = n                                                          \
    }
#define S4 T(5, 5, 10), T(3, 3, 10), T(3, 3, 7), T(1, 1, 5)

static const struct sim_tcb levels[] = {T(5, 5, 10), T(3, 3, 10), T(3, 3, 7), T(1, 1, 5)};
static const struct example examples[] = {
    {1, T(5, 5, 10), 0, 4, {S4}},
    {2, {.components = {9, 9, 9}, .pcesvn = 99}, 0, 4, {S4}},
    {3, T(3, 3, 10), 1, 4, {S4}},
    {4, T(5, 5, 9), 2, 4, {S4}},
    {5, T(5, 4, 10), 1, 4, {S4}},
    {6, T(1, 0, 10), -1, 4, {S4}},
    {7, T(9, 9, 4), -1, 4, {S4}},
    {8, T(3, 3, 10), 2, 4, {T(1, 1, 5), T(3, 3, 7), T(3, 3, 10), T(5, 5, 10)}},
    {9, T(5, 5, 256), 0, 2, {T(5, 5, 255), T(5, 5, 10)}},
    {10, T(9, 9, 20), 1, 2, {T(5, 5, 10), T(6, 5, 12)}},
    {11, T(9, 9, 20), 2, 3, {T(5, 5, 10), T(5, 5, 10), T(5, 5, 10)}},
    {12, T(9, 9, 20), 1, 2, {T(9, 2, 10), T(3, 3, 10)}},
    {13, T(9, 9, 20), 0, 2, {T(6, 5, 12), T(5, 6, 13)}},
    {14, T(9, 9, 20), 0, 3, {T(8, 5, 10), T(5, 5, 10), T(5, 8, 10)}},
    {15, T(5, 9, 20), 2, 3, {T(8, 5, 10), T(5, 5, 10), T(5, 8, 10)}},
    {18, T(9, 9, 20), 0, 4, {T(8, 5, 10), T(7, 5, 10), T(5, 5, 10), T(6, 6, 10)}},
    {19, T(7, 7, 20), 1, 4, {T(8, 5, 10), T(7, 5, 10), T(5, 5, 10), T(6, 6, 10)}},
    {20, T(9, 9, 20), 0, 3, {T(5, 5, 12), T(6, 6, 10), T(7, 7, 11)}},
    {21, T(9, 9, 20), 2, 3, {T(6, 6, 10), T(5, 5, 12), T(7, 7, 11)}},
    {22, T(0, 0, 9), 1, 2, {T(0, 0, 3), T(0, 0, 4)}},
    {23, T(0, 0, 9), 0, 2, {T(0, 0, 4), T(0, 0, 3)}},
    {24, T(0, 1, 9), 1, 2, {T(1, 0, 5), T(0, 1, 5)}},
    {25, T(9, 9, 20), 0, 2, {T(4, 9, 6), T(1, 1, 5)}},
    {26, T(9, 9, 20), 1, 3, {T(4, 9, 6), T(3, 3, 7), T(1, 1, 5)}},
};

static int
choose(const struct sim_tcb *level_tcbs, size_t level_count, const struct example *example)
{
    struct sim_level table[8] = {0};
    struct sim_pck pcks[8] = {0};
    for (size_t i = 0; i < level_count; i++) {
        table[i].tcb = level_tcbs[i];
    }
    for (size_t i = 0; i < example->count; i++) {
        pcks[i] = (struct sim_pck){.tcb = example->pcks[i], .available = true};
    }
    return sim_select(table, level_count, pcks, example->count, &example->raw);
}

static void
test_the_worked_examples_come_out_as_observed(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        int chosen = choose(levels, ARRAY_COUNT(levels), &examples[i]);
        if (chosen != examples[i].expected) {
            fail_msg("example %d: %d, not %d", examples[i].number, chosen, examples[i].expected);
        }
    }
}

static void
test_the_order_of_levels_in_tcb_info_does_not_matter(void **state)
{
    static const struct sim_tcb first[] = {T(2, 6, 10), T(6, 2, 10), T(1, 1, 1)};
    static const struct sim_tcb second[] = {T(6, 2, 10), T(2, 6, 10), T(1, 1, 1)};
    const struct example e28 = {28, T(9, 9, 20), 1, 2, {T(2, 6, 10), T(6, 2, 10)}};
    const struct example e30 = {30, T(9, 9, 20), 0, 2, {T(6, 2, 10), T(2, 6, 10)}};
    assert_int_equal(choose(first, 3, &e28), 1);
    assert_int_equal(choose(second, 3, &e28), 1);
    assert_int_equal(choose(first, 3, &e30), 0);
}

static void
test_what_is_not_available_is_never_chosen(void **state)
{
    const struct sim_level level = {.tcb = T(5, 5, 10)};
    const struct sim_tcb raw = T(5, 5, 10);
    const struct sim_pck pcks[] = {{.tcb = T(5, 5, 10), .available = false},
                                   {.tcb = T(1, 1, 5), .available = true}};
    assert_int_equal(sim_select(&level, 1, pcks, 2, &raw), 1);
    assert_int_equal(sim_select(&level, 1, pcks, 1, &raw), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_worked_examples_come_out_as_observed),
        cmocka_unit_test(test_the_order_of_levels_in_tcb_info_does_not_matter),
        cmocka_unit_test(test_what_is_not_available_is_never_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
