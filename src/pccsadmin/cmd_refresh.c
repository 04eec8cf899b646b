/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin refresh: lets a PCCS fetch anew what it has: its collateral, or with -f the PCK
 * certificates of all platforms or of some FMSPCs (api.md, refresh).
 * Takes Intel's forms of the list, with and without brackets and blanks; sends the plain one.
 * Called by main.c. Must never call it done where the PCCS says that something stayed old.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/reader.h"
#include "base/url.h"
#include "pccsadmin/pccs_call.h"
#include "terms/terms.h"

enum { URL_BYTES_MAX = LIMIT_URL_CHARS + 3 * LIMIT_FMSPC_LIST_CHARS };

/* One FMSPC of the list, without the blanks around it. */
static int
fmspc_add(struct buf *list, struct span word, struct fault *why)
{
    struct fmspc fmspc;
    while (word.size > 0 && word.data[0] == ' ') {
        word = span_of(word.data + 1, word.size - 1);
    }
    while (word.size > 0 && word.data[word.size - 1] == ' ') {
        word.size--;
    }
    if (!fmspc_parse(word, &fmspc)) {
        return fault_set(why, FAULT_INPUT, "usage",
                         "-f: 'all' or FMSPCs of 12 hex digits with commas between are wanted, not "
                         "'%.*s'",
                         word.size < 40 ? (int)word.size : 40, (const char *)word.data);
    }
    buf_add_text(list, list->size > 0 ? "," : "");
    return buf_add_text(list, fmspc.hex);
}

/* "" stands for all. */
static int
list_parse(const char *text, struct buf *list, struct fault *why)
{
    struct span rest = span_of_text(text);
    if (span_is(rest, "all") || span_is(rest, "[]") || rest.size == 0) {
        return 0;
    }
    if (rest.data[0] == '[' && rest.data[rest.size - 1] == ']') {
        rest = span_of(rest.data + 1, rest.size - 2);
    }
    struct reader reader = reader_of(rest);
    struct span word;
    int failed = 0;
    while (failed == 0 && reader_until(&reader, ',', &word)) {
        failed = fmspc_add(list, word, why);
    }
    return failed != 0 ? failed : fmspc_add(list, reader.rest, why);
}

int
cmd_refresh(const struct arguments *args)
{
    const char *base = arguments_text(args, ADMIN_URL, PCCS_DEFAULT_BASE "/refresh");
    auto_cleanup(pccs_call_done) struct pccs_call call = {0};
    auto_cleanup(buf_done) struct buf list = BUF_INIT(LIMIT_FMSPC_LIST_CHARS);
    auto_cleanup(buf_done) struct buf url = BUF_INIT(URL_BYTES_MAX);
    struct fault why;
    buf_add_text(&url, base);
    if (arguments_have(args, ADMIN_FMSPC)) {
        if (list_parse(args->values[ADMIN_FMSPC], &list, &why) != 0) {
            return say_usage(args, &why);
        }
        buf_add_text(&url, strchr(base, '?') != NULL ? "&" : "?");
        buf_add_text(&url, "type=certs&fmspc=");
        buf_add(&url, buf_span(&list));
    }
    if (url.failed != 0 || list.failed != 0) {
        say_error("the list of FMSPCs is too long");
        return ADMIN_WRONG_USAGE;
    }
    int status = pccs_call_open(args, true, &call);
    if (status != 0) {
        return status;
    }
    struct pccs_request request = {.method = PCCS_POST, .url = buf_text(&url)};
    if (!pccs_call_ask_ok(&call, &request)) {
        return ADMIN_FAILED;
    }
    say(args, "The cache database was refreshed successfully.");
    say_json(args, json_pack("{s:i}", "status", 200));
    return ADMIN_DONE;
}
