/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step 8 of 8: answer. serve_request is the sentence of the whole service as one function:
 * validate, look up, else wait for fetch, verify, store and publish; answer.
 * Takes complete requests from the HTTP server; gives it finished responses, at once from memory or
 * later from whatever thread finished the flight.
 * on_head, on_request and on_too_large run on the server's loops; wait_done on any thread.
 * Must never block, read a body that the route or its token does not allow, or answer twice.
 * api.md: Transport, Authentication; order of checks: route, token, ceiling, headers of the body,
 * parameters, body.
 */
#include "pccsd/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "metrics/metrics.h"
#include "pccsd/access_log.h"
#include "pccsd/daemon.h"
#include "pccsd/pages.h"

enum { CEILING_LABEL = METRIC_LABEL1_MAX - 1 }; /* the cache counts its ceilings from 0 upwards */

/* One request on its way to its answer. On the stack while it is answered at once. */
struct serving {
    struct daemon *daemon;
    struct http_ticket ticket;
    struct exchange exchange;
    struct route_match match;
    bool is_v3;
    struct span if_none_match;
};

/* A request that waits: the ask that the cache keeps, and what its answer needs. */
struct waiting {
    struct ask ask; /* the first member: the cache hands back its address */
    struct serving serving;
    uint8_t if_none_match[]; /* the header outlives its request here */
};

static const char *
method_word(enum http_method method)
{
    static const char *const words[] = {
        [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",     [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
        [HTTP_PATCH] = "PATCH", [HTTP_OTHER] = "OTHER",
    };
    return words[method];
}

/* ---- what each request starts with ---- */

static bool
request_id_is_fine(struct span id)
{
    if (id.size < 1 || id.size > LIMIT_REQUEST_ID_CHARS) {
        return false;
    }
    for (size_t i = 0; i < id.size; i++) {
        uint8_t c = id.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-') {
            return false;
        }
    }
    return true;
}

/* The low halves of eight bytes as hex digits, all at once. */
static void
put_digits(uint64_t halves, char out[8])
{
    const uint64_t each = 0x0101010101010101U;
    halves &= 0x0f * each;
    uint64_t above_nine = ((halves + 6 * each) >> 4) & each;
    uint64_t digits = halves + '0' * each + above_nine * ('a' - '0' - 10);
    memcpy(out, &digits, sizeof digits);
}

/* 32 hex digits. The system is asked for random bytes once in sixteen requests. */
static void
request_id_make(char out[LIMIT_REQUEST_ID_CHARS + 1])
{
    static _Thread_local uint64_t pool[32];
    static _Thread_local size_t left;
    if (left == 0) {
        /* up to 256 bytes come whole and at once once the system is seeded (getrandom(2)) */
        must(getrandom(pool, sizeof pool, 0) == (ssize_t)sizeof pool);
        left = ARRAY_COUNT(pool);
    }
    for (size_t at = 0; at < 32; at += 16) {
        uint64_t random = pool[--left];
        put_digits(random, out + at);
        put_digits(random >> 4, out + at + 8);
    }
    out[32] = '\0';
}

static bool
path_is_v3(struct span path)
{
    static const char prefix[] = "/sgx/certification/v3";
    enum { PREFIX_SIZE = sizeof prefix - 1 };
    /* the digit first: it tells most paths apart */
    return path.size >= PREFIX_SIZE && path.data[PREFIX_SIZE - 1] == '3' &&
           span_is_nocase(span_of(path.data, PREFIX_SIZE), prefix) &&
           (path.size == PREFIX_SIZE || path.data[PREFIX_SIZE] == '/');
}

/* The path as the log shows it, cut to what fits. */
static void
exchange_set_path(struct exchange *exchange, struct span path)
{
    size_t size = path.size < EXCHANGE_PATH_SIZE - 1 ? path.size : EXCHANGE_PATH_SIZE - 1;
    /* visible ASCII, or it would be no request */
    must(span_to_text(span_of(path.data, size), exchange->path, sizeof exchange->path));
}

/* In place, and its texts not zeroed before they are filled: it is made for every hit. */
static void
serving_begin(struct serving *serving, struct daemon *daemon, struct http_ticket ticket,
              const struct http_request *http)
{
    serving->daemon = daemon;
    serving->ticket = ticket;
    serving->match = (struct route_match){0};
    serving->is_v3 = path_is_v3(http->path);
    serving->if_none_match = span_of(NULL, 0);
    struct exchange *exchange = &serving->exchange;
    exchange->started_us = http->arrived_us;
    exchange->method = method_word(http->method);
    exchange->route = ROUTE_COUNT;
    exchange_set_path(exchange, http->path);
    memcpy(exchange->peer, http->peer, sizeof exchange->peer);
    struct span id;
    if (header_find(http->headers, http->header_count, "Request-ID", &id) &&
        request_id_is_fine(id)) {
        span_to_text(id, exchange->request_id, sizeof exchange->request_id);
    } else {
        request_id_make(exchange->request_id);
    }
    header_find(http->headers, http->header_count, "If-None-Match", &serving->if_none_match);
}

/* ---- step 2: validate ---- */

static bool
route_is_collateral_get(enum route route)
{
    switch (route) {
    case ROUTE_PCKCERT:
    case ROUTE_PCKCRL:
    case ROUTE_SGX_TCB:
    case ROUTE_TDX_TCB:
    case ROUTE_QE_IDENTITY:
    case ROUTE_QVE_IDENTITY:
    case ROUTE_TDQE_IDENTITY:
    case ROUTE_QAE_IDENTITY:
    case ROUTE_ROOTCACRL:
    case ROUTE_CRL:
    case ROUTE_SGX_EVALNUMBERS:
    case ROUTE_TDX_EVALNUMBERS:
    case ROUTE_FMSPCS:
    case ROUTE_POLICY_GET:
        return true;
    case ROUTE_PLATFORMS_POST:
    case ROUTE_PLATFORMS_GET:
    case ROUTE_PLATFORMS_ACK:
    case ROUTE_COLLATERAL_PUT:
    case ROUTE_REFRESH:
    case ROUTE_POLICY_PUT:
    case ROUTE_HEALTH_LIVE:
    case ROUTE_HEALTH_READY:
    case ROUTE_HEALTH_STARTUP:
    case ROUTE_METRICS:
    case ROUTE_DASHBOARD:
    case ROUTE_COUNT:
        return false;
    }
    return false;
}

static int
check_token(struct daemon *daemon, enum route_auth auth, const struct http_request *http,
            struct fault *why)
{
    if (auth == ROUTE_AUTH_NONE) {
        return 0;
    }
    bool user = auth == ROUTE_AUTH_USER;
    enum token_kind kind = user ? TOKEN_USER : TOKEN_ADMIN;
    const char *name = user ? "user-token" : "admin-token";
    struct span token;
    if (!tokens_have(&daemon->tokens, kind)) {
        return fault_set(why, FAULT_AUTH, "auth", "no hash for %s is configured", name);
    }
    if (!header_find(http->headers, http->header_count, name, &token)) {
        return fault_set(why, FAULT_AUTH, "auth", "the header %s is missing", name);
    }
    if (!tokens_accept(&daemon->tokens, kind, token)) {
        return fault_set(why, FAULT_AUTH, "auth", "the value of %s is wrong", name);
    }
    return 0;
}

/* Route and token: all that is judged before a body byte is read. A token that is wanted for every
 * method of a path is judged before the method is. */
static int
admit(struct daemon *daemon, const struct http_request *http, struct route_match *ret_match,
      struct fault *why)
{
    int failed =
        route_find(http->method_text, http->path, daemon->config.upstream_version, ret_match);
    if (failed == FAULT_NO_ROUTE) {
        return fault_set(why, FAULT_NO_ROUTE, "route", "no such path");
    }
    int refused = check_token(daemon, ret_match->auth, http, why);
    if (refused != 0) {
        return refused;
    }
    if (failed == FAULT_METHOD) {
        return fault_set(why, FAULT_METHOD, "route", "%s is not a method of this path",
                         method_word(http->method));
    }
    return failed;
}

static int
check_rate(const struct serving *serving, const struct http_request *http, struct fault *why)
{
    struct daemon *daemon = serving->daemon;
    if (daemon->client_rate == NULL || page_is_health(serving->match.route) ||
        client_rate_allows(daemon->client_rate, http->peer, clock_monotonic_ms(daemon->clock))) {
        return 0;
    }
    metric_add(METRIC_CEILINGS, CEILING_LABEL, 0, 1);
    return fault_set(why, FAULT_BUSY, "ceiling",
                     "more than RequestsPerSecond (%d) from one address",
                     daemon->config.requests_per_second);
}

static int
serve_validate(struct serving *serving, const struct http_request *http,
               struct request *ret_request, struct fault *why)
{
    int failed = admit(serving->daemon, http, &serving->match, why);
    if (failed != FAULT_NO_ROUTE) {
        serving->exchange.route = serving->match.route;
    }
    if (failed == 0) {
        failed = check_rate(serving, http, why);
    }
    if (failed == 0 && serving->match.takes_body) {
        failed = request_check_body_headers(http->headers, http->header_count, why);
    }
    if (failed == 0) {
        failed =
            request_parse(&serving->match, http->query, &serving->daemon->policy, ret_request, why);
    }
    return failed;
}

/* ---- step 8: answer ---- */

/* Appends one header line if it fits whole. */
static size_t
extra_append(char *extra, size_t used, const char *name, const char *value)
{
    int size = snprintf(extra + used, RESPONSE_EXTRA_SIZE - used, "%s: %s\r\n", name, value);
    return size > 0 && (size_t)size < RESPONSE_EXTRA_SIZE - used ? used + (size_t)size : used;
}

/* Memory ran out before there was a response: the one answer that needs none. */
static struct http_answer
answer_without_memory(void)
{
    return (struct http_answer){
        .status = 500,
        .head_extra = span_of_text("Content-Type: text/plain; charset=utf-8\r\n"),
        .body = span_of_text("Internal server error occurred."),
        .close = true,
    };
}

typedef void deliver_fn(struct http_server *server, struct http_ticket ticket,
                        const struct http_answer *answer);

/* Takes over the reference to response, which may be NULL if memory ran out. */
static void
answer(const struct serving *serving, struct response *response, deliver_fn *deliver)
{
    struct daemon *daemon = serving->daemon;
    if (response == NULL) {
        struct http_answer last_resort = answer_without_memory();
        access_log_write(&serving->exchange, 500, 0, FAULT_MEMORY, "no memory for an answer");
        deliver(daemon->server, serving->ticket, &last_resort);
        return;
    }
    char extra[RESPONSE_EXTRA_SIZE];
    struct response_extra facts = {
        .request_id = serving->exchange.request_id,
        .is_v3 = serving->is_v3,
        .now = clock_now(daemon->clock),
        .client_cache_s = daemon->config.client_cache_s,
    };
    size_t extra_size = response_extra_lines(response, &facts, extra);
    if (response->fault == FAULT_METHOD && serving->match.allow != NULL) {
        extra_size = extra_append(extra, extra_size, "Allow", serving->match.allow);
    }
    bool unchanged = response->status == 200 && response_matches(response, serving->if_none_match);
    struct http_answer reply = {
        .status = unchanged ? 304 : response->status,
        .head_shared = unchanged ? span_of(NULL, 0) : response->head,
        .head_extra = span_of(extra, extra_size),
        .body = unchanged ? span_of(NULL, 0) : response->body,
        .release = response_unref,
        .owner = response,
    };
    access_log_write(&serving->exchange, reply.status, reply.body.size, response->fault,
                     response->detail);
    deliver(daemon->server, serving->ticket, &reply);
}

static struct response *
response_of_refusal(const struct serving *serving, const struct fault *why)
{
    bool is_collateral_get = route_is_collateral_get(serving->exchange.route);
    return response_of_fault(why, is_collateral_get, why->code == FAULT_BUSY ? 1 : 0);
}

/* ---- a miss: steps 4 to 7 happen elsewhere ---- */

/* The cache has the response. Any thread; perhaps before cache_ask has returned. */
static void
wait_done(struct ask *ask, struct response *response)
{
    struct waiting *waiting = (struct waiting *)(void *)ask;
    answer(&waiting->serving, response, http_answer_later);
    buf_done(&waiting->ask.body);
    free(waiting);
}

/* Some editors put a byte order mark before JSON; a reader may ignore it (RFC 8259, 8.1), and the
 * reference does. */
static struct span
without_mark(struct span body)
{
    bool has_mark = body.size >= 3 && memcmp(body.data, "\xef\xbb\xbf", 3) == 0;
    return has_mark ? span_of(body.data + 3, body.size - 3) : body;
}

/* Hands the request to the cache; false if memory ran out. */
static bool
wait_for_answer(const struct serving *serving, const struct request *request, struct span body)
{
    struct span list = serving->if_none_match;
    struct waiting *waiting = malloc(sizeof *waiting + list.size);
    if (waiting == NULL) {
        return false;
    }
    waiting->ask = (struct ask){
        .request = *request,
        .body = BUF_INIT((size_t)serving->daemon->config.max_request_body_bytes),
        .done = wait_done,
    };
    memcpy(waiting->ask.request_id, serving->exchange.request_id, sizeof waiting->ask.request_id);
    if (body.size != 0 && buf_add(&waiting->ask.body, body) != 0) {
        free(waiting);
        return false;
    }
    waiting->serving = *serving;
    if (list.size != 0) {
        memcpy(waiting->if_none_match, list.data, list.size);
    }
    waiting->serving.if_none_match = span_of(waiting->if_none_match, list.size);
    cache_ask(serving->daemon->cache, &waiting->ask);
    return true;
}

/* ---- the sentence ---- */

static void
serve_request(void *self, struct http_ticket ticket, const struct http_request *http)
{
    struct daemon *daemon = self;
    struct serving serving;
    serving_begin(&serving, daemon, ticket, http);
    struct request request;
    struct fault why = {0};
    struct response *response = NULL;

    if (serve_validate(&serving, http, &request, &why) != 0) {
        answer(&serving, response_of_refusal(&serving, &why), http_answer_now);
        return;
    }
    if (page_is(request.route)) {
        answer(&serving, page_response(daemon, request.route, http), http_answer_now);
        return;
    }
    if (route_is_collateral_get(request.route)) {
        response = cache_lookup(daemon->cache, &request);
    }
    if (response != NULL) {
        answer(&serving, response, http_answer_now);
    } else if (!wait_for_answer(&serving, &request, without_mark(http->body))) {
        answer(&serving, NULL, http_answer_now);
    }
}

/* Headers are complete: shall the body be read? Only of a request that nothing else refuses. */
static struct http_verdict
serve_head(void *self, const struct http_request *http)
{
    struct daemon *daemon = self;
    struct http_verdict ignore = {.body = HTTP_BODY_IGNORE};
    if (http->method == HTTP_GET || http->method == HTTP_HEAD) {
        return ignore;
    }
    struct route_match match = {0};
    struct fault why;
    struct request request;
    if (admit(daemon, http, &match, &why) != 0 || !match.takes_body ||
        request_check_body_headers(http->headers, http->header_count, &why) != 0 ||
        request_parse(&match, http->query, &daemon->policy, &request, &why) != 0) {
        return ignore; /* serve_request comes to the same judgement, and answers */
    }
    return (struct http_verdict){
        .body = HTTP_BODY_READ,
        .body_bytes_max = (size_t)daemon->config.max_request_body_bytes,
    };
}

static void
serve_too_large(void *self, struct http_ticket ticket, const struct http_request *http)
{
    struct daemon *daemon = self;
    struct serving serving;
    serving_begin(&serving, daemon, ticket, http);
    struct fault why = {0};
    if (admit(daemon, http, &serving.match, &why) == 0) {
        serving.exchange.route = serving.match.route;
        fault_set(&why, FAULT_TOO_LARGE, "body", "the body has more than MaxRequestBodySize (%lld)",
                  (long long)daemon->config.max_request_body_bytes);
    }
    answer(&serving, response_of_refusal(&serving, &why), http_answer_now);
}

struct http_handler
serve_handler(struct daemon *daemon)
{
    metrics_name_label1(METRIC_CEILINGS, CEILING_LABEL, "requests_per_second");
    return (struct http_handler){
        .self = daemon,
        .on_head = serve_head,
        .on_request = serve_request,
        .on_too_large = serve_too_large,
    };
}
