/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request to a PCCS, one answer, by libcurl.
 *
 * Takes a method, a URL, a token and perhaps a body; gives status, headers and body, or a fault
 * that says why no answer came. Called by the tools, on their only thread; blocks, at most for the
 * client's time. Must never follow a redirect with a token, try again by itself, show a token, or
 * speak plain HTTP beyond loopback unless told that nothing is to be verified.
 *
 * tools.md, All (proxies, loopback, errors).
 */
#include "pccs_client/pccs_client.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/url.h"
#include "pccs_client/pccs_client_priv.h"

enum {
    TIMEOUT_MS = 300000, /* the PCCS asks the PCS, several times, before it answers */
    CONNECT_TIMEOUT_MS = 15000,
    BODY_BYTES_MAX = 1024 * 1024,
};

const char *
pccs_method_word(enum pccs_method method)
{
    static const char *const words[] = {
        [PCCS_GET] = "GET", [PCCS_POST] = "POST", [PCCS_PUT] = "PUT"};
    return words[method];
}

/* ---- the client ---- */

static int
client_fill(struct pccs_client *client, const struct pccs_client_options *options,
            struct fault *why)
{
    const char *program = options->program != NULL ? options->program : "pccs";
    auto_cleanup(buf_done) struct buf agent = BUF_INIT(256);
    buf_add_format(&agent, "%s/" PCCS_VERSION, program);
    client->user_agent = buf_take(&agent, NULL);
    client->easy = curl_easy_init();
    client->is_unverified = options->is_unverified;
    client->proxy = options->proxy;
    client->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    if (options->proxy == PCCS_PROXY_GIVEN) {
        if (options->proxy_url == NULL || options->proxy_url[0] == '\0') {
            return fault_set(why, FAULT_CONFIG, "proxy", "a proxy is wanted, but no URL is given");
        }
        client->proxy_url = span_dup_text(span_of_text(options->proxy_url));
    }
    if (client->easy == NULL || client->user_agent == NULL ||
        (options->proxy == PCCS_PROXY_GIVEN && client->proxy_url == NULL)) {
        return fault_set(why, FAULT_MEMORY, "client", "no memory for a client");
    }
    return pccs_trust_choose(client, options->ca, why);
}

int
pccs_client_new(const struct pccs_client_options *options, struct pccs_client **ret_client,
                struct fault *why)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fault_set(why, FAULT_INTERNAL, "client", "libcurl cannot be initialised");
    }
    struct pccs_client *client = calloc(1, sizeof *client);
    int rc = client != NULL ? client_fill(client, options, why)
                            : fault_set(why, FAULT_MEMORY, "client", "no memory for a client");
    if (rc != 0) {
        pccs_client_free(client);
        return rc;
    }
    *ret_client = client;
    return 0;
}

void
pccs_client_free(struct pccs_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->easy != NULL) {
        curl_easy_cleanup(client->easy);
    }
    free(client->ca);
    free(client->proxy_url);
    free(client->user_agent);
    free(client);
}

/* ---- what comes in ---- */

void
pccs_reply_done(struct pccs_reply *reply)
{
    buf_done(&reply->body);
    buf_done(&reply->head);
    *reply = (struct pccs_reply){.status = 0};
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

bool
pccs_reply_header(const struct pccs_reply *reply, const char *name, struct span *ret_value)
{
    struct span rest = buf_span(&reply->head);
    while (rest.size > 0) {
        const char *line = (const char *)rest.data;
        size_t size = strnlen(line, rest.size);
        const char *colon = memchr(line, ':', size);
        size_t used = size < rest.size ? size + 1 : size;
        rest = span_of(rest.data + used, rest.size - used);
        if (colon != NULL && span_is_nocase(span_of(line, (size_t)(colon - line)), name)) {
            *ret_value = trim(span_of(colon + 1, size - (size_t)(colon - line) - 1));
            return true;
        }
    }
    return false;
}

/* libcurl hands in whole lines; a status line begins a new answer (100, then 200). */
static size_t
on_header(char *data, size_t one, size_t size, void *self)
{
    struct pccs_reply *reply = self;
    struct span line = span_of(data, size);
    if (span_starts_with(line, "HTTP/")) {
        buf_clear(&reply->head);
    }
    buf_add(&reply->head, trim(line));
    buf_add_byte(&reply->head, '\0');
    return reply->head.failed == 0 ? size : 0;
}

static size_t
on_body(char *data, size_t one, size_t size, void *self)
{
    struct pccs_reply *reply = self;
    return buf_add(&reply->body, span_of(data, size)) == 0 ? size : 0;
}

/* ---- what goes out ---- */

static bool
list_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    *list = longer != NULL ? longer : *list;
    return longer != NULL;
}

/* A token must bring no lines of its own. */
static int
list_add_token(struct curl_slist **list, const char *name, const char *token, struct fault *why)
{
    if (token == NULL) {
        return 0;
    }
    for (const char *c = token; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return fault_set(why, FAULT_CONFIG, "token", "the %s holds a control character", name);
        }
    }
    auto_cleanup(buf_done_secret) struct buf line = BUF_INIT(LIMIT_HTTP_HEAD_BYTES);
    buf_reserve(&line, strlen(name) + strlen(token) + 3);
    /* a semicolon is libcurl's word for a header without a value */
    buf_add_format(&line, token[0] != '\0' ? "%s: %s" : "%s;%s", name, token);
    if (line.failed == FAULT_TOO_LARGE) {
        return fault_set(why, FAULT_CONFIG, "token", "the %s is longer than %d bytes", name,
                         LIMIT_HTTP_HEAD_BYTES);
    }
    return line.failed == 0 && list_add(list, buf_text(&line))
               ? 0
               : fault_set(why, FAULT_MEMORY, "token", "no memory");
}

static int
url_check(const struct pccs_client *client, const char *url, struct fault *why)
{
    struct url_parts parts;
    if (strlen(url) > LIMIT_URL_CHARS || url_split(span_of_text(url), &parts) != 0) {
        return fault_set(why, FAULT_CONFIG, "url",
                         "%s is not of the form https://HOST[:PORT][/PATH]", url);
    }
    if (!parts.https && !client->is_unverified && !url_host_is_loopback(parts.host)) {
        return fault_set(why, FAULT_CONFIG, "url",
                         "http:// would send the token readable for all; use https://");
    }
    return 0;
}

/* tools.md: the environment's proxies never for loopback; a given one always. */
static bool
set_proxy(struct pccs_client *client, const char *url)
{
    struct url_parts parts;
    bool is_loopback =
        url_split(span_of_text(url), &parts) == 0 && url_host_is_loopback(parts.host);
    switch (client->proxy) {
    case PCCS_PROXY_GIVEN:
        return curl_easy_setopt(client->easy, CURLOPT_PROXY, client->proxy_url) == CURLE_OK &&
               curl_easy_setopt(client->easy, CURLOPT_NOPROXY, "") == CURLE_OK;
    case PCCS_PROXY_DIRECT:
        return curl_easy_setopt(client->easy, CURLOPT_PROXY, "") == CURLE_OK;
    case PCCS_PROXY_ENVIRONMENT:
        break;
    }
    return !is_loopback || curl_easy_setopt(client->easy, CURLOPT_PROXY, "") == CURLE_OK;
}

static bool
set_transfer(struct pccs_client *client, struct pccs_reply *reply, char *error)
{
    CURL *easy = client->easy;
    bool ok = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) == CURLE_OK;
#endif
    ok &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, client->timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, reply) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error) == CURLE_OK;
    return ok;
}

static bool
set_body(struct pccs_client *client, const struct pccs_request *request,
         struct curl_slist **headers)
{
    CURL *easy = client->easy;
    bool ok = list_add(headers, "Expect:");
    if (request->method == PCCS_GET) {
        return ok && curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    ok &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, pccs_method_word(request->method)) ==
          CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                           request->body.size > 0 ? (const char *)request->body.data : "") ==
          CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size) ==
          CURLE_OK;
    ok &= list_add(headers,
                   request->body.size > 0 ? "Content-Type: application/json" : "Content-Type:");
    return ok;
}

/* ---- the exchange ---- */

static enum fault_code
code_of(CURLcode code, const struct pccs_reply *reply)
{
    if (reply->body.failed == FAULT_MEMORY || reply->head.failed == FAULT_MEMORY) {
        return FAULT_MEMORY;
    }
    if (reply->body.failed != 0 || reply->head.failed != 0) {
        return FAULT_TOO_LARGE;
    }
    int number = (int)code; /* only a few of its many values mean something here */
    switch (number) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return FAULT_CHAIN;
    case CURLE_OPERATION_TIMEDOUT:
        return FAULT_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return FAULT_MEMORY;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return FAULT_CONFIG;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
        return FAULT_UPSTREAM_ODD;
    }
    return FAULT_UPSTREAM_DOWN;
}

static int
reply_finish(struct pccs_client *client, struct pccs_reply *reply, CURLcode code, const char *error,
             struct fault *why)
{
    long status = 0;
    (void)curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    reply->status = code == CURLE_OK ? (int)status : 0;
    if (code == CURLE_OK && status > 0) {
        return 0;
    }
    if (code == CURLE_OK) {
        return fault_set(why, FAULT_UPSTREAM_ODD, "http", "what came back is no HTTP answer");
    }
    enum fault_code fault = code_of(code, reply);
    reply->is_misnamed = fault == FAULT_CHAIN && !reply->is_untrusted && reply->tls_subject[0] != 0;
    if (fault == FAULT_TOO_LARGE) {
        return fault_set(why, fault, "http", "the answer is larger than %zu bytes",
                         reply->body.size_max);
    }
    return fault_set_number(why, fault, fault == FAULT_CHAIN ? "tls" : "network", (long)code, "%s",
                            error[0] != '\0' ? error : curl_easy_strerror(code));
}

int
pccs_client_ask(struct pccs_client *client, const struct pccs_request *request,
                struct pccs_reply *reply, struct fault *why)
{
    pccs_reply_done(reply);
    reply->body = BUF_INIT(request->body_max > 0 ? request->body_max : (size_t)BODY_BYTES_MAX);
    reply->head = BUF_INIT(LIMIT_UPSTREAM_HEAD_BYTES);
    struct curl_slist *headers = NULL;
    char error[CURL_ERROR_SIZE] = "";
    int rc = url_check(client, request->url, why);
    rc = rc != 0 ? rc : list_add_token(&headers, "user-token", request->user_token, why);
    rc = rc != 0 ? rc : list_add_token(&headers, "admin-token", request->admin_token, why);
    curl_easy_reset(client->easy); /* keeps the connection */
    if (rc == 0 && !(curl_easy_setopt(client->easy, CURLOPT_URL, request->url) == CURLE_OK &&
                     set_transfer(client, reply, error) && set_proxy(client, request->url) &&
                     pccs_trust_set(client, reply) && set_body(client, request, &headers) &&
                     curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK)) {
        rc = fault_set(why, FAULT_MEMORY, "client", "libcurl does not take the request");
    }
    if (rc == 0) {
        rc = reply_finish(client, reply, curl_easy_perform(client->easy), error, why);
    }
    curl_easy_reset(client->easy); /* forgets where reply, error and headers were */
    curl_slist_free_all(headers);
    return rc;
}
