/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the http room and the simulator.
 *
 * Takes requests from the server's one loop, gives answers back at once, or through sim_delay.c.
 * One loop because struct sim is not locked: making the dearest answer takes a millisecond or two.
 * Must never let a body grow beyond what its endpoint can use.
 */
#include "pcssim/sim_serve.h"

#include <stdlib.h>

#include "base/mem.h"
#include "pcssim/sim_delay.h"

enum {
    HEADERS_TIMEOUT_MS = 10000,
    REQUEST_TIMEOUT_MS = 30000,
    KEEP_ALIVE_TIMEOUT_MS = 60000,
    DRAIN_MS = 2000,
    JSON_AROUND_MANIFEST = 4096
};

struct sim_serve {
    struct http_server *server;
    struct sim_delay *delay;
    struct sim *sim;
};

static struct http_verdict
serve_head(void *self, const struct http_request *request)
{
    size_t most = span_starts_with(request->path, "/sim/")
                      ? LIMIT_SIM_CONTROL_BYTES
                      : LIMIT_MANIFEST_HEX + JSON_AROUND_MANIFEST;
    return (struct http_verdict){
        .body = request->method == HTTP_POST ? HTTP_BODY_READ : HTTP_BODY_IGNORE,
        .body_bytes_max = most,
    };
}

static void
answer_send(struct sim_serve *serve, struct http_ticket ticket, struct sim_answer *answer)
{
    if (answer == NULL) {
        const struct http_answer plain = {.status = 503, .close = true};
        http_answer_now(serve->server, ticket, &plain);
        return;
    }
    const struct http_answer out = {
        .status = answer->drop ? 503 : answer->status,
        .head_shared = buf_span(&answer->head),
        .body = buf_span(&answer->body),
        .release = sim_answer_free,
        .owner = answer,
        .cut_at = answer->drop  ? 1
                  : answer->cut ? answer->cut_body_bytes + 2
                                : 0,
    };
    if (answer->delay_ms > 0) {
        sim_delay_put(serve->delay, answer->delay_ms, ticket, &out);
    } else {
        http_answer_now(serve->server, ticket, &out);
    }
}

static void
serve_request(void *self, struct http_ticket ticket, const struct http_request *request)
{
    struct sim_serve *serve = self;
    answer_send(serve, ticket, sim_handle(serve->sim, request));
}

static void
serve_too_large(void *self, struct http_ticket ticket, const struct http_request *request)
{
    struct sim_serve *serve = self;
    struct sim_answer *answer = sim_answer_new();
    if (answer != NULL) {
        sim_answer_refuse(answer, 413, NULL, NULL);
    }
    answer_send(serve, ticket, answer);
}

int
sim_serve_new(const struct sim_serve_options *options, struct sim_serve **ret_serve,
              struct fault *why)
{
    struct sim_serve *serve = calloc(1, sizeof(*serve));
    if (serve == NULL) {
        return fault_set(why, FAULT_MEMORY, "serve", "no memory");
    }
    const struct http_server_options server_options = {
        .hosts = &options->host,
        .host_count = 1,
        .port = options->port,
        .loops = 1,
        .tls = options->tls,
        .headers_timeout_ms = HEADERS_TIMEOUT_MS,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
        .keep_alive_timeout_ms = KEEP_ALIVE_TIMEOUT_MS,
        .handler = {.self = serve,
                    .on_head = serve_head,
                    .on_request = serve_request,
                    .on_too_large = serve_too_large},
    };
    int code = http_server_new(&server_options, &serve->server, why);
    if (code != 0) {
        free(serve);
        return code;
    }
    *ret_serve = serve;
    return 0;
}

uint16_t
sim_serve_port(const struct sim_serve *serve)
{
    return http_server_port(serve->server);
}

int
sim_serve_start(struct sim_serve *serve, struct sim *sim, struct fault *why)
{
    serve->sim = sim;
    int code = sim_delay_new(serve->server, sim->clock, &serve->delay, why);
    return code != 0 ? code : http_server_start(serve->server, why);
}

void
sim_serve_free(struct sim_serve *serve)
{
    if (serve == NULL) {
        return;
    }
    /* Late answers first, so that draining finds nothing that waits for minutes. */
    if (serve->delay != NULL) {
        sim_delay_stop(serve->delay);
    }
    http_server_drain(serve->server, DRAIN_MS);
    http_server_free(serve->server);
    sim_delay_free(serve->delay);
    free(serve);
}
