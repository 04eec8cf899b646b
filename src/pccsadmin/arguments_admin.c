/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the command line of a command by the one table of options, option.def, and prints the help
 * from the same table. Takes argv; gives values by option, all of them argv's own texts.
 * Called by main.c once. Intel's spellings hold (clients.md 5.5); long options may be shortened as
 * long as they stay unambiguous.
 * Must never take an option that the command does not have: what has no effect is told.
 */
#include "pccsadmin/arguments_admin.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define C(id) (1u << COMMAND_##id)
#define C_ALL ((1u << COMMAND_COUNT) - 1)

static const struct row {
    unsigned commands;
    char letter;
    const char *word, *argument, *help;
} rows[] = {
#define ADMIN_OPTION(id, commands, letter, word, argument, help)                                   \
    {(commands), (letter), (word), (argument), (help)},
#include "pccsadmin/option.def"
#undef ADMIN_OPTION
};

static const struct {
    const char *name, *operand, *help;
} commands[] = {
#define ADMIN_COMMAND(id, name, function, operand, help) {(name), (operand), (help)},
#include "pccsadmin/command.def"
#undef ADMIN_COMMAND
};

/* getopt's '?' and ':' must not be mistaken for an option of ours. */
enum { OPTION_BASE = 1000 };

struct getopt_tables {
    char letters[2 * ADMIN_OPTION_COUNT + 2];
    struct option words[ADMIN_OPTION_COUNT + 1];
};

static void
tables_fill(enum command_id command, struct getopt_tables *tables)
{
    size_t letters = 0;
    size_t words = 0;
    *tables = (struct getopt_tables){0};
    tables->letters[letters++] = ':'; /* tells a missing value from an unknown option */
    for (int i = 0; i < ADMIN_OPTION_COUNT; i++) {
        if ((rows[i].commands & 1u << command) == 0) {
            continue;
        }
        int has_argument = rows[i].argument != NULL ? required_argument : no_argument;
        tables->words[words++] = (struct option){rows[i].word, has_argument, NULL, OPTION_BASE + i};
        if (rows[i].letter != 0) {
            tables->letters[letters++] = rows[i].letter;
            if (rows[i].argument != NULL) {
                tables->letters[letters++] = ':';
            }
        }
    }
}

static enum admin_option
option_of_letter(enum command_id command, int letter)
{
    int i = 0;
    while (i < ADMIN_OPTION_COUNT &&
           (rows[i].letter != letter || (rows[i].commands & 1u << command) == 0)) {
        i++;
    }
    must(i < ADMIN_OPTION_COUNT);
    return (enum admin_option)i;
}

static int
value_set(struct arguments *args, enum admin_option option, const char *value, struct fault *why)
{
    bool is_repeatable =
        rows[option].argument != NULL && strchr(rows[option].argument, '.') != NULL;
    if (is_repeatable && args->repeated_count == REPEATED_MAX) {
        return fault_set(why, FAULT_INPUT, "usage", "--%s: more than %d times", rows[option].word,
                         REPEATED_MAX);
    }
    if (is_repeatable) {
        args->repeated[args->repeated_count++] = value;
    }
    args->values[option] = value != NULL ? value : "";
    args->wants_help |= option == ADMIN_HELP;
    args->wants_version |= option == ADMIN_VERSION;
    return 0;
}

/* -?, -help: Intel's tools and habit; getopt would not take them. */
static bool
asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-?") == 0 || strcmp(argv[i], "-help") == 0) {
            return true;
        }
    }
    return false;
}

static int
operands_take(int argc, char **argv, struct arguments *args, struct fault *why)
{
    int most = commands[args->command].operand[0] != '\0' ? 1 : 0;
    if (argc - optind > most) {
        return fault_set(why, FAULT_INPUT, "usage", "'%s' is not understood here",
                         argv[optind + most]);
    }
    args->operand = optind < argc ? argv[optind] : NULL;
    return 0;
}

int
arguments_parse(enum command_id command, int argc, char **argv, struct arguments *ret_args,
                struct fault *why)
{
    struct getopt_tables tables;
    struct arguments args = {.command = command, .wants_help = asks_for_help(argc, argv)};
    tables_fill(command, &tables);
    optind = 1;
    opterr = 0;
    int code;
    while (!args.wants_help &&
           (code = getopt_long(argc, argv, tables.letters, tables.words, NULL)) != -1) {
        if (code == '?' || code == ':') {
            return fault_set(why, FAULT_INPUT, "usage", "%s %s", argv[optind - 1],
                             code == ':' ? "needs a value" : "is no option of this command");
        }
        enum admin_option option = code >= OPTION_BASE ? (enum admin_option)(code - OPTION_BASE)
                                                       : option_of_letter(command, code);
        int failed = value_set(&args, option, optarg, why);
        if (failed != 0) {
            return failed;
        }
    }
    int failed = args.wants_help ? 0 : operands_take(argc, argv, &args, why);
    if (failed == 0) {
        *ret_args = args;
    }
    return failed;
}

void
arguments_print_help(enum command_id command, FILE *out)
{
    bool has_operand = commands[command].operand[0] != '\0';
    fprintf(out, "usage: pccsadmin %s [OPTION]...%s%s\n\n%s\n\n", commands[command].name,
            has_operand ? " " : "", commands[command].operand, commands[command].help);
    for (int i = 0; i < ADMIN_OPTION_COUNT; i++) {
        if ((rows[i].commands & 1u << command) == 0) {
            continue;
        }
        char name[64];
        snprintf(name, sizeof name, "--%s%s%s", rows[i].word, rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        if (rows[i].letter != 0) {
            fprintf(out, "  -%c, %-26s %s\n", rows[i].letter, name, rows[i].help);
        } else {
            fprintf(out, "      %-26s %s\n", name, rows[i].help);
        }
    }
}

int
arguments_number(const struct arguments *args, enum admin_option option, const long range[3],
                 long *ret_number, struct fault *why)
{
    const char *text = args->values[option];
    char *end = NULL;
    long number = range[2];
    if (text != NULL) {
        number = strtol(text, &end, 10);
    }
    if (text != NULL && (*text == '\0' || *end != '\0' || number < range[0] || number > range[1])) {
        return fault_set(why, FAULT_INPUT, "usage", "--%s %s: a number from %ld to %ld is wanted",
                         rows[option].word, text, range[0], range[1]);
    }
    *ret_number = number;
    return 0;
}
