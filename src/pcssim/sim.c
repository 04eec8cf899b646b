/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request through the simulator: route, read, fault, render, spoil, count.
 *
 * Takes a request of the http room, gives an answer that nobody has sent yet. Called by sim_serve.c
 * on the server's one loop, and by unit tests without any server. Must never answer without a
 * Request-ID (pcs.md).
 */
#include "pcssim/sim.h"

#include <stdio.h>

#include "base/mem.h"

enum { DAY_S = 86400, URL_SIZE = 4096 };

int64_t
sim_now(const struct sim *sim)
{
    return clock_now(sim->clock) + sim->time_shift_s;
}

int64_t
sim_issued_at(const struct sim *sim)
{
    int64_t now = sim_now(sim);
    int64_t midnight = now - now % DAY_S;
    return sim->reissued_at > midnight && sim->reissued_at <= now ? sim->reissued_at : midnight;
}

int
sim_reset(struct sim *sim, struct fault *why)
{
    sim->time_shift_s = sim->time_shift_start_s;
    sim->delay_ms = sim->delay_start_ms;
    sim->reissued_at = 0;
    sim->standard = SIM_NUMBER_STANDARD;
    sim->early = SIM_NUMBER_EARLY;
    sim->faults = sim->faults_start;
    for (size_t i = 0; i < sim->fleet->platform_count; i++) {
        sim->fleet->platforms[i].direct = false;
        sim->fleet->platforms[i].indirect = false;
    }
    sim_stats_clear(sim->stats);
    return sim_pki_reset(sim->pki, why);
}

static bool
method_is_allowed(const struct http_request *request, const char *methods)
{
    return request->method == HTTP_POST
               ? strstr(methods, "POST") != NULL
               : (request->method == HTTP_GET || request->method == HTTP_HEAD) &&
                     strstr(methods, "GET") != NULL;
}

static void
url_of(const struct sim *sim, const struct http_request *request, char out[URL_SIZE])
{
    snprintf(out, URL_SIZE, "%s%.*s%s%.*s", sim->url, SPAN_ARGS(request->path),
             request->query.size > 0 ? "?" : "", SPAN_ARGS(request->query));
}

static void
answer_collateral(struct sim *sim, const struct http_request *request, struct sim_ask *ask,
                  struct sim_answer *answer)
{
    struct sim_effect effect;
    char url[URL_SIZE];
    bool good = sim_ask_parse(sim, request, ask->endpoint, ask->api_version, ask, answer);
    sim_faults_take(&sim->faults, ask->endpoint, ask->key, &effect);
    url_of(sim, request, url);
    if (!sim_effect_replaces(&effect, answer, url) && good) {
        int code = sim_render(sim, ask, &effect, answer);
        if (code != 0 || answer->head.failed != 0 || answer->body.failed != 0) {
            sim_answer_refuse(answer, 500, "InternalError", fault_word(code));
        }
        sim_effect_spoil(&effect, answer);
    }
    sim_stats_note(sim->stats, request, sim_endpoint_word(ask->endpoint), ask->key,
                   effect.active ? sim_fault_kind_word(effect.fault.kind) : NULL,
                   answer->drop ? 0 : answer->status);
}

struct sim_answer *
sim_handle(struct sim *sim, const struct http_request *request)
{
    struct sim_answer *answer = sim_answer_new();
    struct sim_ask ask = {0};
    if (answer == NULL) {
        return NULL;
    }
    struct span path = request->path;
    if (path.size > 1 && path.data[path.size - 1] == '/') {
        path.size--;
    }
    if (span_starts_with(path, "/sim/")) {
        sim_control(sim, request, answer);
        return answer;
    }
    if (!sim_path_parse(path, &ask.endpoint, &ask.api_version)) {
        sim_answer_refuse(answer, 404, NULL, NULL);
        sim_stats_note(sim->stats, request, "unknown", "", NULL, 404);
    } else if (!method_is_allowed(request, sim_endpoint_methods(ask.endpoint))) {
        sim_answer_refuse(answer, 405, NULL, NULL);
        sim_answer_header(answer, "Allow", span_of_text(sim_endpoint_methods(ask.endpoint)));
        sim_stats_note(sim->stats, request, sim_endpoint_word(ask.endpoint), "", NULL, 405);
    } else {
        answer_collateral(sim, request, &ask, answer);
    }
    answer->delay_ms += sim->delay_ms;
    return answer;
}
