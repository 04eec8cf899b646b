/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `pccsadmin init --from`: another PCCS is taken over. init_from.c has the order of things,
 * init_from_config.c the configuration, init_from_files.c the TLS key pair and the database,
 * init_place.c how new files take their places together or not at all.
 */
#ifndef PCCSADMIN_INIT_FROM_H
#define PCCSADMIN_INIT_FROM_H

#include "pccsadmin/admin.h"
#include "pccsadmin/init_place.h"
#include "pccsadmin/init_source.h"
#include "setup/options.h"

enum takeover_verdict {
    TAKEOVER_TAKEN,
    TAKEOVER_LEFT, /* not taken */
    TAKEOVER_MADE,
    TAKEOVER_WARNING,
    TAKEOVER_NEXT,
    TAKEOVER_BACK,
};

struct takeover {
    const struct arguments *args;
    bool is_rehearsal; /* --dry-run */
    struct init_source source;
    json_t *report;         /* of objects: verdict, item, text */
    json_t *taken;          /* the new configuration */
    struct config found;    /* the same, as this service understands it */
    char *storage;          /* SQLite file that the old configuration names; NULL: its default */
    struct options options; /* of the new configuration */
    char place[PATH_MAX];   /* where it is written: FILE, or local.json beside it */
    struct buf text;        /* what is written there; wiped */
    struct config plan;     /* what pccsd will read then, absolute paths */
    struct placing placing;
    bool has_made_tls; /* a development pair, in the end's places already */
};

/* A line of the report; foreign bytes that no terminal should see are replaced. */
void takeover_tell(struct takeover *takeover, enum takeover_verdict verdict, const char *item,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reads the old configuration's layers: fills taken, found, storage. FAULT_CONFIG: there is none,
 * it is broken, or a value without which nothing goes is refused. */
int takeover_read_config(struct takeover *takeover, struct fault *why) must_check;
/* Renders text, and reads it as pccsd will: fills options, place, text, plan. */
int takeover_plan(struct takeover *takeover, struct fault *why) must_check;
/* TLS key pair: judged and, unless this is a rehearsal, made ready beside its place. */
int takeover_tls(struct takeover *takeover, struct fault *why) must_check;
/* Removes a development pair that this run made. */
void takeover_tls_undo(const struct takeover *takeover);
/* The database likewise. */
int takeover_database(struct takeover *takeover, struct fault *why) must_check;

/* The whole command; the exit status. */
int init_from(const struct arguments *args);

#endif
