/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin collect: the CSV files of PCKIDRetrievalTool, carried from platforms without a network,
 * made into a list of platforms (clients.md 3 and 5.1).
 * Takes a folder; gives platform_list.json: the CSV's columns in their order, as they are written,
 * platform_manifest null where the line has five, and the file's name as pckid_filename.
 * Called by main.c. Must never let a broken line keep the good ones back, nor take it silently:
 * it is named with file and line, and the exit status is 1 (tools.md, collect).
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "pccsadmin/admin.h"
#include "pccsadmin/json_style.h"
#include "pccsadmin/out_file.h"
#include "pccsadmin/platform_list.h"
#include "json/json_scan.h"

enum { FIELD_COUNT = 6, CSV_BYTES_MAX = 64 * 1024 * 1024, CSV_FILES_MAX = 1000000 };
enum field { ENC_PPID, PCE_ID, CPU_SVN, PCE_SVN, QE_ID, MANIFEST };

static const char *const field_names[FIELD_COUNT] = {"enc_ppid", "pce_id", "cpu_svn",
                                                     "pce_svn",  "qe_id",  "platform_manifest"};

struct collect {
    const char *folder;
    struct out_array list;
    size_t files, broken;
};

struct line {
    struct span fields[FIELD_COUNT];
    size_t count;
};

/* ---- a line ---- */

static bool
split(struct span text, struct line *ret_line)
{
    struct line line = {.count = 0};
    struct reader reader = reader_of(text);
    while (line.count < FIELD_COUNT - 1 && reader_until(&reader, ',', &line.fields[line.count])) {
        line.count++;
    }
    line.fields[line.count++] = reader.rest;
    *ret_line = line;
    return memchr(reader.rest.data != NULL ? reader.rest.data : (const uint8_t *)"", ',',
                  reader.rest.size) == NULL;
}

static bool
is_hex_or_empty(struct span field, size_t digits)
{
    return field.size == 0 || hex_is_sized(field, digits);
}

/* The forms of clients.md 3. A platform without enclave has a manifest, PCE ID and QE ID only. */
static int
check(const struct line *line, struct fault *why)
{
    const struct span *f = line->fields;
    bool has_manifest = line->count == FIELD_COUNT && f[MANIFEST].size > 0;
    size_t qeid_characters = 0;
    if (line->count < FIELD_COUNT - 1) {
        return fault_set(why, FAULT_INPUT, "parse", "%zu fields, not 5 or 6", line->count);
    }
    if (!hex_is_sized(f[PCE_ID], 4)) {
        return fault_set(why, FAULT_INPUT, "parse", "pce_id is not 4 hex digits");
    }
    if (!utf8_count(f[QE_ID], &qeid_characters) || qeid_characters < 1 ||
        qeid_characters > LIMIT_QEID_CHARS || !hex_is(f[QE_ID])) {
        return fault_set(why, FAULT_INPUT, "parse", "qe_id is not 1 to %d hex digits",
                         LIMIT_QEID_CHARS);
    }
    if (!is_hex_or_empty(f[ENC_PPID], LIMIT_PPID_HEX)) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "enc_ppid has %zu characters, not %d hex digits", f[ENC_PPID].size,
                         LIMIT_PPID_HEX);
    }
    if (!is_hex_or_empty(f[CPU_SVN], 32) || !is_hex_or_empty(f[PCE_SVN], 4)) {
        return fault_set(why, FAULT_INPUT, "parse", "cpu_svn, pce_svn are not 32, 4 hex digits");
    }
    if (has_manifest && (!hex_is(f[MANIFEST]) || f[MANIFEST].size % 2 != 0 ||
                         f[MANIFEST].size > LIMIT_MANIFEST_HEX)) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "platform_manifest is not an even number of hex digits");
    }
    if (!has_manifest && (f[ENC_PPID].size == 0 || f[CPU_SVN].size == 0 || f[PCE_SVN].size == 0)) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "neither a platform_manifest nor enc_ppid, cpu_svn and pce_svn");
    }
    return 0;
}

static bool
is_all_zero(struct span hex)
{
    for (size_t i = 0; i < hex.size; i++) {
        if (hex.data[i] != '0') {
            return false;
        }
    }
    return hex.size > 0;
}

/* name: the file's, without .csv. */
static int
write_line(struct collect *collect, const struct line *line, struct span name, struct fault *why)
{
    auto_cleanup(buf_done) struct buf row = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        buf_add_format(&row, "%s\"%s\": ", i == 0 ? "{" : ", ", field_names[i]);
        if (i < line->count) {
            json_style_add_text(&row, line->fields[i]);
        } else {
            buf_add_text(&row, "null");
        }
    }
    buf_add_text(&row, ", \"pckid_filename\": ");
    json_style_add_text(&row, name);
    if (buf_add_text(&row, "}") != 0) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "the line is too long, or its file's name is "
                         "no UTF-8");
    }
    return out_array_add(&collect->list, buf_span(&row), why);
}

/* ---- a file ---- */

static int
take_line(struct collect *collect, struct span text, const char *file, size_t number)
{
    struct fault why;
    struct line line;
    struct span name = span_of(file, strlen(file) - strlen(".csv"));
    int failed = split(text, &line) ? check(&line, &why)
                                    : fault_set(&why, FAULT_INPUT, "parse", "more than 6 fields");
    if (failed == 0 && line.fields[ENC_PPID].size > 0 && is_all_zero(line.fields[ENC_PPID]) &&
        (line.count < FIELD_COUNT || line.fields[MANIFEST].size == 0)) {
        say_warning("%s/%s, line %zu: the encrypted PPID is all zeros and there is no manifest: "
                    "Intel cannot know this platform",
                    collect->folder, file, number);
    }
    if (failed == 0) {
        failed = write_line(collect, &line, name, &why);
    }
    if (failed == FAULT_INPUT) {
        say_error("%s/%s, line %zu: %s", collect->folder, file, number, why.text);
        collect->broken++;
        return 0;
    }
    if (failed != 0) {
        say_error("%s", why.text);
    }
    return failed;
}

static int
take_file(struct collect *collect, const char *file)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT(CSV_BYTES_MAX);
    auto_free char *path = NULL;
    struct fault why;
    if (asprintf(&path, "%s/%s", collect->folder, file) < 0 || file_read(path, &text, &why) != 0) {
        say_error("%s", path != NULL ? why.text : "memory ran out");
        collect->broken++;
        return 0;
    }
    struct reader reader = reader_of(buf_span(&text));
    size_t number = 0;
    int failed = 0;
    while (failed == 0 && !reader_at_end(&reader)) {
        struct span line;
        if (!reader_until(&reader, '\n', &line)) {
            line = reader.rest;
            reader.rest = span_of(NULL, 0);
        }
        if (line.size > 0 && line.data[line.size - 1] == '\r') {
            line.size--;
        }
        number++;
        failed = line.size > 0 ? take_line(collect, line, file, number) : 0;
    }
    if (number == 0) {
        say_error("%s: the file is empty", path);
        collect->broken++;
    }
    collect->files++;
    return failed;
}

/* ---- the folder ---- */

static int
is_csv(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 4 && strcmp(entry->d_name + size - 4, ".csv") == 0;
}

static int
take_folder(struct collect *collect)
{
    struct dirent **entries = NULL;
    int count = scandir(collect->folder, &entries, is_csv, alphasort);
    if (count < 0) {
        say_error("cannot read the folder %s: %s", collect->folder, strerror(errno));
        return ADMIN_FAILED;
    }
    int failed = 0;
    if (count > CSV_FILES_MAX) {
        say_error("%s has %d CSV files, more than %d", collect->folder, count, CSV_FILES_MAX);
        failed = ADMIN_FAILED;
    }
    for (int i = 0; i < count; i++) {
        failed = failed != 0 ? failed : take_file(collect, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return failed != 0 ? ADMIN_FAILED : 0;
}

int
cmd_collect(const struct arguments *args)
{
    const char *path = arguments_text(args, ADMIN_OUTPUT_FILE, "platform_list.json");
    struct collect collect = {.folder = arguments_text(args, ADMIN_DIRECTORY, "."),
                              .list = {.path = path}};
    struct fault why;
    if (ask_overwrite(args, path, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    int failed = take_folder(&collect);
    if (failed == 0 && collect.list.count == 0) {
        say_error("%s: %s; nothing was written", collect.folder,
                  collect.files == 0 ? "at least one CSV file of PCKIDRetrievalTool is needed"
                                     : "no line of its CSV files can be used");
        failed = ADMIN_FAILED;
    }
    if (failed == 0 && out_array_commit(&collect.list, &why) != 0) {
        say_error("%s", why.text);
        failed = ADMIN_FAILED;
    }
    out_file_abort(&collect.list.file);
    if (failed != 0) {
        return failed;
    }
    say(args, "%s saved successfully: %zu platforms of %zu files.", path, collect.list.count,
        collect.files);
    say_json(args,
             json_pack("{s:s, s:i, s:i, s:i}", "file", path, "platforms", (int)collect.list.count,
                       "files", (int)collect.files, "broken", (int)collect.broken));
    return collect.broken == 0 ? ADMIN_DONE : ADMIN_FAILED;
}
