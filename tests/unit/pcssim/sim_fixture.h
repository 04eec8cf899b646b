/* SPDX-License-Identifier: BSD-3-Clause */
/* A simulator over the built-in fleet, with a clock that tests set, and requests as text. */
#ifndef PCSSIM_SIM_FIXTURE_H
#define PCSSIM_SIM_FIXTURE_H

#include "pcssim/sim.h"

#define FIXTURE_NOW INT64_C(1751371200)      /* 2025-07-01T12:00:00Z */
#define FIXTURE_MIDNIGHT INT64_C(1751328000) /* 2025-07-01T00:00:00Z */

struct sim_fixture {
    struct sim sim;
    struct clock clock;
    int64_t now;
    char folder[64];
};

/* cmocka group set-up and tear-down; *state is a struct sim_fixture. */
int sim_fixture_setup(void **state);
int sim_fixture_teardown(void **state);
/* cmocka test set-up: as at start. */
int sim_fixture_reset(void **state);

/* The caller frees what comes back. */
struct sim_answer *fixture_get(struct sim_fixture *fixture, const char *path, const char *query);
struct sim_answer *fixture_post(struct sim_fixture *fixture, const char *path, const char *type,
                                struct span body);
/* An order to the control endpoint; returns the status. */
int fixture_order(struct sim_fixture *fixture, const char *order);
/* The status of a GET. */
int fixture_status(struct sim_fixture *fixture, const char *path, const char *query);
/* The value of a header; the caller frees it; NULL if absent. */
char *fixture_header(const struct sim_answer *answer, const char *name);
bool fixture_body_has(const struct sim_answer *answer, const char *text);
/* "encrypted_ppid=...&pceid=0000" of a platform; the caller frees it. */
char *fixture_ppid_query(struct sim_fixture *fixture, const char *platform);
/* {"platformManifest","pceid"} of a platform; the caller frees it. */
char *fixture_manifest_body(struct sim_fixture *fixture, const char *platform);

#endif
