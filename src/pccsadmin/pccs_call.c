/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What get, put, refresh and status have in common: the administrator's token, a client with the
 * TLS trust of the command line, and what each status of a PCCS means to an administrator.
 * Takes the command line and requests; gives answers, or lines on standard error with the next
 * step. Called by the commands, on the main thread.
 * Must never send the token over a connection whose server is not verified, unless told so by
 * --no-pccs-cert-check; nor print it.
 */
#include "pccsadmin/pccs_call.h"

#include "base/mem.h"
#include "base/url.h"

/* A refresh of everything, or the proof of ten thousand platforms, takes its time. */
enum { EXPLAIN_BYTES_MAX = 16 * 1024, TIMEOUT_MS = 3600 * 1000 };

int
pccs_call_open(const struct arguments *args, bool with_token, struct pccs_call *ret_call)
{
    struct fault why;
    bool has_proxy = arguments_have(args, ADMIN_PROXY);
    struct pccs_client_options options = {
        .ca = args->values[ADMIN_CA],
        .is_unverified = arguments_have(args, ADMIN_NO_CHECK),
        .proxy = has_proxy ? PCCS_PROXY_GIVEN : PCCS_PROXY_ENVIRONMENT,
        .proxy_url = args->values[ADMIN_PROXY],
        .program = "pccsadmin",
        .timeout_ms = TIMEOUT_MS,
    };
    *ret_call = (struct pccs_call){.args = args, .token = secret_buf()};
    if (options.ca != NULL && options.is_unverified) {
        fault_set(&why, FAULT_INPUT, "usage", "--ca and --no-pccs-cert-check exclude each other");
        return say_usage(args, &why);
    }
    if (pccs_client_new(&options, &ret_call->client, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    if (with_token && secret_get(SECRET_ADMIN_TOKEN, &ret_call->token, &why) != 0) {
        return say_fault(&why);
    }
    return 0;
}

void
pccs_call_done(struct pccs_call *call)
{
    pccs_client_free(call->client);
    pccs_reply_done(&call->reply);
    buf_done_secret(&call->token);
    call->client = NULL;
}

int
pccs_call_ask(struct pccs_call *call, const struct pccs_request *request, struct fault *why)
{
    struct pccs_request with_token = *request;
    if (call->token.size > 0) {
        with_token.admin_token = buf_text(&call->token);
    }
    return pccs_client_ask(call->client, &with_token, &call->reply, why) == 0 ? call->reply.status
                                                                              : 0;
}

static const char *
meaning_of(int status)
{
    switch (status) {
    case 400:
        return "  The PCCS did not understand the request: see its reason above; the log of the "
               "PCCS has it\n  under the same Request-ID.\n";
    case 401:
        return "  Authentication failed: the PCCS knows only the SHA-512 of the administrator's "
               "token\n  (AdminTokenHash; pccsadmin hash-token makes it). Is PCCS_ADMIN_TOKEN the "
               "token of this PCCS?\n";
    case 404:
    case 405:
        return "  The PCCS has no such address: does the URL end as the API has it, for instance\n"
               "  " PCCS_DEFAULT_BASE "/platforms ?\n";
    case 413:
        return "  The file is larger than the PCCS takes: raise MaxRequestBodySize in its "
               "configuration\n  (2MB by default), or fetch and put the platforms in smaller "
               "lists.\n";
    case 460:
        return "  Something in the file is not what Intel signed. Nothing was stored. pccsadmin "
               "verify FILE\n  tells which item it is; fetch it anew.\n";
    case 500:
        return "  The PCCS failed: its log has the reason under the same Request-ID.\n";
    case 502:
    case 503:
        return "  The PCCS could not do it now: it is in OFFLINE mode, or Intel's service could "
               "not be\n  reached, or something could not be renewed. Its log and /metrics say "
               "what.\n";
    }
    return "";
}

void
pccs_call_explain(const struct pccs_call *call, const struct pccs_request *request,
                  const struct fault *why)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT(EXPLAIN_BYTES_MAX);
    int failed = pccs_reply_explain(request, &call->reply, why, &text);
    if (why != NULL && why->code == FAULT_CHAIN) {
        say_error("the PCCS's TLS certificate is not trusted");
    } else if (why != NULL) {
        say_error("the PCCS gave no answer");
    } else {
        say_error("the PCCS answered %d", call->reply.status);
    }
    if (failed == 0) {
        fputs(buf_text(&text), stderr);
    }
    if (why == NULL) {
        fputs(meaning_of(call->reply.status), stderr);
    }
    say_json(call->args,
             json_pack("{s:i, s:s}", "status", why == NULL ? call->reply.status : 0, "error",
                       why == NULL ? "the PCCS refused the request" : why->text));
}

bool
pccs_call_ask_ok(struct pccs_call *call, const struct pccs_request *request)
{
    struct fault why;
    int status = pccs_call_ask(call, request, &why);
    if (status != 200) {
        pccs_call_explain(call, request, status == 0 ? &why : NULL);
    }
    return status == 200;
}

static struct span
url_path(const char *url)
{
    size_t size = strcspn(url, "?");
    while (size > 0 && url[size - 1] == '/') {
        size--;
    }
    return span_of(url, size);
}

bool
pccs_url_ends_in(const char *url, const char *end)
{
    struct span path = url_path(url);
    size_t size = strlen(end);
    return path.size >= size && span_is(span_of(path.data + path.size - size, size), end);
}

int
pccs_url_add(struct buf *b, const char *url, const char *more)
{
    buf_add(b, url_path(url));
    return buf_add_text(b, more);
}
