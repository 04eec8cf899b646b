/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log: one line per event, in text or JSON, to standard error or an appended file.
 * Takes an event of log_event.def and its fields, gives one write(2) of at most LOG_LINE_BYTES, so
 * that the lines of threads and processes never mix, in a pipe either.
 * Called by the core and the programs, on any thread, without a lock: log_reopen puts the new file
 * under the same descriptor number.
 * Must never end the process or fail a request: a line that cannot be written (disk full, reader
 * gone) is counted, and the next one that can says lost=N. Must never let foreign bytes forge a
 * line: every value is quoted and escaped here.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

enum {
    LOG_LINE_BYTES = 4096, /* PIPE_BUF on Linux: larger writes to a pipe may be torn */
    LOG_LINE_RESERVE = 64, /* always free for cut=1, the closing brace and the newline */
    LOG_VALUE_BYTES = 1024 /* of one foreign value; the rest becomes "..." */
};
_Static_assert(LOG_LINE_BYTES <= PIPE_BUF, "a line must be one atomic write to a pipe");

struct log_row {
    const char *word;
    enum log_level level;
};

static const struct log_row log_rows[] = {
#define LOG_EVENT(name, word, level, meaning, cure) {word, level},
#include "base/log_event.def"
#undef LOG_EVENT
};

static const char *const log_level_words[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn",   [LOG_INFO] = "info",
    [LOG_HTTP] = "http",   [LOG_DEBUG] = "debug",
};

/* What the journal takes at the start of a line for its priority (sd-daemon(3)). */
static const char *const log_journal_prefixes[] = {
    [LOG_ERROR] = "<3>", [LOG_WARN] = "<4>",  [LOG_INFO] = "<6>",
    [LOG_HTTP] = "<6>",  [LOG_DEBUG] = "<7>",
};

/* Of the request that this thread works for: see log_for_request. */
static _Thread_local const char *own_request_id;

/* Set by log_open and log_close, which main calls while no other thread logs; what other threads
 * read meanwhile is atomic. */
static struct {
    atomic_int descriptor; /* its number stays the same from open to close */
    atomic_int level;
    atomic_bool json;
    atomic_bool to_journal; /* standard error is the journal's */
    atomic_ulong lost;      /* lines that could not be written since the last that could */
    atomic_bool torn;       /* the last line was written in part: the next starts on a new line */
    char path[PATH_MAX];    /* empty: standard error */
} the_log = {.descriptor = STDERR_FILENO, .level = LOG_INFO};

static int
open_path(const char *path, struct fault *why)
{
    char folder[PATH_MAX];
    if (!span_to_text(span_of_text(path), folder, sizeof folder)) {
        fault_set(why, FAULT_CONFIG, "log", "LogFile is longer than %d bytes", PATH_MAX - 1);
        return -1;
    }
    /* "logs/" is the default and need not be made by hand */
    if (mkdir(dirname(folder), 0750) != 0 && errno != EEXIST) {
        fault_set_number(why, FAULT_IO, "log", errno, "cannot make the folder of %s: %s", path,
                         strerrordesc_np(errno));
        return -1;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0) {
        fault_set_number(why, FAULT_IO, "log", errno, "cannot open %s: %s", path,
                         strerrordesc_np(errno));
    }
    return fd;
}

/* systemd.exec(5), JOURNAL_STREAM: device and inode of what the journal reads. Somebody may have
 * redirected standard error since. */
static bool
stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat seen;
    char own[64];
    if (stream == NULL || fstat(STDERR_FILENO, &seen) != 0) {
        return false;
    }
    snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)seen.st_dev,
             (unsigned long long)seen.st_ino);
    return strcmp(stream, own) == 0;
}

/* A reader that is gone and a file at its size limit shall be errors of write(2), not the end. */
static void
ignore_where_default(int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        signal(number, SIG_IGN);
    }
}

int
log_open(const struct log_options *options, struct fault *why)
{
    bool to_file = options->path != NULL && strcmp(options->path, "-") != 0;
    int fd = STDERR_FILENO;
    if (to_file) {
        fd = open_path(options->path, why);
        if (fd < 0) {
            return FAULT_IO;
        }
    }
    log_close();
    ignore_where_default(SIGPIPE);
    ignore_where_default(SIGXFSZ);
    if (to_file) {
        span_to_text(span_of_text(options->path), the_log.path, sizeof the_log.path);
    }
    atomic_store(&the_log.json, options->json);
    atomic_store(&the_log.to_journal, !to_file && stderr_is_journal());
    atomic_store(&the_log.descriptor, fd);
    log_set_level(options->level);
    return 0;
}

int
log_reopen(struct fault *why)
{
    if (the_log.path[0] == '\0') {
        return 0;
    }
    int fd = open_path(the_log.path, why);
    if (fd < 0) {
        return FAULT_IO; /* the old file stays in use */
    }
    int failed = 0;
    if (dup3(fd, atomic_load(&the_log.descriptor), O_CLOEXEC) < 0) {
        failed = fault_set_number(why, FAULT_IO, "log", errno, "cannot replace the log file: %s",
                                  strerrordesc_np(errno));
    } else {
        atomic_store(&the_log.torn, false);
    }
    close(fd);
    return failed;
}

void
log_close(void)
{
    int fd = atomic_exchange(&the_log.descriptor, STDERR_FILENO);
    if (fd != STDERR_FILENO) {
        close(fd);
    }
    the_log.path[0] = '\0';
    atomic_store(&the_log.json, false);
    atomic_store(&the_log.to_journal, false);
    atomic_store(&the_log.torn, false);
    atomic_store(&the_log.lost, 0);
}

void
log_set_level(enum log_level level)
{
    atomic_store_explicit(&the_log.level, (int)level, memory_order_relaxed);
}

bool
log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&the_log.level, memory_order_relaxed);
}

bool
log_level_parse(struct span word, enum log_level *ret_level)
{
    if (span_is_nocase(word, "verbose") || span_is_nocase(word, "silly")) {
        *ret_level = LOG_DEBUG;
        return true;
    }
    for (size_t i = 0; i < ARRAY_COUNT(log_level_words); i++) {
        if (span_is_nocase(word, log_level_words[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *
log_event_word(enum log_event event)
{
    must((size_t)event < ARRAY_COUNT(log_rows));
    return log_rows[event].word;
}

void
log_for_request(const char *request_id)
{
    own_request_id = request_id;
}

/* A line in the making. Bytes are put until something does not fit. */
struct log_line {
    char data[LOG_LINE_BYTES];
    size_t size;
    bool json;
    bool full; /* what is being put does not fit */
    bool cut;  /* a field was left out */
};

static void
line_put(struct log_line *line, const void *data, size_t size)
{
    if (line->full || size > LOG_LINE_BYTES - LOG_LINE_RESERVE - line->size) {
        line->full = true;
        return;
    }
    memcpy(line->data + line->size, data, size);
    line->size += size;
}

static void
line_put_text(struct log_line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

/* Values that need no quotes: nothing that separates, quotes or surprises. */
static bool
is_plain(struct span value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '=') {
            return false;
        }
    }
    return value.size != 0;
}

/* One character of a quoted value; returns its bytes. JSON keeps UTF-8 and marks what is none;
 * text keeps printable ASCII only, since terminals obey more than that. */
static size_t
line_put_escaped(struct log_line *line, struct span rest)
{
    uint8_t byte = rest.data[0];
    char escape[8];
    if (byte == '"' || byte == '\\') {
        snprintf(escape, sizeof escape, "\\%c", byte);
    } else if (byte == '\n') {
        snprintf(escape, sizeof escape, "\\n");
    } else if (byte >= 0x20 && byte < 0x7f) {
        snprintf(escape, sizeof escape, "%c", byte);
    } else if (!line->json) {
        snprintf(escape, sizeof escape, "\\x%02x", byte);
    } else if (byte < 0x80) {
        snprintf(escape, sizeof escape, "\\u%04x", byte);
    } else if (utf8_first(rest) != 0) {
        line_put(line, rest.data, utf8_first(rest));
        return utf8_first(rest);
    } else {
        snprintf(escape, sizeof escape, "\\ufffd");
    }
    line_put_text(line, escape);
    return 1;
}

static void
line_put_quoted(struct log_line *line, struct span value)
{
    bool cut = value.size > LOG_VALUE_BYTES;
    struct span rest = span_of(value.data, cut ? LOG_VALUE_BYTES : value.size);
    line_put_text(line, "\"");
    while (rest.size != 0) {
        size_t size = line_put_escaped(line, rest);
        rest = span_of(rest.data + size, rest.size - size);
    }
    line_put_text(line, cut ? "...\"" : "\"");
}

static void
line_put_name(struct log_line *line, const char *name)
{
    line_put_text(line, line->json ? ",\"" : " ");
    line_put_text(line, name);
    line_put_text(line, line->json ? "\":" : "=");
}

static void
line_put_span_field(struct log_line *line, const char *name, struct span value)
{
    line_put_name(line, name);
    if (!line->json && value.size <= LOG_VALUE_BYTES && is_plain(value)) {
        line_put(line, value.data, value.size);
    } else {
        line_put_quoted(line, value);
    }
}

static void
line_put_number_field(struct log_line *line, const char *name, int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    line_put_name(line, name);
    line_put_text(line, digits);
}

static void
line_put_field(struct log_line *line, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        if (field->text != NULL) {
            line_put_span_field(line, field->name, span_of_text(field->text));
        }
        break;
    case LOG_FIELD_NUMBER:
        line_put_number_field(line, field->name, field->number);
        break;
    case LOG_FIELD_SPAN:
        line_put_span_field(line, field->name, field->span);
        break;
    }
}

/* A field that does not fit is left out whole, and the line says so. */
static void
line_put_field_or_none(struct log_line *line, struct log_field field)
{
    size_t size_before = line->size;
    line_put_field(line, &field);
    if (line->full) {
        line->size = size_before;
        line->full = false;
        line->cut = true;
    }
}

/* The part that every line has: time, level, event. */
static void
line_start(struct log_line *line, enum log_event event)
{
    int64_t now_ms = clock_system_utc_ms();
    char time[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(now_ms / 1000, time);
    char fraction[8];
    snprintf(fraction, sizeof fraction, ".%03dZ", (int)(now_ms % 1000));
    if (atomic_load(&the_log.to_journal)) {
        line_put_text(line, log_journal_prefixes[log_rows[event].level]);
    }
    line_put_text(line, line->json ? "{\"time\":\"" : "");
    line_put(line, time, CLOCK_ISO8601_SIZE - 2); /* without its Z and NUL */
    line_put_text(line, fraction);
    line_put_text(line, line->json ? "\",\"level\":\"" : " ");
    line_put_text(line, log_level_words[log_rows[event].level]);
    line_put_text(line, line->json ? "\",\"event\":\"" : " ");
    line_put_text(line, log_event_word(event));
    line_put_text(line, line->json ? "\"" : "");
}

/* The reserve is for this: a mark if fields were left out, and the end. */
static void
line_end(struct log_line *line)
{
    const char *mark = line->json ? ",\"cut\":1" : " cut=1";
    const char *end = line->json ? "}\n" : "\n";
    if (line->cut) {
        memcpy(line->data + line->size, mark, strlen(mark));
        line->size += strlen(mark);
    }
    memcpy(line->data + line->size, end, strlen(end));
    line->size += strlen(end);
}

/* One write. EAGAIN (a full pipe that does not block) and ENOSPC lose the line, and only it. */
static void
line_write(const char *data, size_t size, unsigned long lost)
{
    ssize_t count;
    do {
        count = write(atomic_load(&the_log.descriptor), data, size);
    } while (count < 0 && errno == EINTR);
    if (count < (ssize_t)size) {
        if (count > 0) {
            atomic_store(&the_log.torn, true);
        }
        atomic_fetch_add(&the_log.lost, lost + 1);
    }
}

void
log_write(enum log_event event, const char *request_id, const struct log_field *fields,
          size_t count)
{
    must((size_t)event < ARRAY_COUNT(log_rows));
    if (!log_is_on(log_rows[event].level)) {
        return;
    }
    int number = errno; /* a log line must not disturb the caller's */
    unsigned long lost = atomic_exchange(&the_log.lost, 0);
    struct log_line line;
    line.json = atomic_load(&the_log.json);
    line.full = line.cut = false;
    line.size = 0;
    line_start(&line, event);
    line_put_field_or_none(
        &line, LOG_TEXT("request_id", request_id != NULL ? request_id : own_request_id));
    if (lost != 0) {
        line_put_field_or_none(&line, LOG_NUMBER("lost", (int64_t)lost));
    }
    for (size_t i = 0; i < count; i++) {
        line_put_field_or_none(&line, fields[i]);
    }
    line_end(&line);
    if (atomic_exchange(&the_log.torn, false)) {
        memmove(line.data + 1, line.data, line.size++);
        line.data[0] = '\n';
    }
    line_write(line.data, line.size, lost);
    errno = number;
}
