/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator as a value: a PKI, a fleet, a clock, orders for faults, counts. One request in, one
 * answer out; nothing here touches the network. Not thread-safe: one loop owns it.
 */
#ifndef PCSSIM_SIM_H
#define PCSSIM_SIM_H

#include "base/clock.h"
#include "http/http.h"
#include "pcssim/sim_answer.h"
#include "pcssim/sim_collateral.h"
#include "pcssim/sim_fault.h"
#include "pcssim/sim_fleet.h"
#include "pcssim/sim_stats.h"

struct sim {
    struct sim_pki *pki;
    struct sim_fleet *fleet;
    const struct clock *clock;
    char url[256]; /* "http://127.0.0.1:PORT" */
    bool key_required;
    struct sim_stats *stats;

    /* what the control endpoint changes; sim_reset takes it back to what the options said */
    int64_t time_shift_s, time_shift_start_s;
    int64_t delay_ms, delay_start_ms; /* of every answer */
    int64_t reissued_at; /* everything is issued anew from here on; 0: at midnight only */
    uint32_t standard, early;
    struct sim_faults faults, faults_start;
};

/* What a request asks for, once its path and parameters are known to be right. */
struct sim_ask {
    enum sim_endpoint endpoint;
    unsigned api_version; /* 3 or 4 */
    enum update_type update;
    uint32_t number; /* the tcbEvaluationDataNumber that is meant */
    enum pck_ca ca;
    bool der;
    const struct sim_family *family; /* NULL: unknown FMSPC */
    bool platform_known;
    size_t platform; /* index */
    bool by_manifest;
    struct sim_tcb raw;
    char word[8];  /* fmspcs: platform */
    char key[100]; /* names the item in counts and faults */
};

/* Numbers at which a fresh simulator starts. */
enum { SIM_NUMBER_STANDARD = SIM_NUMBER_BASE, SIM_NUMBER_EARLY = SIM_NUMBER_BASE + 1 };

int64_t sim_now(const struct sim *sim);
/* The time of issue of everything that is fresh now: last midnight, or the last change since. */
int64_t sim_issued_at(const struct sim *sim);
int sim_reset(struct sim *sim, struct fault *why) must_check;

/* Answers; NULL only if memory ran out. The caller frees it. */
struct sim_answer *sim_handle(struct sim *sim, const struct http_request *request);

/* The endpoint of a path; false if there is none. */
bool sim_path_parse(struct span path, enum sim_endpoint *ret_endpoint, unsigned *ret_api_version);
/* Fills *ret_ask, or the answer with the refusal and returns false (ret_ask->key is set all the
 * same). */
bool sim_ask_parse(const struct sim *sim, const struct http_request *request,
                   enum sim_endpoint endpoint, unsigned api_version, struct sim_ask *ret_ask,
                   struct sim_answer *answer);
/* Fills the answer: 200 with the item, or 404, 410. */
int sim_render(struct sim *sim, const struct sim_ask *ask, const struct sim_effect *effect,
               struct sim_answer *answer) must_check;
/* /sim/...: the control endpoint, counts, log, fleet, root certificate. */
void sim_control(struct sim *sim, const struct http_request *request, struct sim_answer *answer);
/* One order of the control endpoint. */
int sim_control_apply(struct sim *sim, const json_t *order, struct fault *why) must_check;

#endif
