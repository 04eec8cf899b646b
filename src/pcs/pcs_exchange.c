/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One HTTP exchange by libcurl: a request out, an answer in, nothing judged, nothing followed,
 * nothing tried again.
 *
 * Takes a request, the URL (which a redirect may have changed) and a deadline; fills a reply with
 * status, the headers that this room knows, and the body of a 200. Called by pcs_fetch.c on
 * workers; blocks, but not beyond the deadline nor the client's stop. Must never hold more than the
 * ceilings of head and body, ask for a compressed answer, or speak to an unverified TLS server.
 *
 * config.md (proxy, UpstreamCaFile); tools.md (proxies, loopback); pcs.md (TLS 1.2 or later).
 */
#include "pcs/pcs_priv.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/url.h"

enum {
    /* A host that swallows packets must not use up the time of all tries. */
    CONNECT_TIMEOUT_MS = 15000,
    /* Of an answer that is no 200 nobody reads the body; more than this and we hang up. */
    DROPPED_BYTES = 64 * 1024,
    POLL_MS = 1000,
};

static const char *const header_names[PCS_HEADER_COUNT] = {
    [PCS_HEADER_PCK_CHAIN] = "SGX-PCK-Certificate-Issuer-Chain",
    [PCS_HEADER_TCB_CHAIN] = "TCB-Info-Issuer-Chain",
    [PCS_HEADER_TCB_CHAIN_V3] = "SGX-TCB-Info-Issuer-Chain",
    [PCS_HEADER_IDENTITY_CHAIN] = "SGX-Enclave-Identity-Issuer-Chain",
    [PCS_HEADER_CRL_CHAIN] = "SGX-PCK-CRL-Issuer-Chain",
    [PCS_HEADER_EVALNUMBERS_CHAIN] = "TCB-Evaluation-Data-Numbers-Issuer-Chain",
    [PCS_HEADER_FMSPC] = "SGX-FMSPC",
    [PCS_HEADER_CA_TYPE] = "SGX-PCK-Certificate-CA-Type",
    [PCS_HEADER_REQUEST_ID] = "Request-ID",
    [PCS_HEADER_ERROR_CODE] = "Error-Code",
    [PCS_HEADER_RETRY_AFTER] = "Retry-After",
    [PCS_HEADER_CONTENT_ENCODING] = "Content-Encoding",
};

const char *
pcs_header_name(enum pcs_header header)
{
    return header_names[header];
}

static void
headers_clear(struct pcs_reply *reply)
{
    for (size_t i = 0; i < PCS_HEADER_COUNT; i++) {
        free(take(&reply->headers[i]));
    }
}

void
pcs_reply_done(struct pcs_reply *reply)
{
    headers_clear(reply);
    buf_done(&reply->body);
    free(take(&reply->redirect));
}

static struct span
trim(struct span text)
{
    while (text.size > 0 && strchr(" \t\r\n", text.data[0]) != NULL) {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]) != NULL) {
        text.size--;
    }
    return text;
}

/* The first of equal names counts. */
static void
header_keep(struct pcs_reply *reply, struct span name, struct span value)
{
    for (size_t i = 0; i < PCS_HEADER_COUNT; i++) {
        if (reply->headers[i] == NULL && span_is_nocase(name, header_names[i])) {
            reply->headers[i] = span_dup_text(trim(value));
            reply->is_out_of_memory |= reply->headers[i] == NULL;
        }
    }
}

/* libcurl hands in whole lines, status lines included; a new one begins a new answer (100, 200).
 * Anything but size makes libcurl give up. */
static size_t
on_header(char *data, size_t one, size_t size, void *self)
{
    struct pcs_reply *reply = self;
    struct span line = span_of(data, size);
    reply->head_size += size;
    if (reply->head_size > LIMIT_UPSTREAM_HEAD_BYTES) {
        reply->is_too_large = true;
        return 0;
    }
    if (span_starts_with(line, "HTTP/")) {
        headers_clear(reply);
        reply->has_whole_head = false;
        return size;
    }
    reply->has_whole_head |= trim(line).size == 0;
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon != NULL) {
        size_t name_size = (size_t)(colon - line.data);
        header_keep(reply, span_of(line.data, name_size),
                    span_of(colon + 1, line.size - name_size - 1));
    }
    return reply->is_out_of_memory ? 0 : size;
}

struct body_sink {
    struct pcs_reply *reply;
    CURL *easy;
};

static size_t
on_body(char *data, size_t one, size_t size, void *self)
{
    struct body_sink *sink = self;
    struct pcs_reply *reply = sink->reply;
    long status = 0;
    (void)pcs_curl.easy_getinfo(sink->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        reply->dropped_size += size;
        return reply->dropped_size <= DROPPED_BYTES ? size : 0;
    }
    int rc = buf_add(&reply->body, span_of(data, size));
    reply->is_too_large |= rc == FAULT_TOO_LARGE;
    reply->is_out_of_memory |= rc == FAULT_MEMORY;
    return rc == 0 ? size : 0;
}

/* UpstreamCaFile is added to the system's trust; it does not replace it. */
static CURLcode
on_ssl_ctx(CURL *easy, void *ssl_ctx, void *self)
{
    const struct pcs_client *client = self;
    X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
    for (size_t i = 0; i < client->ca_cert_count; i++) {
        if (X509_STORE_add_cert(store, client->ca_certs[i]) != 1) {
            return CURLE_OUT_OF_MEMORY;
        }
    }
    return CURLE_OK;
}

/* Loopback is never proxied, and plain HTTP is for loopback only. A proxy that was configured
 * always is used; without one libcurl reads https_proxy and no_proxy itself. */
static bool
set_proxy(const struct pcs_client *client, CURL *easy, const char *url)
{
    struct url_parts parts;
    if (url_split(span_of_text(url), &parts) != 0) {
        return false;
    }
    if (!parts.https || url_host_is_loopback(parts.host)) {
        return pcs_curl.easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    }
    if (client->proxy[0] == '\0') {
        return true;
    }
    return pcs_curl.easy_setopt(easy, CURLOPT_PROXY, client->proxy) == CURLE_OK &&
           pcs_curl.easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK;
}

static bool
set_security(const struct pcs_client *client, CURL *easy)
{
    bool ok = true;
#if LIBCURL_VERSION_NUM >= 0x075500
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
    ok &=
        pcs_curl.easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) == CURLE_OK;
#endif
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    if (client->ca_cert_count > 0) {
        ok &= pcs_curl.easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx) == CURLE_OK;
        ok &= pcs_curl.easy_setopt(easy, CURLOPT_SSL_CTX_DATA, (void *)client) == CURLE_OK;
    }
    return ok;
}

static bool
set_times(CURL *easy, int64_t remaining_ms)
{
    long connect_ms = remaining_ms < CONNECT_TIMEOUT_MS ? (long)remaining_ms : CONNECT_TIMEOUT_MS;
    bool ok = pcs_curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)remaining_ms) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075700
    /* a name server that does not answer must not hold up a stop */
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
#endif
    return ok;
}

static bool
set_callbacks(CURL *easy, struct body_sink *sink)
{
    bool ok = pcs_curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_HEADERDATA, sink->reply) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_WRITEDATA, sink) == CURLE_OK;
    ok &= pcs_curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, sink->reply->error) == CURLE_OK;
    return ok;
}

static bool
list_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = pcs_curl.slist_append(*list, line);
    if (longer == NULL) {
        return false;
    }
    *list = longer;
    return true;
}

/* *headers is the caller's to free after the exchange. */
static bool
set_request(const struct pcs_client *client, const struct pcs_request *request, CURL *easy,
            struct curl_slist **headers)
{
    bool ok = pcs_curl.easy_setopt(easy, CURLOPT_USERAGENT, "pccs/" PCCS_VERSION) == CURLE_OK;
    if (request->body.size > 0) {
        ok &= pcs_curl.easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
        ok &= pcs_curl.easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data) == CURLE_OK;
        ok &= pcs_curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                   (curl_off_t)request->body.size) == CURLE_OK;
        ok &= list_add(headers, "Content-Type: application/json");
        ok &= list_add(headers, "Expect:");
    }
    if (request->sends_key && client->api_key[0] != '\0') {
        auto_cleanup(buf_done_secret) struct buf line = BUF_INIT(LIMIT_HTTP_HEAD_BYTES);
        buf_add_format(&line, "Ocp-Apim-Subscription-Key: %s", client->api_key);
        ok &= line.failed == 0 && list_add(headers, buf_text(&line));
    }
    return ok && pcs_curl.easy_setopt(easy, CURLOPT_HTTPHEADER, *headers) == CURLE_OK;
}

/* Runs the transfer; the client's stop interrupts the wait. */
static CURLcode
handle_perform(struct pcs_client *client, struct pcs_handle handle)
{
    if (pcs_curl.multi_add_handle(handle.multi, handle.easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLMcode rc = CURLM_OK;
    int running = 1;
    bool is_stopping = false;
    while (rc == CURLM_OK && running > 0 && !is_stopping) {
        rc = pcs_curl.multi_perform(handle.multi, &running);
        if (rc == CURLM_OK && running > 0) {
            struct curl_waitfd stop = {.fd = client->stop_fd, .events = CURL_WAIT_POLLIN};
            rc = pcs_curl.multi_poll(handle.multi, &stop, 1, POLL_MS, NULL);
            is_stopping = atomic_load(&client->is_stopping);
        }
    }
    CURLcode code = is_stopping ? CURLE_ABORTED_BY_CALLBACK : CURLE_OUT_OF_MEMORY;
    int left = 0;
    for (CURLMsg *message = pcs_curl.multi_info_read(handle.multi, &left); message != NULL;
         message = pcs_curl.multi_info_read(handle.multi, &left)) {
        code = message->msg == CURLMSG_DONE ? message->data.result : code;
    }
    if (pcs_curl.multi_remove_handle(handle.multi, handle.easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    return code;
}

/* A single line above libcurl's own ceiling (100 KB) never reaches on_header, and comes back as if
 * memory had run out; but then bytes had arrived and the head had not ended. */
static bool
head_was_cut_short(const struct pcs_reply *reply, CURL *easy)
{
    curl_off_t first_byte_us = 0;
    (void)pcs_curl.easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    return first_byte_us > 0 && !reply->has_whole_head && !reply->is_out_of_memory;
}

static void
reply_finish(struct pcs_reply *reply, CURL *easy, CURLcode code)
{
    long status = 0;
    (void)pcs_curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    char *redirect = NULL;
    if (code == CURLE_OK &&
        pcs_curl.easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect) == CURLE_OK &&
        redirect != NULL) {
        reply->redirect = span_dup_text(span_of_text(redirect));
        reply->is_out_of_memory |= reply->redirect == NULL;
    }
    reply->status = (int)status;
    reply->code = code;
    if (code == CURLE_OK && !reply->has_whole_head) {
        /* libcurl takes a head that the connection's end cut off for a whole one */
        reply->code = CURLE_PARTIAL_FILE;
    }
    if (code == CURLE_OUT_OF_MEMORY && head_was_cut_short(reply, easy)) {
        reply->is_too_large = true;
    }
    if (code == CURLE_WRITE_ERROR && reply->dropped_size > DROPPED_BYTES) {
        /* we hung up on the body of an error: the answer is complete enough */
        reply->code = CURLE_OK;
    }
}

void
pcs_exchange(struct pcs_client *client, const struct pcs_request *request, const char *url,
             int64_t deadline_ms, struct pcs_reply *reply)
{
    pcs_reply_done(reply);
    *reply = (struct pcs_reply){.code = CURLE_OUT_OF_MEMORY, .body = BUF_INIT(request->body_max)};
    struct pcs_handle handle;
    if (!pcs_handle_take(client, &handle)) {
        return;
    }
    int64_t started_ms = clock_monotonic_ms(clock_system());
    int64_t remaining_ms = deadline_ms - started_ms;
    struct curl_slist *headers = NULL;
    struct body_sink sink = {.reply = reply, .easy = handle.easy};
    pcs_curl.easy_reset(handle.easy); /* keeps connections */
    if (atomic_load(&client->is_stopping)) {
        reply->code = CURLE_ABORTED_BY_CALLBACK;
    } else if (remaining_ms <= 0) {
        reply->code = CURLE_OPERATION_TIMEDOUT;
    } else if (pcs_curl.easy_setopt(handle.easy, CURLOPT_URL, url) == CURLE_OK &&
               set_request(client, request, handle.easy, &headers) &&
               set_security(client, handle.easy) && set_proxy(client, handle.easy, url) &&
               set_times(handle.easy, remaining_ms) && set_callbacks(handle.easy, &sink)) {
        reply_finish(reply, handle.easy, handle_perform(client, handle));
    }
    pcs_curl.easy_reset(handle.easy); /* forgets where the reply was */
    pcs_curl.slist_free_all(headers);
    pcs_handle_give(client, handle);
    if (client->options.on_exchange != NULL) {
        client->options.on_exchange(client->options.self, request->endpoint, reply->status,
                                    (long)(clock_monotonic_ms(clock_system()) - started_ms));
    }
}
