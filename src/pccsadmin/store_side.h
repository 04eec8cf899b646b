/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store as the command line names it: a configuration of pccsd, or an SQLite file. No secret
 * stands on the command line.
 */
#ifndef PCCSADMIN_STORE_SIDE_H
#define PCCSADMIN_STORE_SIDE_H

#include "config/config.h"
#include "pccsadmin/admin.h"
#include "ports/store_port.h"

struct store_side {
    struct config config; /* also of an SQLite file: defaults, and where it is */
    bool is_configuration;
    char shown[320];     /* "sqlite /var/lib/pccs/pckcache.db", "postgres db01:5432/pckcache" */
    struct store *store; /* NULL until opened */
};

/* Reads what name says; opens nothing. FAULT_CONFIG. Call store_side_done in any case. */
int store_side_read(const char *name, struct store_side *ret_side, struct fault *why) must_check;
/* An SQLite file says nothing of its PCS: it gets this uri. */
int store_side_set_uri(struct store_side *side, const char *uri, struct fault *why) must_check;
/* Is it plain that both are the same? */
bool store_side_is_same(const struct store_side *a, const struct store_side *b);
/* Are both of the same PCS? */
bool store_side_is_same_pcs(const struct store_side *a, const struct store_side *b);
/* may_make: create it, or take it over, if its configuration lets pccsd do so. */
int store_side_open(struct store_side *side, bool may_make, struct fault *why) must_check;
void store_side_done(struct store_side *side);

#endif
