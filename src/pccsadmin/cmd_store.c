/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin store copy: moves a cache from one store into another, or compares two (--verify-only).
 * Takes the names of two stores; gives the counts of what was copied, was there already, and was
 * left. Exit status 1 if anything was left.
 * Called by main.c. Must never start before it is sure that both are of one PCS and are not one and
 * the same.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "pccsadmin/pcs_side.h"
#include "pccsadmin/store_copy.h"
#include "pccsadmin/store_side.h"
#include "setup/trust_files.h"

enum { JOBS_MAX = 16 };

struct sides {
    struct store_side from, to;
    struct trust_anchors *anchors;
};

static void
sides_done(struct sides *sides)
{
    store_side_done(&sides->from);
    store_side_done(&sides->to);
    trust_anchors_free(sides->anchors);
}

/* An SQLite file does not say of which PCS it is before it is opened: it is taken to be of the
 * other side's, or of --upstream. */
static int
pcs_settle(const struct arguments *args, struct sides *sides, struct fault *why)
{
    const char *upstream = args->values[ADMIN_UPSTREAM];
    struct store_side *both[] = {&sides->from, &sides->to};
    if (upstream != NULL && both[0]->is_configuration && both[1]->is_configuration) {
        return fault_set(why, FAULT_INPUT, "usage",
                         "--upstream is for SQLite files; the configurations name their uri");
    }
    int failed = 0;
    for (int i = 0; failed == 0 && i < 2; i++) {
        const char *uri = upstream != NULL                ? upstream
                          : both[1 - i]->is_configuration ? both[1 - i]->config.uri
                                                          : both[i]->config.uri;
        if (!both[i]->is_configuration) {
            failed = store_side_set_uri(both[i], uri, why);
        }
    }
    return failed;
}

static int
anchors_get(const struct arguments *args, struct sides *sides, struct fault *why)
{
    const struct store_side *named = sides->to.is_configuration     ? &sides->to
                                     : sides->from.is_configuration ? &sides->from
                                                                    : NULL;
    if (arguments_have(args, ADMIN_TRUST_ANCHOR) || named == NULL) {
        return admin_anchors(args, &sides->anchors, why);
    }
    return trust_files_read(&named->config, &sides->anchors, why);
}

static int
sides_read(const struct arguments *args, struct sides *sides, struct fault *why)
{
    int failed = store_side_read(args->values[ADMIN_FROM_STORE], &sides->from, why);
    failed = failed != 0 ? failed : store_side_read(args->values[ADMIN_TO_STORE], &sides->to, why);
    failed = failed != 0 ? failed : pcs_settle(args, sides, why);
    if (failed != 0) {
        return failed;
    }
    if (store_side_is_same(&sides->from, &sides->to)) {
        return fault_set(why, FAULT_CONFIG, "config", "--from and --to name the same store: %s",
                         sides->from.shown);
    }
    if (!store_side_is_same_pcs(&sides->from, &sides->to)) {
        return fault_set(why, FAULT_CONFIG, "config",
                         "the stores are of different PCS (%s and %s): their collateral must not "
                         "mix",
                         sides->from.config.uri, sides->to.config.uri);
    }
    return anchors_get(args, sides, why);
}

/* The source is neither made nor migrated. */
static int
sides_open(const struct arguments *args, struct sides *sides, struct fault *why)
{
    int failed = store_side_open(&sides->from, false, why);
    failed = failed != 0
                 ? failed
                 : store_side_open(&sides->to, !arguments_have(args, ADMIN_VERIFY_ONLY), why);
    return failed != 0 ? failed
                       : store_copy_check_distinct(sides->from.store, sides->to.store, why);
}

static int
copy_run(const struct arguments *args, struct sides *sides)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    auto_cleanup(store_copy_done) struct store_copy copy = {
        .args = args,
        .from = sides->from.store,
        .to = sides->to.store,
        .only_verify = arguments_have(args, ADMIN_VERIFY_ONLY),
        .jobs = cores < 1          ? 1
                : cores > JOBS_MAX ? JOBS_MAX
                                   : (unsigned)cores,
        .context = {.anchors = sides->anchors},
        .listed = json_array(),
    };
    struct fault why = {0};
    say(args, "from %s", sides->from.shown);
    say(args, "to   %s", sides->to.shown);
    int failed = store_copy_run(&copy, &why);
    if (failed != 0) {
        say_error("%s", why.text);
        say_error("the copy is not complete; run it again, it goes on where it stopped");
        return ADMIN_FAILED;
    }
    return copy_tell_end(&copy, sides->from.shown, sides->to.shown);
}

/* FAULT_INPUT: wrong usage. */
static int
usage_check(const struct arguments *args, struct fault *why)
{
    if (args->operand == NULL || strcmp(args->operand, "copy") != 0) {
        return fault_set(why, FAULT_INPUT, "usage", "store knows one thing to do: copy");
    }
    if (!arguments_have(args, ADMIN_FROM_STORE) || !arguments_have(args, ADMIN_TO_STORE)) {
        return fault_set(why, FAULT_INPUT, "usage", "store copy needs --from and --to");
    }
    return 0;
}

int
cmd_store(const struct arguments *args)
{
    auto_cleanup(sides_done) struct sides sides = {0};
    struct fault why = {0};
    if (usage_check(args, &why) != 0) {
        return say_usage(args, &why);
    }
    int failed = sides_read(args, &sides, &why);
    if (failed == FAULT_INPUT) {
        return say_usage(args, &why);
    }
    if (failed == 0 && !trust_anchors_are_builtin(sides.anchors)) {
        say_warning("Intel's root key is replaced: what is called authentic here is not what Intel "
                    "signed");
    }
    failed = failed != 0 ? failed : sides_open(args, &sides, &why);
    if (failed != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    return copy_run(args, &sides);
}
