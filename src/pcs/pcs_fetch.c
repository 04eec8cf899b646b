/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks the PCS for an item, and asks again where that may help.
 *
 * Step 4 of 8: fetch.
 *
 * Takes the key of an item; gives the raw reply, of which nothing is proven, or a fault that says
 * whether trying later helps (down), an operator must act (refused), the answer cannot be used
 * (odd), or nobody has the item. Called by fill_run on workers; blocks up to the configured time.
 * Must never follow a redirect to another host, nor put the API key or an encrypted PPID into a
 * text.
 *
 * api.md, When upstream fails; wire_details.md 16; pcs.md.
 */
#include "pcs/pcs_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/mem.h"

enum {
    DOUBLINGS_MAX = 10,
    RETRY_AFTER_MAX_S = 7 * 86400, /* what is longer is as good as never */
};

/* ---- what an answer means ---- */

/* The chain that an answer of this kind needs; PCS_HEADER_COUNT: none. Under version 3 TCB infos
 * have a name of their own; either is taken, for a peer PCCS may be the upstream. */
static enum pcs_header
chain_header(enum item_kind kind, const struct pcs_reply *reply)
{
    switch (kind) {
    case ITEM_TCBINFO:
        return reply->headers[PCS_HEADER_TCB_CHAIN] != NULL ? PCS_HEADER_TCB_CHAIN
                                                            : PCS_HEADER_TCB_CHAIN_V3;
    case ITEM_IDENTITY:
        return PCS_HEADER_IDENTITY_CHAIN;
    case ITEM_PCK_CRL:
        return PCS_HEADER_CRL_CHAIN;
    case ITEM_PCK:
        return PCS_HEADER_PCK_CHAIN;
    case ITEM_EVALNUMBERS:
        return PCS_HEADER_EVALNUMBERS_CHAIN;
    case ITEM_CRL: /* has one if the URL is the PCS's own pckcrl */
        return reply->headers[PCS_HEADER_CRL_CHAIN] != NULL ? PCS_HEADER_CRL_CHAIN
                                                            : PCS_HEADER_COUNT;
    case ITEM_ROOT_CRL:
    case ITEM_FMSPCS:
    case ITEM_POLICIES:
        break;
    }
    return PCS_HEADER_COUNT;
}

static int
odd(const struct pcs_request *request, const struct pcs_reply *reply, const char *what,
    struct fault *why)
{
    const char *id = reply->headers[PCS_HEADER_REQUEST_ID];
    return fault_set_number(why, FAULT_UPSTREAM_ODD, "upstream", reply->status,
                            "PCS answered HTTP %d, %s, Request-ID %.64s: %s", reply->status, what,
                            id != NULL ? id : "none", buf_text(&request->shown));
}

static int
missing(const struct pcs_request *request, const struct pcs_reply *reply, enum pcs_header header,
        struct fault *why)
{
    char what[80];
    snprintf(what, sizeof what, "header %s missing or odd", pcs_header_name(header));
    return odd(request, reply, what, why);
}

/* A 200 is an answer only if all is there that its endpoint has. */
static int
judge_200(const struct pcs_request *request, const struct pcs_reply *reply, struct fault *why)
{
    const char *encoding = reply->headers[PCS_HEADER_CONTENT_ENCODING];
    if (encoding != NULL && !span_is_nocase(span_of_text(encoding), "identity")) {
        return odd(request, reply, "a Content-Encoding that was not asked for", why);
    }
    if (reply->body.size == 0) {
        return odd(request, reply, "an empty body", why);
    }
    enum pcs_header chain = chain_header(request->kind, reply);
    if (chain != PCS_HEADER_COUNT &&
        (reply->headers[chain] == NULL || reply->headers[chain][0] == '\0')) {
        return missing(request, reply, chain, why);
    }
    if (request->kind != ITEM_PCK) {
        return 0;
    }
    const char *fmspc = reply->headers[PCS_HEADER_FMSPC];
    if (fmspc == NULL || !hex_is_sized(span_of_text(fmspc), 12)) {
        return missing(request, reply, PCS_HEADER_FMSPC, why);
    }
    enum pck_ca ca;
    if (!pck_ca_parse(span_of_text(reply->headers[PCS_HEADER_CA_TYPE]), &ca)) {
        return missing(request, reply, PCS_HEADER_CA_TYPE, why);
    }
    return 0;
}

static enum fault_code
code_of_status(int status)
{
    if (status == 404 || status == 410) {
        return FAULT_NOT_FOUND;
    }
    if (status == 400 || status == 401 || status == 403) {
        return FAULT_UPSTREAM_REFUSED;
    }
    return status == 429 || status >= 500 ? FAULT_UPSTREAM_DOWN : FAULT_UPSTREAM_ODD;
}

static int
judge_status(const struct pcs_request *request, const struct pcs_reply *reply, struct fault *why)
{
    if (reply->status == 200) {
        return judge_200(request, reply, why);
    }
    const char *code = reply->headers[PCS_HEADER_ERROR_CODE];
    const char *id = reply->headers[PCS_HEADER_REQUEST_ID];
    return fault_set_number(why, code_of_status(reply->status), "upstream", reply->status,
                            "PCS answered HTTP %d, Error-Code %.40s, Request-ID %.64s: %s",
                            reply->status, code != NULL ? code : "none", id != NULL ? id : "none",
                            buf_text(&request->shown));
}

/* Bytes that are no HTTP: trying again would not make them so. */
static bool
code_is_odd(CURLcode code)
{
    return code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
           code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_HTTP2;
}

/* libcurl's own words help with TLS; elsewhere they may repeat a proxy's user and password. */
static const char *
words_of(const struct pcs_reply *reply)
{
    bool is_tls =
        reply->code == CURLE_PEER_FAILED_VERIFICATION || reply->code == CURLE_SSL_CONNECT_ERROR;
    return is_tls && reply->error[0] != '\0' ? reply->error : pcs_curl.easy_strerror(reply->code);
}

/* CURLE_TOO_LARGE, which libcurl has since 8.6.0: a head above libcurl's own ceiling. */
enum { CURL_CODE_TOO_LARGE = 100 };

/* 0: an answer with all it needs. */
static int
judge(const struct pcs_request *request, const struct pcs_reply *reply, struct fault *why)
{
    const char *shown = buf_text(&request->shown);
    if (reply->code == CURLE_ABORTED_BY_CALLBACK) {
        return fault_set(why, FAULT_UPSTREAM_DOWN, "upstream", "the service is stopping: %s",
                         shown);
    }
    if (reply->is_too_large || (int)reply->code == CURL_CODE_TOO_LARGE) {
        return odd(request, reply, "more than the ceiling of its head or body", why);
    }
    if (reply->is_out_of_memory || reply->code == CURLE_OUT_OF_MEMORY) {
        return fault_set(why, FAULT_MEMORY, "upstream", "no memory for the answer to %s", shown);
    }
    if (reply->code == CURLE_OK) {
        return judge_status(request, reply, why);
    }
    int rc = code_is_odd(reply->code) ? FAULT_UPSTREAM_ODD : FAULT_UPSTREAM_DOWN;
    return fault_set_number(why, rc, "upstream", -(long)reply->code, "%.100s: %s", words_of(reply),
                            shown);
}

/* Down, and another try may find it up: not where a certificate is not trusted. */
static bool
is_worth_a_retry(const struct pcs_reply *reply)
{
    return reply->code != CURLE_PEER_FAILED_VERIFICATION &&
           reply->code != CURLE_SSL_CACERT_BADFILE && reply->code != CURLE_URL_MALFORMAT;
}

/* ---- tries ---- */

static bool
is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* One try: an exchange, and up to three more where the same host sends us on. */
static int
try_once(struct pcs_client *client, const struct pcs_request *request, int64_t deadline_ms,
         struct pcs_reply *reply, struct fault *why)
{
    auto_free char *next = NULL;
    const char *url = buf_text(&request->url);
    for (int hops = 0;; hops++) {
        pcs_exchange(client, request, url, deadline_ms, reply);
        if (reply->code != CURLE_OK || !is_redirect(reply->status)) {
            return judge(request, reply, why);
        }
        if (hops == LIMIT_UPSTREAM_REDIRECTS) {
            return odd(request, reply, "a fourth redirect", why);
        }
        if (reply->redirect == NULL || !pcs_same_origin(url, reply->redirect)) {
            return odd(request, reply, "a redirect away from the host", why);
        }
        if (reply->status == 303 && request->body.size > 0) {
            return odd(request, reply, "a redirect that drops the request's body", why);
        }
        free(next);
        next = take(&reply->redirect);
        url = next;
    }
}

/* Seconds, or a date (RFC 9110, 10.2.3); 0 if absent or neither. */
static int
retry_after_s(const struct pcs_reply *reply)
{
    const char *text = reply->headers[PCS_HEADER_RETRY_AFTER];
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    int64_t seconds = 0;
    size_t digits = strspn(text, "0123456789");
    if (text[digits] == '\0') {
        seconds = digits <= 9 ? strtoll(text, NULL, 10) : RETRY_AFTER_MAX_S;
    } else {
        time_t date = pcs_curl.getdate(text, NULL);
        seconds = date > 0 ? (int64_t)date - clock_now(clock_system()) : 0;
    }
    if (seconds < 0) {
        return 0;
    }
    return seconds < RETRY_AFTER_MAX_S ? (int)seconds : RETRY_AFTER_MAX_S;
}

/* 1, 2, 4 ... times the first wait and up to a quarter more, so that many that fail together do not
 * come back together; never sooner than we were asked to. */
static int64_t
wait_ms(const struct pcs_client *client, unsigned tries, int retry_after)
{
    unsigned doublings = tries < DOUBLINGS_MAX ? tries : DOUBLINGS_MAX;
    int64_t wait = (int64_t)client->options.first_wait_ms << doublings;
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
        random = 0; /* no spread is better than no retry */
    }
    int64_t asked = (int64_t)retry_after * 1000;
    wait = asked > wait ? asked : wait;
    int64_t spread = (int64_t)client->options.first_wait_ms << doublings;
    return wait + spread / 4 * (int64_t)(random % 1024) / 1024;
}

/* why is what the last try says; a success leaves it alone. */
static int
try_until(struct pcs_client *client, const struct pcs_request *request, struct pcs_reply *reply,
          int *ret_retry_after_s, struct fault *why)
{
    int64_t deadline_ms =
        clock_monotonic_ms(clock_system()) + (int64_t)client->options.timeout_s * 1000;
    for (unsigned tries = 0;; tries++) {
        struct fault try_why = {0};
        int rc = try_once(client, request, deadline_ms, reply, &try_why);
        int asked_s = rc == FAULT_UPSTREAM_DOWN ? retry_after_s(reply) : 0;
        bool is_last = rc != FAULT_UPSTREAM_DOWN || tries == client->options.retries ||
                       !is_worth_a_retry(reply);
        if (!is_last) {
            int64_t wait = wait_ms(client, tries, asked_s);
            is_last = clock_monotonic_ms(clock_system()) + wait >= deadline_ms ||
                      !pcs_client_wait(client, wait);
        }
        if (is_last) {
            *ret_retry_after_s = asked_s;
            if (rc != 0 && why != NULL) {
                *why = try_why;
            }
            return rc;
        }
    }
}

/* ---- the reply ---- */

/* A peer PCCS gives CRLs as hex of the DER where the PCS gives DER. A CRL's DER begins with the
 * bytes 30 82 or 30 81, and those are no two hex digits. */
static int
crl_unhex(struct buf *body)
{
    struct span text = buf_span(body);
    while (text.size > 0 &&
           (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r')) {
        text.size--;
    }
    if (!span_starts_with(text, "30") || text.size % 2 != 0 || !hex_is(text)) {
        return 0;
    }
    struct buf der = BUF_INIT(body->size_max);
    int rc = hex_add_decoded(&der, text);
    if (rc == 0) {
        buf_done(body);
        *body = der;
    }
    return rc;
}

static void
copy_header(const struct pcs_reply *reply, enum pcs_header header, char *out, size_t out_size)
{
    const char *value = reply->headers[header];
    if (value == NULL || !span_to_text(span_of_text(value), out, out_size)) {
        out[0] = '\0';
    }
}

static int
reply_accept(const struct pcs_request *request, struct pcs_reply *reply, struct raw_reply *ret_raw,
             struct fault *why)
{
    struct raw_reply raw;
    raw_reply_init(&raw);
    buf_done(&raw.body);
    raw.body = reply->body;
    reply->body = (struct buf){0};
    enum pcs_header chain = chain_header(request->kind, reply);
    if (chain != PCS_HEADER_COUNT) {
        raw.issuer_chain = take(&reply->headers[chain]);
    }
    if (request->kind == ITEM_PCK) {
        copy_header(reply, PCS_HEADER_FMSPC, raw.fmspc, sizeof raw.fmspc);
        copy_header(reply, PCS_HEADER_CA_TYPE, raw.ca, sizeof raw.ca);
    }
    raw.upstream_status = reply->status;
    copy_header(reply, PCS_HEADER_REQUEST_ID, raw.upstream_request_id,
                sizeof raw.upstream_request_id);
    bool is_crl = request->kind == ITEM_PCK_CRL || request->kind == ITEM_ROOT_CRL ||
                  request->kind == ITEM_CRL;
    if (is_crl && crl_unhex(&raw.body) != 0) {
        raw_reply_done(&raw);
        return fault_set(why, FAULT_MEMORY, "upstream", "no memory for the answer to %s",
                         buf_text(&request->shown));
    }
    *ret_raw = raw;
    return 0;
}

int
pcs_fetch(struct upstream *self, const struct upstream_query *query, struct raw_reply *ret_raw,
          int *ret_retry_after_s, struct fault *why)
{
    struct pcs_client *client = (struct pcs_client *)self;
    auto_cleanup(pcs_request_done) struct pcs_request request = {0};
    auto_cleanup(pcs_reply_done) struct pcs_reply reply = {0};
    int retry_after = 0;
    int rc = pcs_request_build(client, query, &request, why);
    rc = rc != 0 ? rc : pcs_curl_load(why);
    rc = rc != 0 ? rc : try_until(client, &request, &reply, &retry_after, why);
    *ret_retry_after_s = retry_after;
    return rc != 0 ? rc : reply_accept(&request, &reply, ret_raw, why);
}
