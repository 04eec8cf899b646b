/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scanner, compaction and string decoding: whatever is accepted has its properties, and nothing
 * that jansson reads as a value is hidden from the scanner.
 */
#include "base/mem.h"
#include "json/json_scan.h"
#include "json/json_value.h"

enum { FUZZ_ROOM = 1 << 22 };

static void
check_strings(struct span value)
{
    auto_cleanup(buf_done) struct buf decoded = BUF_INIT(FUZZ_ROOM);
    auto_cleanup(buf_done) struct buf quoted = BUF_INIT(FUZZ_ROOM);
    auto_cleanup(buf_done) struct buf again = BUF_INIT(FUZZ_ROOM);
    if (json_add_string(&decoded, value) == 0) {
        must(json_check(value, NULL) == 0);
        must(json_add_quoted(&quoted, buf_span(&decoded)) == 0);
        must(json_add_string(&again, buf_span(&quoted)) == 0);
        must(span_equal(buf_span(&decoded), buf_span(&again)));
    }
}

static void
check_walk(struct span text, bool is_checked)
{
    struct json_walk walk;
    struct span name;
    struct span value;
    if (json_walk_init(&walk, text, NULL) != 0) {
        return;
    }
    int failed;
    while ((failed = json_walk_next(&walk, &name, &value)) == 0) {
        must(value.data >= text.data && value.data + value.size <= text.data + text.size);
        must(json_check(value, NULL) == 0);
        check_strings(value);
    }
    must(!is_checked || failed == FAULT_NOT_FOUND);
    if (json_find_member(text, "tcbInfo", &value, NULL) == 0) {
        must(json_check(value, NULL) == 0);
    }
}

static void
check_compact(struct span text)
{
    auto_cleanup(buf_done) struct buf once = BUF_INIT(FUZZ_ROOM);
    auto_cleanup(buf_done) struct buf twice = BUF_INIT(FUZZ_ROOM);
    must(json_add_compact(&once, text) == 0);
    must(json_is_compact(buf_span(&once)));
    must(json_check(buf_span(&once), NULL) == 0);
    must(json_add_compact(&twice, buf_span(&once)) == 0);
    must(span_equal(buf_span(&once), buf_span(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct fault why = {0};
    bool is_json = json_check(text, &why) == 0;
    check_walk(text, is_json);
    check_strings(text);
    if (is_json) {
        check_compact(text);
    }
    auto_json json_t *ours = NULL;
    must(json_value_parse(text, &ours, NULL) != 0 || is_json);
    if (size == 0 || memchr(data, '\0', size) != NULL) {
        return 0; /* to jansson a NUL is an end; to us it is no JSON */
    }
    auto_json json_t *theirs = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    must(theirs == NULL || is_json || strstr(why.text, "deeper") != NULL);
    return 0;
}
