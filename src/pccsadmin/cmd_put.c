/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin put: a collaterals file, or an appraisal policy, into a PCCS.
 * Takes a file as Intel's tools or fetch wrote it and sends it as it is, from the disk; the PCCS
 * judges it. With --verify-key nothing is sent unless FILE.sig is right.
 * Called by main.c. Must never send anything to an address that is neither of the two (clients.md
 * 4: wrong usage).
 */
#include <stdio.h>

#include "base/mem.h"
#include "pccsadmin/pccs_call.h"
#include "pccsadmin/signature_file.h"
#include "terms/terms.h"
#include "json/json_scan.h"

static int
usage_fault(const struct arguments *args, const char *text)
{
    struct fault why;
    fault_set(&why, FAULT_INPUT, "usage", "%s", text);
    return say_usage(args, &why);
}

static int
file_open(const struct arguments *args, const char *path, struct mapped_file *ret_file)
{
    struct fault why;
    if (mapped_file_open(path, LIMIT_COLLATERALS_FILE_BYTES, ret_file, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    const char *key = args->values[ADMIN_VERIFY_KEY];
    if (key != NULL && signature_file_check(path, ret_file->bytes, key, &why) != 0) {
        say_error("%s; nothing was sent", why.text);
        return ADMIN_FAILED;
    }
    return 0;
}

static int
collaterals_put(struct pccs_call *call, const char *url, const char *path, struct span bytes)
{
    struct fault why;
    struct pccs_request request = {.method = PCCS_PUT, .url = url, .body = bytes};
    if (json_check(bytes, &why) != 0) {
        say_error("%s is no JSON (%s); nothing was sent", path, why.text);
        return ADMIN_FAILED;
    }
    if (!pccs_call_ask_ok(call, &request)) {
        return ADMIN_FAILED;
    }
    struct span detail;
    bool has_detail = pccs_reply_header(&call->reply, "PCCS-Error-Detail", &detail);
    if (has_detail) {
        say_warning("the PCCS took the file, and says: %.*s", SPAN_ARGS(detail));
    }
    say(call->args, "Collaterals uploaded successfully.");
    say_json(call->args, json_pack("{s:s, s:i, s:s#}", "file", path, "status", 200, "detail",
                                   has_detail ? (const char *)detail.data : "",
                                   has_detail ? (int)detail.size : 0));
    return ADMIN_DONE;
}

static int
policy_put(struct pccs_call *call, const char *url, const char *fmspc, struct span policy)
{
    const struct arguments *args = call->args;
    auto_cleanup(buf_done) struct buf body = BUF_INIT(6 * LIMIT_POLICY_BYTES);
    buf_add_text(&body, "{\"policy\": ");
    json_add_quoted(&body, policy);
    buf_add_format(&body, ", \"is_default\": %s, \"fmspc\": ",
                   arguments_have(args, ADMIN_DEFAULT) ? "true" : "false");
    json_add_quoted(&body, span_of_text(fmspc));
    if (buf_add_text(&body, "}") != 0) {
        say_error("the policy is no text, or longer than any PCCS takes");
        return ADMIN_FAILED;
    }
    struct pccs_request request = {.method = PCCS_PUT, .url = url, .body = buf_span(&body)};
    if (!pccs_call_ask_ok(call, &request)) {
        return ADMIN_FAILED;
    }
    say(args, "Policy uploaded successfully with policy ID :%s", buf_text(&call->reply.body));
    say_json(args,
             json_pack("{s:i, s:s}", "status", 200, "policy_id", buf_text(&call->reply.body)));
    return ADMIN_DONE;
}

/* The checks that need no PCCS; 0 or an exit status. */
static int
usage_check(const struct arguments *args, const char *url, bool *ret_is_policy)
{
    struct fmspc fmspc;
    bool is_policy = pccs_url_ends_in(url, "/appraisalpolicy");
    if (!is_policy && !pccs_url_ends_in(url, "/platformcollateral")) {
        return usage_fault(args, "Invalid URL: it must end in /platformcollateral or "
                                 "/appraisalpolicy");
    }
    if (is_policy &&
        (!arguments_have(args, ADMIN_FMSPC) || !arguments_have(args, ADMIN_INPUT_FILE))) {
        return usage_fault(args, "for an appraisal policy -f FMSPC and -i FILE are needed");
    }
    if (is_policy && !fmspc_parse(span_of_text(args->values[ADMIN_FMSPC]), &fmspc)) {
        return usage_fault(args, "-f: 12 hex digits are wanted");
    }
    if (!is_policy && (arguments_have(args, ADMIN_FMSPC) || arguments_have(args, ADMIN_DEFAULT))) {
        return usage_fault(args, "-f and -d go with a URL that ends in /appraisalpolicy");
    }
    *ret_is_policy = is_policy;
    return 0;
}

int
cmd_put(const struct arguments *args)
{
    const char *url = arguments_text(args, ADMIN_URL, PCCS_DEFAULT_BASE "/platformcollateral");
    const char *path = arguments_text(args, ADMIN_INPUT_FILE, "platform_collaterals.json");
    auto_cleanup(pccs_call_done) struct pccs_call call = {0};
    auto_cleanup(mapped_file_close) struct mapped_file file = {0};
    bool is_policy = false;
    int status = usage_check(args, url, &is_policy);
    if (status == 0) {
        status = file_open(args, path, &file);
    }
    if (status == 0) {
        status = pccs_call_open(args, true, &call);
    }
    if (status != 0) {
        return status;
    }
    return is_policy ? policy_put(&call, url, args->values[ADMIN_FMSPC], file.bytes)
                     : collaterals_put(&call, url, path, file.bytes);
}
