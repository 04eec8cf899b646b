/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated world: FMSPCs with their TCB levels, and platforms with their certificates. Read
 * from JSON (the format stands in docs/man/pcs-sim.md) or generated; what a platform does not say
 * (PPID, QE ID, encrypted PPID, manifest) is made from its name and the fleet's seed, so that the
 * same fleet is the same everywhere.
 */
#ifndef PCSSIM_SIM_FLEET_H
#define PCSSIM_SIM_FLEET_H

#include <jansson.h>

#include "base/buf.h"
#include "base/limits.h"
#include "terms/terms.h"

enum {
    SIM_ENC_PPID_SIZE = LIMIT_PPID_HEX / 2,
    SIM_NAME_SIZE = 64,
    SIM_LEVELS_MAX = LIMIT_SIM_LEVELS + LIMIT_SIM_RECOVERIES,
    SIM_MANIFEST_BYTES_LEAST = 8431, /* what Intel's service takes: retrieval.md 3.3 */
    SIM_MANIFEST_BYTES_MOST = 56442,
    SIM_NUMBER_BASE = 17, /* the tcbEvaluationDataNumber at which the levels are as written */
};

struct sim_tcb {
    uint8_t components[16];
    uint16_t pcesvn;
};

struct sim_level {
    struct sim_tcb tcb;
    uint8_t tdx[16];
    char status[40];
    char date[21];
    char *advisories; /* JSON array text; NULL: none */
};

struct sim_family {
    struct fmspc fmspc;
    char platform[8]; /* "client", "E3", "E5" */
    enum pck_ca ca;
    bool tdx, early;
    struct sim_level *levels; /* highest first, as they stand in TCB info */
    size_t level_count;
};

struct sim_pck {
    struct sim_tcb tcb;
    bool available;
};

struct sim_platform {
    char name[SIM_NAME_SIZE];
    size_t family;
    struct sim_tcb raw;
    uint8_t ppid[16], qe_id[16];
    char pce_id[5];
    size_t manifest_bytes; /* 0: single package */
    char *enc_ppid_hex;    /* NULL: made from the name */
    struct sim_pck *pcks;  /* NULL: one for each TCB level */
    size_t pck_count;
    uint64_t missing;      /* bit i: certificate i is Not available */
    bool direct, indirect; /* how the manifest reached Intel */
};

struct sim_fleet {
    char seed[SIM_NAME_SIZE];
    struct sim_family *families;
    size_t family_count;
    struct sim_platform *platforms; /* those written down */
    size_t platform_count;
    uint8_t (*heads)[16];                       /* of their encrypted PPIDs, for the look-up */
    size_t generated_count, generated_families; /* the last families belong to the generated */
};

/* Parses a fleet file's text; seed replaces the file's unless NULL. FAULT_INPUT names the place. */
int sim_fleet_parse(struct span text, const char *seed, struct sim_fleet **ret_fleet,
                    struct fault *why) must_check;
const char *sim_fleet_default_text(void);
/* Adds count platforms over families FMSPCs, all single-package, both CAs in turn. */
int sim_fleet_generate(struct sim_fleet *fleet, size_t count, size_t families,
                       struct fault *why) must_check;
void sim_fleet_free(struct sim_fleet *fleet);

size_t sim_fleet_size(const struct sim_fleet *fleet);
/* Platform number index (written ones first) by value; what it points to belongs to the fleet. */
void sim_fleet_platform(const struct sim_fleet *fleet, size_t index,
                        struct sim_platform *ret_platform);
bool sim_fleet_find_name(const struct sim_fleet *fleet, const char *name, size_t *ret_index);
bool sim_fleet_find_enc_ppid(const struct sim_fleet *fleet,
                             const uint8_t enc_ppid[SIM_ENC_PPID_SIZE], size_t *ret_index);
bool sim_fleet_find_manifest(const struct sim_fleet *fleet, struct span manifest,
                             size_t *ret_index);
/* NULL if there is none. */
const struct sim_family *sim_fleet_family(const struct sim_fleet *fleet, struct span fmspc);

void sim_platform_enc_ppid(const struct sim_fleet *fleet, const struct sim_platform *platform,
                           uint8_t out[SIM_ENC_PPID_SIZE]);
int sim_platform_add_manifest(struct buf *b, const struct sim_fleet *fleet,
                              const struct sim_platform *platform) must_check;

/* The levels of a family at a tcbEvaluationDataNumber: above SIM_NUMBER_BASE each step is one TCB
 * recovery, which puts a higher level on top and makes what was below out of date. The pointers in
 * out belong to the family. Returns the count. */
size_t sim_family_levels(const struct sim_family *family, uint32_t number,
                         struct sim_level out[SIM_LEVELS_MAX]);
/* The certificates of a platform, at the TCB levels of number. Returns the count. */
size_t sim_platform_pcks(const struct sim_fleet *fleet, const struct sim_platform *platform,
                         uint32_t number, struct sim_pck out[SIM_LEVELS_MAX]);

/* Which certificate a platform with that raw TCB gets: the index among pcks, or -1. selection.md 5,
 * the total order of levels. */
int sim_select(const struct sim_level *levels, size_t level_count, const struct sim_pck *pcks,
               size_t pck_count, const struct sim_tcb *raw);
/* 36 upper-case hex digits and a NUL. */
void sim_tcb_hex(const struct sim_tcb *tcb, char out[37]);
/* The fleet as JSON for people and tests: what each platform would send, and what it should get. */
int sim_fleet_add_json(struct buf *b, const struct sim_fleet *fleet, uint32_t number) must_check;

/* size bytes that depend on seed, name and what only. */
void sim_derive(const char *seed, const char *name, const char *what, uint8_t *out, size_t size);

#endif
