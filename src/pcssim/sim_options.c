/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads pcs-sim's command line, and writes its help from the same tables.
 *
 * Takes argv, gives options or a fault for exit code 2. Called by main.c first of all. Must never
 * let plain HTTP be offered beyond loopback.
 */
#include "pcssim/sim_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/url.h"

enum option_name {
#define SIM_OPTION(name, word, argument, meaning) OPTION_##name,
#include "pcssim/sim_option.def"
#undef SIM_OPTION
    OPTION_COUNT
};

/* getopt's own '?' and ':' must not be mistaken for one of ours. */
enum { OPTION_BASE = 1000 };

static const struct {
    const char *word, *argument, *meaning;
} rows[] = {
#define SIM_OPTION(name, option_word, option_argument, option_meaning)                             \
    {option_word, option_argument, option_meaning},
#include "pcssim/sim_option.def"
#undef SIM_OPTION
};

static int
number_parse(const char *word, int64_t least, int64_t most, int64_t *ret_number, struct fault *why)
{
    char *end = NULL;
    long long number = strtoll(optarg, &end, 10);
    if (*optarg == '\0' || *end != '\0' || number < least || number > most) {
        return fault_set(why, FAULT_INPUT, "usage", "--%s %s: a number from %lld to %lld is wanted",
                         word, optarg, (long long)least, (long long)most);
    }
    *ret_number = number;
    return 0;
}

static int
number_option(enum option_name name, struct sim_options *options, struct fault *why)
{
    static const struct {
        enum option_name name;
        int64_t least, most;
    } ranges[] = {
        {OPTION_PORT, 0, 65535},
        {OPTION_GENERATE, 0, LIMIT_SIM_PLATFORMS},
        {OPTION_FLEET_SIZE, 0, LIMIT_SIM_PLATFORMS},
        {OPTION_GENERATE_FMSPCS, 1, LIMIT_SIM_FMSPCS / 2},
        {OPTION_TIME_SHIFT, -1000000000, 1000000000},
        {OPTION_DELAY_MS, 0, LIMIT_SIM_DELAY_MS},
    };
    size_t i = 0;
    while (ranges[i].name != name) {
        i++;
        must(i < ARRAY_COUNT(ranges));
    }
    int64_t number = 0;
    int code = number_parse(rows[name].word, ranges[i].least, ranges[i].most, &number, why);
    if (code != 0) {
        return code;
    }
    if (name == OPTION_PORT) {
        options->port = (uint16_t)number;
    } else if (name == OPTION_GENERATE || name == OPTION_FLEET_SIZE) {
        options->generate = (size_t)number;
    } else if (name == OPTION_GENERATE_FMSPCS) {
        options->generate_fmspcs = (size_t)number;
    } else if (name == OPTION_TIME_SHIFT) {
        options->time_shift_s = number;
    } else {
        options->delay_ms = number;
    }
    return 0;
}

static int
fail_option(struct sim_options *options, struct fault *why)
{
    struct sim_fault fault;
    int code = sim_fault_parse_spec(optarg, &fault, why);
    return code != 0 ? code : sim_faults_add(&options->faults, &fault, why);
}

static int
option_apply(enum option_name name, struct sim_options *options, struct fault *why)
{
    switch (name) {
    case OPTION_STATE:
        options->state = optarg;
        return 0;
    case OPTION_HOST:
        options->host = optarg;
        return 0;
    case OPTION_NAME:
        options->name = optarg;
        return 0;
    case OPTION_FLEET:
        options->fleet = optarg;
        return 0;
    case OPTION_SEED:
        options->seed = optarg;
        return 0;
    case OPTION_TLS:
        options->tls = true;
        return 0;
    case OPTION_PRINT_FLEET:
        options->print_fleet = true;
        return 0;
    case OPTION_REQUIRE_KEY:
        options->key_required = true;
        return 0;
    case OPTION_HELP:
        options->help = true;
        return 0;
    case OPTION_VERSION:
        options->version = true;
        return 0;
    case OPTION_FAIL:
        return fail_option(options, why);
    case OPTION_PORT:
    case OPTION_GENERATE:
    case OPTION_FLEET_SIZE:
    case OPTION_GENERATE_FMSPCS:
    case OPTION_TIME_SHIFT:
    case OPTION_DELAY_MS:
        return number_option(name, options, why);
    case OPTION_COUNT:
        break;
    }
    return FAULT_INTERNAL;
}

/* Intel's tools take -help and -?, so do ours (tools.md). */
static bool
is_help(const char *word)
{
    static const char *const words[] = {"-h", "-help", "-?", "--help"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int
options_check(const struct sim_options *options, struct fault *why)
{
    if (!options->tls && !url_host_is_loopback(span_of_text(options->host))) {
        return fault_set(why, FAULT_INPUT, "usage",
                         "--host %s: plain HTTP is offered on loopback only; add --tls",
                         options->host);
    }
    if (options->seed != NULL && (options->seed[0] == '\0' || strlen(options->seed) > 63)) {
        return fault_set(why, FAULT_INPUT, "usage", "--seed: 1 to 63 characters");
    }
    if (options->name != NULL && strlen(options->name) > 200) {
        return fault_set(why, FAULT_INPUT, "usage", "--name: at most 200 characters");
    }
    return 0;
}

int
sim_options_parse(int argc, char **argv, struct sim_options *ret_options, struct fault *why)
{
    struct option table[OPTION_COUNT + 1] = {0};
    for (int i = 0; i < OPTION_COUNT; i++) {
        table[i] = (struct option){
            .name = rows[i].word,
            .has_arg = rows[i].argument != NULL ? required_argument : no_argument,
            .val = OPTION_BASE + i,
        };
    }
    struct sim_options *options = ret_options;
    *options =
        (struct sim_options){.state = "pcs-sim-state", .host = "127.0.0.1", .generate_fmspcs = 16};
    for (int i = 1; i < argc; i++) {
        if (is_help(argv[i])) {
            options->help = true;
            return 0;
        }
    }
    optind = 0; /* GNU: start afresh, also when called twice */
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (found < OPTION_BASE) {
            return fault_set(why, FAULT_INPUT, "usage", "%s: %s", argv[optind - 1],
                             found == ':' ? "its value is missing" : "no such option");
        }
        int code = option_apply((enum option_name)(found - OPTION_BASE), options, why);
        if (code != 0) {
            return code;
        }
    }
    if (optind < argc) {
        return fault_set(why, FAULT_INPUT, "usage", "%s: no arguments are taken", argv[optind]);
    }
    return options_check(options, why);
}

void
sim_options_help(FILE *out)
{
    fprintf(out, "Usage: pcs-sim [OPTION...]\n"
                 "A stand-in for Intel's PCS with a PKI of its own, for demonstrations and tests.\n"
                 "\nOptions:\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", rows[i].word, rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        fprintf(out, "  %-22s %s\n", left, rows[i].meaning);
    }
    fprintf(out, "\nFaults (KIND):\n");
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        fprintf(out, "  %-15s %s\n", sim_fault_kind_word((enum sim_fault_kind)i),
                sim_fault_kind_meaning((enum sim_fault_kind)i));
    }
    fprintf(out, "\nEndpoints:\n ");
    for (int i = 0; i < SIM_ENDPOINT_COUNT; i++) {
        fprintf(out, " %s%s", sim_endpoint_word((enum sim_endpoint)i), i == 7 ? "\n " : "");
    }
    fprintf(out, " *\n"
                 "\nExamples:\n"
                 "  pcs-sim --port 8099 --fail tcb-sgx:status,status=429,retry_after=2,count=3\n"
                 "  pcs-sim --fail '*:delay,delay_ms=200' --fail pckcerts:drop,count=1\n"
                 "  curl -d '{\"action\":\"fault\",\"endpoint\":\"tcb-sgx\",\"kind\":\"tamper\","
                 "\"count\":1}' \\\n"
                 "       http://127.0.0.1:8099/sim/control\n"
                 "\nExit codes: 0 ended by SIGTERM or SIGINT, 1 failed, 2 wrong usage.\n");
}
