/* SPDX-License-Identifier: BSD-3-Clause */
/* Faults on order: what goes wrong, where, how often. Parsed from JSON or from --fail. */
#ifndef PCSSIM_SIM_FAULT_H
#define PCSSIM_SIM_FAULT_H

#include <jansson.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/span.h"
#include "pcssim/sim_answer.h"
#include "pcssim/sim_pki.h"

enum sim_endpoint {
#define SIM_ENDPOINT(name, word, path, methods) SIM_##name,
#include "pcssim/sim_endpoint.def"
#undef SIM_ENDPOINT
    SIM_ENDPOINT_COUNT
};
const char *sim_endpoint_word(enum sim_endpoint endpoint);
const char *sim_endpoint_path(enum sim_endpoint endpoint);    /* with V for the version */
const char *sim_endpoint_methods(enum sim_endpoint endpoint); /* as the Allow header has them */

enum sim_fault_kind {
#define SIM_FAULT(name, word, meaning) SIM_FAULT_##name,
#include "pcssim/sim_fault_kind.def"
#undef SIM_FAULT
    SIM_FAULT_COUNT
};
const char *sim_fault_kind_word(enum sim_fault_kind kind);
const char *sim_fault_kind_meaning(enum sim_fault_kind kind);

struct sim_fault {
    bool everywhere;
    enum sim_endpoint endpoint;
    enum sim_fault_kind kind;
    char match[64]; /* stands in the key; "" fits all */
    char header[64];
    int status, retry_after_s; /* retry_after_s 0: none */
    int64_t delay_ms;
    size_t bytes;  /* 0: the kind's own default */
    uint64_t left; /* times; 0: for ever */
};

struct sim_faults {
    struct sim_fault list[LIMIT_SIM_FAULTS];
    size_t count;
};

/* What one request shall suffer: at most one fault besides the delay. */
struct sim_effect {
    bool active;
    struct sim_fault fault;
    int64_t delay_ms;
    struct sim_twist twist;
};

/* {"endpoint", "kind", "status", "retry_after", "delay_ms", "count", "match", "header", "bytes"}:
 * kind is required. */
int sim_fault_parse_json(const json_t *object, struct sim_fault *ret_fault,
                         struct fault *why) must_check;
/* ENDPOINT:KIND[,name=value...], ENDPOINT may be "*". */
int sim_fault_parse_spec(const char *spec, struct sim_fault *ret_fault,
                         struct fault *why) must_check;
int sim_faults_add(struct sim_faults *faults, const struct sim_fault *fault,
                   struct fault *why) must_check;
/* What applies to this request; counts it down. */
void sim_faults_take(struct sim_faults *faults, enum sim_endpoint endpoint, const char *key,
                     struct sim_effect *ret_effect);
json_t *sim_faults_json(const struct sim_faults *faults); /* NULL if memory ran out */

/* True if the effect leaves nothing to be rendered; the answer is complete then. url: of the
 * request, for redirects. */
bool sim_effect_replaces(const struct sim_effect *effect, struct sim_answer *answer,
                         const char *url);
/* Spoils a complete answer. */
void sim_effect_spoil(const struct sim_effect *effect, struct sim_answer *answer);

#endif
