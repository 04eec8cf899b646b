/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was asked how often: {"total", "endpoints": {word: {"count", "statuses", "keys"}}}, and a
 * list of the last requests.
 *
 * Used on the server's loop. Must never keep the subscription key or an encrypted PPID: only that a
 * key came is noted, and queries are cut short. Beyond LIMIT_SIM_STAT_KEYS keys are counted as
 * "others".
 */
#include "pcssim/sim_stats.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

enum { QUERY_CHARS_MAX = 120 };

struct sim_stats {
    json_t *counts, *endpoints, *log;
    size_t keys;
};

struct sim_stats *
sim_stats_new(void)
{
    struct sim_stats *stats = calloc(1, sizeof(*stats));
    if (stats == NULL) {
        return NULL;
    }
    sim_stats_clear(stats);
    return stats;
}

void
sim_stats_free(struct sim_stats *stats)
{
    if (stats != NULL) {
        json_decref(stats->counts);
        json_decref(stats->log);
        free(stats);
    }
}

void
sim_stats_clear(struct sim_stats *stats)
{
    json_decref(stats->counts);
    json_decref(stats->log);
    stats->endpoints = json_object();
    stats->counts = json_pack("{s:i, s:o}", "total", 0, "endpoints", stats->endpoints);
    stats->log = json_array();
    stats->keys = 0;
}

/* Adds one to object[name]; jansson's calls take NULL and then do nothing. */
static bool
count_add(json_t *object, const char *name)
{
    json_t *number = json_object_get(object, name);
    if (number != NULL) {
        json_integer_set(number, json_integer_value(number) + 1);
        return false;
    }
    return json_object_set_new(object, name, json_integer(1)) == 0;
}

static json_t *
endpoint_counts(struct sim_stats *stats, const char *endpoint)
{
    json_t *counts = json_object_get(stats->endpoints, endpoint);
    if (counts == NULL) {
        counts = json_pack("{s:i, s:{}, s:{}}", "count", 0, "statuses", "keys");
        json_object_set_new(stats->endpoints, endpoint, counts);
    }
    return counts;
}

static json_t *
header_names(const struct http_request *request)
{
    json_t *names = json_array();
    for (size_t i = 0; i < request->header_count; i++) {
        json_array_append_new(names, json_stringn((const char *)request->headers[i].name.data,
                                                  request->headers[i].name.size));
    }
    return names;
}

static json_t *
text_cut(struct span text, size_t chars_max)
{
    size_t size = text.size < chars_max ? text.size : chars_max;
    return json_stringn(size > 0 ? (const char *)text.data : "", size);
}

static void
log_add(struct sim_stats *stats, const struct http_request *request, json_t *entry)
{
    struct span value = {0};
    bool has_key =
        header_find(request->headers, request->header_count, "Ocp-Apim-Subscription-Key", &value);
    json_object_set_new(entry, "method", text_cut(request->method_text, 16));
    json_object_set_new(entry, "path", text_cut(request->path, QUERY_CHARS_MAX));
    json_object_set_new(entry, "query", text_cut(request->query, QUERY_CHARS_MAX));
    json_object_set_new(entry, "body_bytes", json_integer((json_int_t)request->body.size));
    json_object_set_new(entry, "api_key", json_boolean(has_key && value.size > 0));
    json_object_set_new(entry, "headers", header_names(request));
    if (json_array_size(stats->log) >= LIMIT_SIM_LOG_ENTRIES) {
        json_array_remove(stats->log, 0);
    }
    json_array_append_new(stats->log, entry);
}

void
sim_stats_note(struct sim_stats *stats, const struct http_request *request, const char *endpoint,
               const char *key, const char *fault, int status)
{
    char text[16];
    json_t *counts = endpoint_counts(stats, endpoint);
    json_t *keys = json_object_get(counts, "keys");
    snprintf(text, sizeof(text), "%d", status);
    count_add(stats->counts, "total");
    count_add(counts, "count");
    count_add(json_object_get(counts, "statuses"), text);
    if (key[0] != '\0') {
        bool full = stats->keys >= LIMIT_SIM_STAT_KEYS && json_object_get(keys, key) == NULL;
        stats->keys += count_add(keys, full ? "others" : key);
    }
    json_t *entry = json_pack("{s:s, s:s, s:i, s:s?}", "endpoint", endpoint, "key", key, "status",
                              status, "fault", fault);
    if (entry != NULL) {
        log_add(stats, request, entry);
    }
}

json_t *
sim_stats_counts(const struct sim_stats *stats)
{
    return stats->counts;
}

json_t *
sim_stats_log(const struct sim_stats *stats)
{
    return stats->log;
}
