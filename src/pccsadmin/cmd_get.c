/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin get: the platforms that wait for certificates (or those cached), into a file.
 * Takes the rows with peek, so that the PCCS marks nothing; writes the file; then acknowledges
 * exactly these rows (api.md, nothing lost). Intel's service ignores peek and answers 404 to the
 * acknowledgement: then it works the old way. --ack does an acknowledgement that failed once more.
 * Called by main.c. Must never tell a PCCS that rows were taken before they are on disk.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/url.h"
#include "pccsadmin/json_style.h"
#include "pccsadmin/out_file.h"
#include "pccsadmin/pccs_call.h"
#include "pccsadmin/platform_list.h"
#include "json/json_scan.h"

enum {
    ACK_ROWS = 2000, /* of one request: far below the 2 MB that a PCCS takes by default */
    ACK_BYTES_MAX = 1024 * 1024,
    URL_BYTES_MAX = LIMIT_URL_CHARS + 3 * LIMIT_FMSPC_LIST_CHARS,
};

/* Is it the queue, whose rows are marked when they have been taken? */
static bool
is_queue(const char *source)
{
    return strcmp(source, "reg") == 0 || strcmp(source, "reg_na") == 0;
}

/* A list of FMSPCs without its brackets gets them. */
static int
url_build(const char *base, const char *source, struct buf *url)
{
    bool is_word = strncmp(source, "reg", 3) == 0 || source[0] == '[';
    buf_add_text(url, base);
    buf_add_text(url, strchr(base, '?') != NULL ? "&source=" : "?source=");
    buf_add_text(url, is_word ? "" : "%5B");
    url_add_encoded(url, span_of_text(source));
    buf_add_text(url, is_word ? "" : "%5D");
    return buf_add_text(url, is_queue(source) ? "&peek=1" : "");
}

/* ---- the acknowledgement ---- */

static int
ack_row_add(struct buf *body, struct buf *take_text, struct fault *why)
{
    static const char *const names[] = {"qe_id", "pce_id", "cpu_svn", "pce_svn"};
    auto_cleanup(platform_row_done) struct platform_row row = {0};
    int failed = platform_row_parse(take_text, &row, why);
    if (failed != 0) {
        return failed;
    }
    buf_add_text(body, body->size == 0 ? "[" : ",");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        buf_add_format(body, "%s\"%s\":", i == 0 ? "{" : ",", names[i]);
        json_add_quoted(body, span_of_text(platform_row_get(&row, names[i])));
    }
    return buf_add_text(body, "}");
}

/* The PCCS answers {"acknowledged": N}; 404 is an Intel PCCS, which has marked them already. */
static int
ack_send(struct pccs_call *call, const char *url, struct buf *body, long *total)
{
    struct fault why;
    struct pccs_request request = {.method = PCCS_POST, .url = url};
    buf_add_text(body, "]");
    request.body = buf_span(body);
    int status = pccs_call_ask(call, &request, &why);
    if (status == 404) {
        return 0;
    }
    if (status != 200) {
        pccs_call_explain(call, &request, status == 0 ? &why : NULL);
        return ADMIN_FAILED;
    }
    json_t *answer =
        json_loadb((const char *)call->reply.body.data, call->reply.body.size, 0, NULL);
    *total += (long)json_integer_value(json_object_get(answer, "acknowledged"));
    json_decref(answer);
    return 0;
}

static int
ack_rows(struct pccs_call *call, const char *url, struct platform_list *list, long *total)
{
    auto_cleanup(buf_done) struct buf body = BUF_INIT(ACK_BYTES_MAX);
    auto_cleanup(buf_done) struct buf text = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    struct fault why;
    size_t rows = 0;
    int failed = 0;
    while (failed == 0 && (failed = platform_list_next(list, &text, &why)) == 0) {
        failed = ack_row_add(&body, &text, &why);
        if (failed == 0 && ++rows == ACK_ROWS) {
            if (ack_send(call, url, &body, total) != 0) {
                return ADMIN_FAILED;
            }
            buf_clear(&body);
            rows = 0;
        }
    }
    if (failed != FAULT_NOT_FOUND) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    return rows > 0 ? ack_send(call, url, &body, total) : 0;
}

/* Tells the PCCS that the rows of the file were taken. */
static int
acknowledge(struct pccs_call *call, const char *base, const char *path, long *total)
{
    auto_cleanup(buf_done) struct buf url = BUF_INIT(URL_BYTES_MAX);
    auto_cleanup(platform_list_close) struct platform_list list = {0};
    struct fault why;
    if (pccs_url_add(&url, base, "/ack") != 0 || platform_list_open(path, &list, &why) != 0) {
        say_error("%s", url.failed != 0 ? "the URL is too long" : why.text);
        return ADMIN_FAILED;
    }
    return ack_rows(call, buf_text(&url), &list, total);
}

/* ---- the rows ---- */

static int
file_write(const struct pccs_call *call, const char *path, size_t *ret_count)
{
    struct fault why;
    struct span body = buf_span(&call->reply.body);
    struct json_walk walk;
    struct span name, value;
    auto_cleanup(out_file_abort) struct out_file file = {0};
    if (json_check(body, &why) != 0 || json_walk_init(&walk, body, &why) != 0 || walk.is_object) {
        say_error("the answer is no list of platforms; is the URL that of a PCCS's platforms?");
        return ADMIN_FAILED;
    }
    int failed = out_file_open(path, &file, &why);
    size_t count = 0;
    while (failed == 0 && json_walk_next(&walk, &name, &value) == 0) {
        auto_cleanup(buf_done) struct buf row = BUF_INIT(2 * value.size + 16);
        failed = json_style_add(&row, value);
        if (failed != 0) {
            fault_set(&why, failed, "file", "memory ran out");
        }
        out_file_write_text(&file, count++ == 0 ? "[" : ", ");
        out_file_write(&file, buf_span(&row));
    }
    if (failed == 0) {
        out_file_write_text(&file, count == 0 ? "[]" : "]");
        failed = out_file_commit(&file, &why);
    }
    if (failed != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    *ret_count = count;
    return 0;
}

static int
rows_take(struct pccs_call *call, const char *base, const char *path)
{
    const struct arguments *args = call->args;
    const char *source = arguments_text(args, ADMIN_SOURCE, "reg");
    auto_cleanup(buf_done) struct buf url = BUF_INIT(URL_BYTES_MAX);
    size_t count = 0;
    long acknowledged = 0;
    if (url_build(base, source, &url) != 0) {
        say_error("the URL is too long");
        return ADMIN_FAILED;
    }
    struct pccs_request request = {
        .method = PCCS_GET, .url = buf_text(&url), .body_max = LIMIT_QUEUE_LIST_BYTES};
    if (!pccs_call_ask_ok(call, &request) || file_write(call, path, &count) != 0) {
        return ADMIN_FAILED;
    }
    pccs_reply_done(&call->reply);
    call->reply = (struct pccs_reply){0};
    if (is_queue(source) && count > 0 && acknowledge(call, base, path, &acknowledged) != 0) {
        say_error("%s is complete, but the PCCS still counts its %zu platforms as waiting; tell it "
                  "later with: pccsadmin get --ack %s",
                  path, count, path);
        return ADMIN_FAILED;
    }
    say(args, "%s saved successfully: %zu platform%s.%s", path, count, count == 1 ? "" : "s",
        count == 0 && is_queue(source) ? " Nothing waits; -s reg_pending lists what was taken and "
                                         "never came back."
                                       : "");
    say_json(args, json_pack("{s:s, s:i, s:i}", "file", path, "platforms", (int)count,
                             "acknowledged", (int)acknowledged));
    return ADMIN_DONE;
}

int
cmd_get(const struct arguments *args)
{
    const char *base = arguments_text(args, ADMIN_URL, PCCS_DEFAULT_BASE "/platforms");
    const char *path = arguments_text(args, ADMIN_OUTPUT_FILE, "platform_list.json");
    const char *ack_path = args->values[ADMIN_ACK];
    auto_cleanup(pccs_call_done) struct pccs_call call = {0};
    struct fault why;
    if (ack_path == NULL && ask_overwrite(args, path, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    int status = pccs_call_open(args, true, &call);
    if (status != 0) {
        return status;
    }
    if (ack_path == NULL) {
        return rows_take(&call, base, path);
    }
    long acknowledged = 0;
    if (acknowledge(&call, base, ack_path, &acknowledged) != 0) {
        return ADMIN_FAILED;
    }
    say(args, "The PCCS marked %ld platform%s of %s as taken.", acknowledged,
        acknowledged == 1 ? "" : "s", ack_path);
    say_json(args, json_pack("{s:s, s:i}", "file", ack_path, "acknowledged", (int)acknowledged));
    return ADMIN_DONE;
}
