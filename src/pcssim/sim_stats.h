/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts of requests by endpoint and item, and the last requests, so that tests can ask. */
#ifndef PCSSIM_SIM_STATS_H
#define PCSSIM_SIM_STATS_H

#include <jansson.h>

#include "http/http.h"

struct sim_stats;

struct sim_stats *sim_stats_new(void); /* NULL if memory ran out */
void sim_stats_free(struct sim_stats *stats);
void sim_stats_clear(struct sim_stats *stats);
/* endpoint: a word; key: the item. fault: the word of the fault that was applied, or NULL. */
void sim_stats_note(struct sim_stats *stats, const struct http_request *request,
                    const char *endpoint, const char *key, const char *fault, int status);
json_t *sim_stats_counts(const struct sim_stats *stats); /* borrowed */
json_t *sim_stats_log(const struct sim_stats *stats);    /* borrowed; newest last */

#endif
