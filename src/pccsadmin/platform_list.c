/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a list of platforms as pccsadmin get, collect and Intel's tools write it, one row at a
 * time. Takes a path; gives the JSON text of each element of the array, and its members. The array
 * is split by counting brackets outside strings; each element is then checked as JSON by itself, so
 * that a list of any size needs the memory of one row.
 * Called by the commands, on the main thread. clients.md 5.1.
 * Must never take a row above its ceiling, nor go on after a broken one: what follows it is a
 * guess.
 */
#include "pccsadmin/platform_list.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "json/json_scan.h"
#include "json/json_value.h"

int
platform_list_open(const char *path, struct platform_list *ret_list, struct fault *why)
{
    struct stat status;
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        return fault_set_number(why, FAULT_IO, "file", errno, "cannot open %s: %s", path,
                                strerror(errno));
    }
    *ret_list = (struct platform_list){.stream = stream, .path = path};
    ret_list->size = fstat(fileno(stream), &status) == 0 ? (int64_t)status.st_size : 0;
    return 0;
}

void
platform_list_close(struct platform_list *list)
{
    if (list->stream != NULL) {
        fclose(list->stream);
        list->stream = NULL;
    }
}

static int
next_byte(struct platform_list *list)
{
    int byte = getc_unlocked(list->stream);
    list->at += byte != EOF;
    return byte;
}

static int
next_unblank(struct platform_list *list)
{
    int byte;
    do {
        byte = next_byte(list);
    } while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r');
    return byte;
}

static int
broken(struct platform_list *list, const char *what, struct fault *why)
{
    list->is_done = true;
    return fault_set(why, FAULT_INPUT, "parse", "%s: %s (after %zu platforms)", list->path, what,
                     list->count);
}

/* The rest of an object whose '{' has been read. */
static int
read_object(struct platform_list *list, struct buf *text, struct fault *why)
{
    unsigned depth = 1;
    bool in_string = false;
    buf_add_byte(text, '{');
    while (depth > 0 && text->failed == 0) {
        int byte = next_byte(list);
        if (byte == EOF) {
            return broken(list, "the file ends in the middle of a platform", why);
        }
        buf_add_byte(text, (uint8_t)byte);
        if (in_string && byte == '\\') {
            byte = next_byte(list);
            buf_add_byte(text, (uint8_t)byte);
        } else if (byte == '"') {
            in_string = !in_string;
        } else if (!in_string) {
            depth += byte == '{' ? 1u : 0u;
            depth -= byte == '}' ? 1u : 0u;
        }
    }
    if (text->failed == FAULT_TOO_LARGE) {
        return broken(list, "a platform is larger than any can be", why);
    }
    if (text->failed != 0) {
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    struct fault cause;
    return json_check(buf_span(text), &cause) != 0 ? broken(list, cause.text, why) : 0;
}

/* After ']': only white space. */
static int
finish(struct platform_list *list, struct fault *why)
{
    if (next_unblank(list) != EOF) {
        return broken(list, "something stands behind the list's end", why);
    }
    list->is_done = true;
    return fault_set(why, FAULT_NOT_FOUND, "parse", "the list has ended");
}

int
platform_list_next(struct platform_list *list, struct buf *text, struct fault *why)
{
    buf_clear(text);
    if (list->is_done) {
        return fault_set(why, FAULT_NOT_FOUND, "parse", "the list has ended");
    }
    int byte = next_unblank(list);
    if (!list->is_started) {
        if (byte != '[') {
            return broken(list, "no list of platforms (a JSON array of objects)", why);
        }
        list->is_started = true;
        byte = next_unblank(list);
        if (byte == ']') {
            return finish(list, why);
        }
    } else if (byte == ']') {
        return finish(list, why);
    } else if (byte == ',') {
        byte = next_unblank(list);
    } else {
        return broken(list, byte == EOF ? "the list is cut short" : "no comma between platforms",
                      why);
    }
    if (byte != '{') {
        return broken(list, "a platform is not a JSON object", why);
    }
    int failed = read_object(list, text, why);
    list->count += failed == 0;
    return failed;
}

int
platform_list_count(const char *path, size_t *ret_count, struct fault *why)
{
    struct platform_list list = {0};
    struct buf text = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    struct fault cause;
    int failed = platform_list_open(path, &list, why);
    if (failed != 0) {
        return failed;
    }
    while ((failed = platform_list_next(&list, &text, &cause)) == 0) {
    }
    size_t count = list.count;
    platform_list_close(&list);
    buf_done(&text);
    if (failed != FAULT_NOT_FOUND) {
        return fault_set(why, FAULT_CONFIG, "parse", "%s", cause.text);
    }
    *ret_count = count;
    return 0;
}

int
platform_row_parse(struct buf *take_text, struct platform_row *ret_row, struct fault *why)
{
    struct platform_row row = {.text = *take_text};
    *take_text = BUF_INIT(take_text->size_max);
    int failed = json_value_parse(buf_span(&row.text), &row.object, why);
    if (failed == 0 && !json_is_object(row.object)) {
        failed = fault_set(why, FAULT_INPUT, "parse", "a platform is not a JSON object");
    }
    if (failed != 0) {
        platform_row_done(&row);
        return failed;
    }
    *ret_row = row;
    return 0;
}

void
platform_row_done(struct platform_row *row)
{
    json_decref(row->object);
    buf_done(&row->text);
    *row = (struct platform_row){0};
}

const char *
platform_row_get(const struct platform_row *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row->object, name));
    return text != NULL ? text : "";
}

int
platform_row_check(const struct platform_row *row, struct fault *why)
{
    struct span qeid = span_of_text(platform_row_get(row, "qe_id"));
    struct span pceid = span_of_text(platform_row_get(row, "pce_id"));
    struct span ppid = span_of_text(platform_row_get(row, "enc_ppid"));
    struct span manifest = span_of_text(platform_row_get(row, "platform_manifest"));
    if (qeid.size == 0) {
        return fault_set(why, FAULT_INPUT, "parse", "qe_id is missing");
    }
    if (!hex_is_sized(pceid, 4)) {
        return fault_set(why, FAULT_INPUT, "parse", "pce_id is not 4 hex digits");
    }
    if (manifest.size > 0) {
        return hex_is(manifest) && manifest.size % 2 == 0 && manifest.size <= LIMIT_MANIFEST_HEX
                   ? 0
                   : fault_set(why, FAULT_INPUT, "parse",
                               "platform_manifest is not an even number of hex digits");
    }
    if (!hex_is_sized(ppid, LIMIT_PPID_HEX)) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "neither a platform_manifest nor an enc_ppid of %d hex digits",
                         LIMIT_PPID_HEX);
    }
    return 0;
}
