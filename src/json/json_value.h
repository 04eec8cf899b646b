/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON values by jansson, with our ceilings and faults: duplicates refused where asked, depth
 * bounded, getters that say what was expected ("cpu_svn: expected a string").
 */
#ifndef JSON_JSON_VALUE_H
#define JSON_JSON_VALUE_H

#include <jansson.h>

#include "base/fault.h"
#include "base/span.h"

/* Parses one value. The caller owns *ret_value (json_decref). Duplicate member names are refused.
 */
int json_value_parse(struct span text, json_t **ret_value, struct fault *why) must_check;

static inline void
json_value_done(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}
#define auto_json __attribute__((cleanup(json_value_done)))

/* Getters on an object's member. FAULT_NOT_FOUND if absent, FAULT_INPUT on another type or range.
 * The string's bytes belong to the object. */
int json_get_string(const json_t *object, const char *name, struct span *ret_text,
                    struct fault *why) must_check;
int json_get_integer(const json_t *object, const char *name, int64_t least, int64_t most,
                     int64_t *ret_value, struct fault *why) must_check;
int json_get_bool(const json_t *object, const char *name, bool *ret_value,
                  struct fault *why) must_check;
int json_get_array(const json_t *object, const char *name, json_t **ret_array,
                   struct fault *why) must_check; /* borrowed */
int json_get_object(const json_t *object, const char *name, json_t **ret_object,
                    struct fault *why) must_check; /* borrowed */

#endif
