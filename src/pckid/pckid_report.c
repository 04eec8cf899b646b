/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program's voice: lines for a human, or one object for a script.
 *
 * Takes what happened; prints it, folded to 100 columns where it is a paragraph, and keeps it for
 * --json. The program's only thread. Must never print a token, nor anything but the one object on
 * standard output with --json.
 *
 * tools.md, All (--quiet, --json; one paragraph each: seen, means, do).
 */
#include "pckid/pckid_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define PROGRAM "PCKIDRetrievalTool"

enum { TEXT_SIZE = 8192, FOLD_COLUMNS = 96 };

void
report_init(struct pckid_report *report, bool is_quiet, bool is_json)
{
    *report = (struct pckid_report){.is_quiet = is_quiet, .is_json = is_json};
    report->object = json_pack("{s:n, s:n, s:[], s:[]}", "result", "error", "warnings", "findings");
}

int
report_finish(struct pckid_report *report, enum pckid_exit status)
{
    static const char *const words[] = {[PCKID_DONE] = "done",
                                        [PCKID_FAILED] = "failed",
                                        [PCKID_WRONG_USAGE] = "wrong-usage",
                                        [PCKID_NOT_TAKEN] = "not-taken"};
    report_set_text(report, "result", words[status]);
    report_set_value(report, "exit", json_integer(status));
    if (report->is_json) {
        (void)json_dumpf(report->object, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    if (fflush(stdout) != 0 && status == PCKID_DONE) {
        status = PCKID_FAILED;
        fputs(PROGRAM ": standard output cannot be written\n", stderr);
    }
    json_decref(report->object);
    report->object = NULL;
    return (int)status;
}

static void __attribute__((format(printf, 2, 0)))
text_format(char out[TEXT_SIZE], const char *format, va_list arguments)
{
    if (vsnprintf(out, TEXT_SIZE, format, arguments) < 0) {
        out[0] = '\0';
    }
}

static void __attribute__((format(printf, 1, 0))) print_line(const char *format, va_list arguments)
{
    (void)vprintf(format, arguments);
    putchar('\n');
}

void
report_say(struct pckid_report *report, const char *format, ...)
{
    if (report->is_quiet || report->is_json) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

/* Words folded at FOLD_COLUMNS, later lines indented. */
static void
fold(const char *label, const char *text)
{
    size_t column = (size_t)fprintf(stderr, "  %s", label);
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column + 1 + word > FOLD_COLUMNS) {
            fputs("\n        ", stderr);
            column = 8;
        } else {
            fputc(' ', stderr);
            column++;
        }
        fprintf(stderr, "%.*s", (int)word, text);
        column += word;
        text += word + (text[word] == ' ' ? 1 : 0);
    }
    fputc('\n', stderr);
}

void
report_warn(struct pckid_report *report, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    text_format(text, format, arguments);
    va_end(arguments);
    fflush(stdout);
    fprintf(stderr, PROGRAM ": warning: %s\n", text);
    (void)json_array_append_new(json_object_get(report->object, "warnings"), json_string(text));
}

int
report_fail(struct pckid_report *report, enum pckid_exit status, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    text_format(text, format, arguments);
    va_end(arguments);
    fflush(stdout);
    fprintf(stderr, PROGRAM ": %s\n", text);
    report_set_text(report, "error", text);
    return (int)status;
}

void
report_explain(struct pckid_report *report, const char *lines)
{
    fflush(stdout);
    fputs(lines, stderr);
    report_set_text(report, "explanation", lines);
}

void
report_finding(struct pckid_report *report, const struct finding *finding)
{
    const char *word = platform_state_word(finding->state);
    const char *means = platform_state_means(finding->state);
    const char *cure = platform_state_cure(finding->state);
    fflush(stdout);
    fprintf(stderr, "\n%s\n", word);
    fold("Seen: ", finding->seen);
    fold("Means:", means);
    fold("Do:   ", cure);
    fputc('\n', stderr);
    (void)json_array_append_new(json_object_get(report->object, "findings"),
                                json_pack("{s:s, s:s, s:s, s:s}", "state", word, "seen",
                                          finding->seen, "means", means, "do", cure));
}

void
report_set_text(struct pckid_report *report, const char *name, const char *text)
{
    report_set_value(report, name, text != NULL ? json_string(text) : json_null());
}

void
report_set_value(struct pckid_report *report, const char *name, json_t *value)
{
    (void)json_object_set_new(report->object, name, value);
}
