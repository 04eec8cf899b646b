/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of one command: which options stand there, with their values. */
#ifndef PCCSADMIN_ARGUMENTS_ADMIN_H
#define PCCSADMIN_ARGUMENTS_ADMIN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/limits.h"

enum command_id {
#define ADMIN_COMMAND(id, name, function, operand, help) COMMAND_##id,
#include "pccsadmin/command.def"
#undef ADMIN_COMMAND
    COMMAND_COUNT
};

enum admin_option {
#define ADMIN_OPTION(id, commands, letter, word, argument, help) ADMIN_##id,
#include "pccsadmin/option.def"
#undef ADMIN_OPTION
    ADMIN_OPTION_COUNT
};

enum { REPEATED_MAX = LIMIT_TRUST_ANCHORS };

struct arguments {
    enum command_id command;
    const char *values[ADMIN_OPTION_COUNT]; /* NULL: not given; "" for options without a value */
    const char *repeated[REPEATED_MAX];     /* of --trust-anchor, --name: all of them */
    size_t repeated_count;
    const char *operand; /* the one word that is no option; NULL if there is none */
    bool wants_help, wants_version;
};

/* argv[0] is the command's name. FAULT_INPUT says what is wrong. All texts are argv's. */
int arguments_parse(enum command_id command, int argc, char **argv, struct arguments *ret_args,
                    struct fault *why) must_check;
void arguments_print_help(enum command_id command, FILE *out);

/* Given at all? */
static inline bool
arguments_have(const struct arguments *args, enum admin_option option)
{
    return args->values[option] != NULL;
}

/* The value, or what stands for it. */
static inline const char *
arguments_text(const struct arguments *args, enum admin_option option, const char *otherwise)
{
    return args->values[option] != NULL ? args->values[option] : otherwise;
}

/* FAULT_INPUT names the option and the range. */
int arguments_number(const struct arguments *args, enum admin_option option, const long range[3],
                     long *ret_number, struct fault *why) must_check; /* least, most, otherwise */

#endif
