/* SPDX-License-Identifier: BSD-3-Clause */
/* One running scenario: what scenario.c (the language) and scripted_pcs.c (the PCS) share. */
#ifndef SCENARIO_SCENARIO_H
#define SCENARIO_SCENARIO_H

#include "base/log.h"
#include "cache/cache.h"
#include "support/testpki.h"

enum { SAYINGS_MAX = 64, FETCHED_SIZE = 4096 };

/* What the PCS says of one item from now on. */
struct saying {
    char item[256]; /* as item_key_text has it, or "*" */
    enum { SAYS_ITEM, SAYS_PLATFORM, SAYS_FAULT } kind;
    enum fault_code fault;
    int retry_after_s;
    int64_t issued_at, next_at;
    int number;
    bool is_forged;
    char levels[128]; /* TCB levels "5.5/10,3.3/7" */
    char certs[256];  /* certificates "5.5/10,3.3/7,na:8.8/12" */
    char fmspc[13];
    int ca;
    bool wants_manifest;
};

struct scenario {
    const char *path;
    int line, failures;
    bool has_title;
    int64_t now, monotonic_ms;
    struct clock clock;
    struct testpki *pki;
    struct trust_anchors *anchors;
    struct store *store;
    struct cache *cache;
    struct cache_options options;
    struct request_policy policy;
    struct upstream
        upstream; /* the scripted PCS; see scripted_pcs.c for how it finds the scenario */
    struct saying sayings[SAYINGS_MAX];
    size_t saying_count;
    unsigned fetches; /* since the last expect */
    char fetched[FETCHED_SIZE];
    unsigned together;
    struct response *answer;
};

void scenario_fail(struct scenario *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int64_t scenario_duration(struct scenario *s, const char *text);
void scenario_ask(struct scenario *s, const char *method, const char *target, const char *body);

void scripted_pcs_init(struct scenario *s);
void scripted_pcs_done(struct scenario *s);
void scripted_pcs_says(struct scenario *s, char **words, size_t count);
void scripted_pckcert(struct scenario *s, char **words, size_t count);
void scripted_register(struct scenario *s, char **words, size_t count);
void scripted_upload(struct scenario *s, char **words, size_t count);

#endif
