/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all commands share: their exit status, how they speak, how they ask. Commands run on the
 * main thread; only what says so may be called from others.
 */
#ifndef PCCSADMIN_ADMIN_H
#define PCCSADMIN_ADMIN_H

#include <jansson.h>

#include "base/buf.h"
#include "pccsadmin/arguments_admin.h"

enum { ADMIN_DONE = 0, ADMIN_FAILED = 1, ADMIN_WRONG_USAGE = 2 };

/* Each command: takes its command line, gives the exit status. One file each, cmd_<name>.c. */
#define ADMIN_COMMAND(id, name, function, operand, help) int function(const struct arguments *args);
#include "pccsadmin/command.def"
#undef ADMIN_COMMAND

/* ---- say.c ---- */

/* A line on standard output; nothing with --quiet or --json. */
void say(const struct arguments *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line on standard error that begins with the program's name; always. */
void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "pccsadmin: text" of a fault; returns the exit status that it means. */
int say_fault(const struct fault *why);
/* Wrong usage: the text, and where help is; returns ADMIN_WRONG_USAGE. */
int say_usage(const struct arguments *args, const struct fault *why);
/* With --json: prints the object on standard output. Always: drops the reference. */
void say_json(const struct arguments *args, json_t *object);

/* ---- ask.c ---- */

bool ask_is_possible(void); /* standard input is a terminal */
/* False also at the end of input. */
bool ask_yes(const char *question);
/* A line without its end into answer (its ceiling holds); FAULT_INPUT if there is none. */
int ask_line(const char *question, struct buf *answer, struct fault *why) must_check;
/* The same without echo. */
int ask_secret(const char *question, struct buf *answer, struct fault *why) must_check;
/* May path be written: it is not there, or --overwrite, --yes, or a human says so. FAULT_CONFIG
 * names what would have answered. */
int ask_overwrite(const struct arguments *args, const char *path, struct fault *why) must_check;

/* ---- secret.c ---- */

enum secret { SECRET_ADMIN_TOKEN, SECRET_USER_TOKEN, SECRET_API_KEY };
/* From the variable, from the file that the _FILE variable names, else from a human (tokens only).
 * FAULT_INPUT names the variables if nobody gave it; the API key is empty then. ret_secret is
 * wiped by buf_done_secret. */
int secret_get(enum secret secret, struct buf *ret_secret, struct fault *why) must_check;
enum { SECRET_BYTES_MAX = 4096 };
/* A buffer for one, with its room reserved so that no copy stays behind. */
struct buf secret_buf(void);
/* 128 lower-case hex digits. */
bool secret_hash(struct span secret, char out[128 + 1]);

#endif
