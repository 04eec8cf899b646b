/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log: one line per event, event names from log_event.def, fields key=value or JSON. Foreign
 * strings are quoted and escaped here, not by callers. Nothing secret is ever handed in (tokens,
 * keys, full PPIDs, manifests). Thread-safe; one write(2) per line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/fault.h"
#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_HTTP, LOG_DEBUG };

enum log_event {
#define LOG_EVENT(name, word, level, meaning, cure) LOG_EVENT_##name,
#include "base/log_event.def"
#undef LOG_EVENT
    LOG_EVENT_COUNT
};

struct log_options {
    enum log_level level; /* Intel's words: verbose and silly are debug */
    bool json;
    const char *path; /* "-" or NULL: standard error; else appended to; reopened by log_reopen */
};

int log_open(const struct log_options *options, struct fault *why) must_check;
int log_reopen(struct fault *why) must_check; /* after rotation, on SIGHUP */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
void log_close(void);
bool log_level_parse(struct span word, enum log_level *ret_level);

struct log_field {
    const char *name;
    enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_SPAN } type;
    const char *text;
    int64_t number;
    struct span span;
};

#define LOG_TEXT(field_name, value)                                                                \
    ((struct log_field){.name = (field_name), .type = LOG_FIELD_TEXT, .text = (value)})
#define LOG_NUMBER(field_name, value)                                                              \
    ((struct log_field){.name = (field_name), .type = LOG_FIELD_NUMBER, .number = (value)})
#define LOG_SPAN(field_name, value)                                                                \
    ((struct log_field){.name = (field_name), .type = LOG_FIELD_SPAN, .span = (value)})

void log_write(enum log_event event, const char *request_id, const struct log_field *fields,
               size_t count);

/* Until the next call this thread works for that request: its lines that name none get this one.
 * Borrowed; NULL ends it. */
void log_for_request(const char *request_id);

/* log_event(LOG_EVENT_START, NULL, LOG_NUMBER("port", 8081), ...): at least one field. A NULL
 * text field is left out. request_id may be NULL. */
#define log_event(event, request_id, ...)                                                          \
    log_write((event), (request_id), (struct log_field[]){__VA_ARGS__},                            \
              sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* The fields of a fault: code, stage, number, reason. Use: log_event(E, id, LOG_FAULT(&why)). */
#define LOG_FAULT(why)                                                                             \
    LOG_TEXT("fault", fault_word((why)->code)), LOG_TEXT("stage", (why)->stage),                   \
        LOG_NUMBER("number", (why)->number), LOG_TEXT("reason", (why)->text)

const char *log_event_word(enum log_event event);

#endif
