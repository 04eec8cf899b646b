/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of platforms: every row that is given is JSON, as is what is written of it; a list that
 * is taken whole is one JSON value.
 */
#include "base/mem.h"
#include "pccsadmin/json_style.h"
#include "pccsadmin/platform_list.h"
#include "json/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_row(struct buf *text)
{
    auto_cleanup(buf_done) struct buf styled = BUF_INIT(8 * text->size + 8);
    struct platform_row row;
    must(json_check(buf_span(text), NULL) == 0);
    must(json_style_add(&styled, buf_span(text)) == 0);
    must(json_check(buf_span(&styled), NULL) == 0);
    if (platform_row_parse(text, &row, NULL) == 0) {
        (void)!platform_row_check(&row, NULL);
        platform_row_done(&row);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    FILE *stream = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (stream == NULL) {
        return 0;
    }
    struct platform_list list = {.stream = stream, .path = "list"};
    int failed;
    while ((failed = platform_list_next(&list, &text, NULL)) == 0) {
        check_row(&text);
    }
    if (failed == FAULT_NOT_FOUND && size < 2 * LIMIT_JSON_DEPTH) { /* the whole is one deeper */
        must(json_check(span_of(data, size), NULL) == 0);
    }
    platform_list_close(&list);
    return 0;
}
