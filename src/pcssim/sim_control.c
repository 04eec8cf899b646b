/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control endpoint: what a test orders, and what it may ask.
 *
 *   POST /sim/control    one order or an array of them; the state as answer
 *   GET  /sim/stats      counts; /sim/log the last requests
 *   GET  /sim/fleet      as --print-fleet; /sim/root.pem the root certificate
 *
 * Takes JSON, changes struct sim. Called on the server's loop. Must never listen to a peer that is
 * not on loopback. The orders stand in docs/man/pcs-sim.md.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pcssim/sim.h"
#include "json/json_value.h"

enum { SHIFT_MOST_S = 1000000000 };

static int
order_fault(struct sim *sim, const json_t *order, struct fault *why)
{
    struct sim_fault fault;
    int code = sim_fault_parse_json(order, &fault, why);
    return code != 0 ? code : sim_faults_add(&sim->faults, &fault, why);
}

static int
order_clear(struct sim *sim, const json_t *order, struct fault *why)
{
    sim->faults.count = 0;
    return 0;
}

static int
order_reset(struct sim *sim, const json_t *order, struct fault *why)
{
    return sim_reset(sim, why);
}

static int
order_reset_stats(struct sim *sim, const json_t *order, struct fault *why)
{
    sim_stats_clear(sim->stats);
    return 0;
}

static int
order_time_shift(struct sim *sim, const json_t *order, struct fault *why)
{
    int64_t seconds = 0;
    int code = json_get_integer(order, "seconds", -SHIFT_MOST_S, SHIFT_MOST_S, &seconds, why);
    if (code == 0) {
        sim->time_shift_s = seconds;
    }
    return code;
}

static int
order_delay(struct sim *sim, const json_t *order, struct fault *why)
{
    return json_get_integer(order, "delay_ms", 0, LIMIT_SIM_DELAY_MS, &sim->delay_ms, why);
}

/* Early: one number higher for those who ask for early. Standard: what is early becomes standard.
 */
static int
order_tcb_recovery(struct sim *sim, const json_t *order, struct fault *why)
{
    struct span stage;
    int code = json_get_string(order, "stage", &stage, why);
    if (code != 0) {
        return code;
    }
    if (span_is(stage, "early")) {
        if (sim->early >= SIM_NUMBER_BASE + LIMIT_SIM_RECOVERIES) {
            return fault_set(why, FAULT_BUSY, "control", "at most %d TCB recoveries",
                             LIMIT_SIM_RECOVERIES);
        }
        sim->early++;
    } else if (span_is(stage, "standard")) {
        sim->standard = sim->early;
    } else {
        return fault_set(why, FAULT_INPUT, "control", "stage: early or standard");
    }
    sim->reissued_at = sim_now(sim);
    return 0;
}

static int
revoke_platform(struct sim *sim, const json_t *order, struct fault *why)
{
    struct span text;
    char name[SIM_NAME_SIZE];
    size_t index = 0;
    struct sim_platform platform;
    struct sim_pck pcks[SIM_LEVELS_MAX];
    int code = json_get_string(order, "platform", &text, why);
    if (code != 0) {
        return code;
    }
    if (!span_to_text(text, name, sizeof(name)) || !sim_fleet_find_name(sim->fleet, name, &index)) {
        return fault_set(why, FAULT_INPUT, "control", "platform: the fleet has none of that name");
    }
    sim_fleet_platform(sim->fleet, index, &platform);
    size_t count = sim_platform_pcks(sim->fleet, &platform, sim->early, pcks);
    for (size_t i = 0; i < count && code == 0; i++) {
        char label[160], tcbm[37];
        sim_tcb_hex(&pcks[i].tcb, tcbm);
        snprintf(label, sizeof(label), "pck/%s/%s", platform.name, tcbm);
        code = sim_pki_revoke_pck(sim->pki, sim->fleet->families[platform.family].ca, label,
                                  sim_now(sim), why);
    }
    return code;
}

static int
order_revoke(struct sim *sim, const json_t *order, struct fault *why)
{
    struct span what;
    int code = json_get_string(order, "what", &what, why);
    if (code != 0) {
        return code;
    }
    if (span_is(what, "tcb-signing")) {
        code = sim_pki_revoke_signer(sim->pki, sim_now(sim), why);
    } else if (span_is(what, "processor-ca")) {
        code = sim_pki_revoke_ca(sim->pki, PCK_CA_PROCESSOR, sim_now(sim), why);
    } else if (span_is(what, "platform-ca")) {
        code = sim_pki_revoke_ca(sim->pki, PCK_CA_PLATFORM, sim_now(sim), why);
    } else if (span_is(what, "platform")) {
        code = revoke_platform(sim, order, why);
    } else {
        code = fault_set(why, FAULT_INPUT, "control",
                         "what: tcb-signing, processor-ca, platform-ca or platform");
    }
    if (code == 0) {
        sim->reissued_at = sim_now(sim);
    }
    return code;
}

static int
order_rotate_signer(struct sim *sim, const json_t *order, struct fault *why)
{
    sim->reissued_at = sim_now(sim);
    return sim_pki_rotate_signer(sim->pki, why);
}

static int
order_reissue(struct sim *sim, const json_t *order, struct fault *why)
{
    sim->reissued_at = sim_now(sim);
    return 0;
}

static const struct {
    const char *action;
    int (*apply)(struct sim *sim, const json_t *order, struct fault *why);
} orders[] = {
    {"fault", order_fault},
    {"clear", order_clear},
    {"reset", order_reset},
    {"reset-stats", order_reset_stats},
    {"time-shift", order_time_shift},
    {"delay", order_delay},
    {"tcb-recovery", order_tcb_recovery},
    {"revoke", order_revoke},
    {"rotate-signer", order_rotate_signer},
    {"reissue", order_reissue},
};

int
sim_control_apply(struct sim *sim, const json_t *order, struct fault *why)
{
    struct span action;
    int code = json_get_string(order, "action", &action, why);
    if (code != 0) {
        return code;
    }
    for (size_t i = 0; i < ARRAY_COUNT(orders); i++) {
        if (span_is(action, orders[i].action)) {
            return orders[i].apply(sim, order, why);
        }
    }
    return fault_set(why, FAULT_INPUT, "control", "action: none is called %.*s", SPAN_ARGS(action));
}

static void
answer_json(struct sim_answer *answer, json_t *value)
{
    auto_free char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    if (text == NULL) {
        sim_answer_refuse(answer, 500, NULL, NULL);
        return;
    }
    sim_answer_header(answer, "Content-Type", span_of_text("application/json"));
    buf_add_text(&answer->body, text);
    buf_add_text(&answer->body, "\n");
}

static void
answer_state(struct sim *sim, struct sim_answer *answer)
{
    char issued[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(sim_issued_at(sim), issued);
    auto_json json_t *state =
        json_pack("{s:I, s:I, s:i, s:i, s:s, s:o}", "time_shift", (json_int_t)sim->time_shift_s,
                  "now", (json_int_t)sim_now(sim), "standard", (int)sim->standard, "early",
                  (int)sim->early, "issued", issued, "faults", sim_faults_json(&sim->faults));
    answer_json(answer, state);
}

static void
control_post(struct sim *sim, const struct http_request *request, struct sim_answer *answer)
{
    auto_json json_t *body = NULL;
    struct fault why = {0};
    int code = json_value_parse(request->body, &body, &why);
    if (code == 0 && json_is_array(body)) {
        for (size_t i = 0; i < json_array_size(body) && code == 0; i++) {
            code = sim_control_apply(sim, json_array_get(body, i), &why);
        }
    } else if (code == 0) {
        code = sim_control_apply(sim, body, &why);
    }
    if (code == 0) {
        answer_state(sim, answer);
        return;
    }
    answer->status = 400;
    auto_json json_t *error = json_pack("{s:s}", "error", why.text);
    answer_json(answer, error);
}

void
sim_control(struct sim *sim, const struct http_request *request, struct sim_answer *answer)
{
    bool is_get = request->method == HTTP_GET || request->method == HTTP_HEAD;
    if (!request->peer_is_loopback) {
        sim_answer_refuse(answer, 403, NULL, NULL);
    } else if (span_is(request->path, "/sim/control") && request->method == HTTP_POST) {
        control_post(sim, request, answer);
    } else if (!is_get) {
        sim_answer_refuse(answer, 405, NULL, NULL);
    } else if (span_is(request->path, "/sim/control")) {
        answer_state(sim, answer);
    } else if (span_is(request->path, "/sim/stats")) {
        answer_json(answer, sim_stats_counts(sim->stats));
    } else if (span_is(request->path, "/sim/log")) {
        answer_json(answer, sim_stats_log(sim->stats));
    } else if (span_is(request->path, "/sim/root.pem")) {
        sim_answer_header(answer, "Content-Type", span_of_text("application/x-pem-file"));
        buf_add(&answer->body, sim_pki_root_pem(sim->pki));
    } else if (span_is(request->path, "/sim/fleet")) {
        sim_answer_header(answer, "Content-Type", span_of_text("application/json"));
        if (sim_fleet_add_json(&answer->body, sim->fleet, sim->early) != 0) {
            sim_answer_refuse(answer, 500, NULL, NULL);
        }
    } else {
        sim_answer_refuse(answer, 404, NULL, NULL);
    }
}
