/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registers records with a PCCS and says what its answers mean.
 *
 * Takes a record; gives whether the PCCS took it (200 and nothing else), after having said what
 * came back, what that means and what to do. The program's only thread; blocks as pccs_client.h
 * says. Must never take anything but 200 for a success: the firmware forgets the manifest then.
 *
 * clients.md 3; tools.md, PCKIDRetrievalTool (order of work).
 */
#include "pckid/pckid_upload.h"

#include "base/mem.h"

enum { EXPLANATION_BYTES_MAX = 16 * 1024 };

int
upload_open(const struct pckid_settings *settings, struct pckid_report *report,
            struct pccs_client **ret_client)
{
    static const enum pccs_proxy proxies[] = {[PCKID_PROXY_DEFAULT] = PCCS_PROXY_ENVIRONMENT,
                                              [PCKID_PROXY_DIRECT] = PCCS_PROXY_DIRECT,
                                              [PCKID_PROXY_MANUAL] = PCCS_PROXY_GIVEN};
    const struct pccs_client_options options = {
        .ca = settings->options->values[PCKID_CA],
        .is_unverified = settings->is_unverified,
        .proxy = proxies[settings->proxy_type],
        .proxy_url = settings->proxy_url,
        .program = "PCKIDRetrievalTool",
    };
    struct fault why = {.number = 0};
    if (settings->is_unverified) {
        report_warn(report, "the certificate of the PCCS is not checked (use_secure_cert is "
                            "false): anybody between could read the token");
    }
    return pccs_client_new(&options, ret_client, &why) == 0
               ? PCKID_DONE
               : report_fail(report, PCKID_FAILED, "%s", why.text);
}

const char *
upload_status_words(int status, struct span body)
{
    switch (status) {
    case 200:
        return "";
    case 400:
        return "The PCCS does not take these data. Is the URL of the right API version?";
    case 401:
        return "The user token is wrong (the PCCS has another one for administrators), or the PCCS "
               "has none configured.";
    case 404:
        if (span_starts_with(body, "No cache data")) {
            return "The PCCS asked Intel, and Intel has no certificate for this server. A "
                   "multi-package server that was never registered needs its manifest: if this run "
                   "had none, set SGX Factory Reset in the BIOS, reboot and run this tool again "
                   "with a working PCCS. A pre-production CPU is known to Intel's sandbox only.";
        }
        return "There is no PCCS at this path: -url wants the base (https://HOST:PORT), PCCS_URL "
               "the whole (https://HOST:PORT/sgx/certification/v4/platforms).";
    case 410:
        return "The PCCS is set to version 3 of Intel's service, which has ended: its uri must "
               "name v4.";
    case 413:
        return "The manifest is larger than the PCCS takes: raise its MaxRequestBodySize.";
    case 461:
        return "The PCCS does not know this server and may not ask Intel for it.";
    case 462:
        return "Intel has no certificates for the server's TCB: update BIOS and microcode.";
    case 502:
        return "The PCCS got no usable answer from Intel: look at its proxy, API key and log.";
    case 503:
        return "The PCCS cannot reach Intel, or is busy: try again later, with --send and the "
               "saved record.";
    default:
        break;
    }
    return status >= 300 && status < 400
               ? "A redirect is not followed, for the token's sake: give the URL it leads to."
           : status >= 500 ? "The PCCS failed: its log tells more under the Request-ID."
                           : "This is no answer that a PCCS gives to a registration.";
}

/* One POST; says what came back unless it was expected (another status than 0 never is). */
static enum upload_result
post(struct pccs_client *client, const struct pckid_settings *settings, struct span body,
     int expected, struct pckid_report *report)
{
    auto_cleanup(pccs_reply_done) struct pccs_reply reply = {.status = 0};
    auto_cleanup(buf_done) struct buf lines = BUF_INIT(EXPLANATION_BYTES_MAX);
    struct fault why = {.number = 0};
    const struct pccs_request request = {
        .method = PCCS_POST,
        .url = buf_text(&settings->endpoint),
        .user_token = buf_text(&settings->token),
        .body = body,
    };
    int rc = pccs_client_ask(client, &request, &reply, &why);
    report_set_value(report, "status", json_integer(reply.status));
    if (rc == 0 && (reply.status == expected || reply.status == 200)) {
        return UPLOAD_TAKEN;
    }
    (void)pccs_reply_explain(&request, &reply, rc != 0 ? &why : NULL, &lines);
    if (rc == 0) {
        buf_add_format(&lines, "  %s\n", upload_status_words(reply.status, buf_span(&reply.body)));
    }
    (void)report_fail(report, PCKID_NOT_TAKEN,
                      rc != 0               ? "the PCCS was not reached"
                      : reply.status == 401 ? "the PCCS does not accept the user token"
                                            : "the PCCS refused");
    report_explain(report, buf_text(&lines));
    bool is_wrong_path =
        reply.status == 404 && !span_starts_with(buf_span(&reply.body), "No cache");
    return rc != 0 || reply.status == 401 || is_wrong_path ? UPLOAD_STOPPED : UPLOAD_REFUSED;
}

bool
upload_probe(struct pccs_client *client, const struct pckid_settings *settings,
             struct pckid_report *report)
{
    return post(client, settings, span_of_text("{}"), 400, report) == UPLOAD_TAKEN;
}

enum upload_result
upload_send(struct pccs_client *client, const struct pckid_settings *settings,
            const struct pckid_record *record, struct pckid_report *report)
{
    auto_cleanup(buf_done) struct buf body = BUF_INIT(PCKID_CSV_LINE_MAX);
    if (pckid_record_add_json(record, &body) != 0) {
        (void)report_fail(report, PCKID_NOT_TAKEN, "no memory for the registration");
        return UPLOAD_STOPPED;
    }
    if (pckid_record_ppid_is_zero(record) && record->manifest.size == 0) {
        report_warn(report, "the encrypted PPID is all zero; a PCCS refuses that (404)");
    }
    return post(client, settings, buf_span(&body), 200, report);
}
