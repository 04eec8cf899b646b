/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the program says: lines for a human, or one JSON object for a script. Warnings and errors go
 * to standard error in both cases.
 */
#ifndef PCKID_PCKID_REPORT_H
#define PCKID_PCKID_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/fault.h"
#include "platform/platform_state.h"

enum pckid_exit { PCKID_DONE = 0, PCKID_FAILED = 1, PCKID_WRONG_USAGE = 2, PCKID_NOT_TAKEN = 3 };

struct pckid_report {
    bool is_quiet, is_json;
    json_t *object; /* of --json */
};

void report_init(struct pckid_report *report, bool is_quiet, bool is_json);
/* With --json prints the object, with "exit" and "result"; returns status. */
int report_finish(struct pckid_report *report, enum pckid_exit status);

/* A line on standard output; not with --quiet or --json. */
void report_say(struct pckid_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void report_warn(struct pckid_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Returns status, so that an end is one line. */
int report_fail(struct pckid_report *report, enum pckid_exit status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Lines on standard error as they are (an explanation); into "explanation" of the object. */
void report_explain(struct pckid_report *report, const char *lines);
/* A paragraph: seen, means, do; on standard error. */
void report_finding(struct pckid_report *report, const struct finding *finding);

/* A member of the object; the text is copied, NULL is null. */
void report_set_text(struct pckid_report *report, const char *name, const char *text);
void report_set_value(struct pckid_report *report, const char *name, json_t *value); /* takes it */

#endif
