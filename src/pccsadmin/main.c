/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin: one table of commands and a loop over it. Each command lives in cmd_<name>.c; options
 * of all of them stand in option.def.
 * Takes argv; gives the exit status: 0 all that was asked is done, 1 failed, 2 wrong usage.
 * Must never do work of its own.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pccsadmin/admin.h"

static const struct command {
    const char *name;
    int (*run)(const struct arguments *args);
    const char *help;
} commands[] = {
#define ADMIN_COMMAND(id, name, function, operand, help) {(name), (function), (help)},
#include "pccsadmin/command.def"
#undef ADMIN_COMMAND
};

static void
print_help(FILE *out)
{
    fputs("usage: pccsadmin COMMAND [OPTION]...\n\n", out);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].help);
    }
    fputs("\npccsadmin COMMAND --help tells a command's options.\n"
          "Tokens come from PCCS_ADMIN_TOKEN or PCCS_ADMIN_TOKEN_FILE, the API key from PCS_API_KEY"
          "\nor PCS_API_KEY_FILE.\n",
          out);
}

static bool
is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(word, *words) != 0) {
        words++;
    }
    return *words != NULL;
}

static int
run_command(enum command_id id, int argc, char **argv)
{
    struct arguments args = {.command = id};
    struct fault why;
    if (arguments_parse(id, argc, argv, &args, &why) != 0) {
        return say_usage(&args, &why);
    }
    if (args.wants_help) {
        arguments_print_help(id, stdout);
        return ADMIN_DONE;
    }
    if (args.wants_version) {
        printf("pccsadmin %s\n", PCCS_VERSION);
        return ADMIN_DONE;
    }
    return commands[id].run(&args);
}

int
main(int argc, char **argv)
{
    static const char *const help_words[] = {"-h", "-help", "-?", "--help", "help", NULL};
    static const char *const version_words[] = {"--version", "-V", NULL};
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_help(stderr);
        return ADMIN_WRONG_USAGE;
    }
    if (is_one_of(argv[1], help_words)) {
        print_help(stdout);
        return ADMIN_DONE;
    }
    if (is_one_of(argv[1], version_words)) {
        printf("pccsadmin %s\n", PCCS_VERSION);
        return ADMIN_DONE;
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return run_command((enum command_id)i, argc - 1, argv + 1);
        }
    }
    say_error("'%s' is no command; pccsadmin --help lists them", argv[1]);
    return ADMIN_WRONG_USAGE;
}
