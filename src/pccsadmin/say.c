/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the commands speak: results on standard output, troubles on standard error, one JSON object
 * for scripts. Takes formats and faults; gives lines. Called by every command, on the main thread.
 * Must never print a token, an API key or a platform's manifest: callers hand in none.
 */
#include <stdarg.h>
#include <stdio.h>

#include "pccsadmin/admin.h"

void
say(const struct arguments *args, const char *format, ...)
{
    if (arguments_have(args, ADMIN_QUIET) || arguments_have(args, ADMIN_JSON)) {
        return;
    }
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
}

__attribute__((format(printf, 2, 0))) static void
say_line(const char *prefix, const char *format, va_list list)
{
    fflush(stdout);
    fputs(prefix, stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

void
say_error(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say_line("pccsadmin: ", format, list);
    va_end(list);
}

void
say_warning(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say_line("pccsadmin: warning: ", format, list);
    va_end(list);
}

int
say_fault(const struct fault *why)
{
    say_error("%s", why->text);
    return why->code == FAULT_INPUT ? ADMIN_WRONG_USAGE : ADMIN_FAILED;
}

int
say_usage(const struct arguments *args, const struct fault *why)
{
    static const char *const names[] = {
#define ADMIN_COMMAND(id, name, function, operand, help) name,
#include "pccsadmin/command.def"
#undef ADMIN_COMMAND
    };
    say_error("%s; see pccsadmin %s --help", why->text, names[args->command]);
    return ADMIN_WRONG_USAGE;
}

void
say_json(const struct arguments *args, json_t *object)
{
    if (object != NULL && arguments_have(args, ADMIN_JSON)) {
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
    }
    json_decref(object);
}
