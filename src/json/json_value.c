/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON as values, by jansson, behind our own scanner.
 * Takes a text, gives a json_t that the caller owns, and its members with a word on what was
 * expected.
 * Called by collateral, request and config, on any thread.
 * Must never put the text's own bytes into a fault (they may be a manifest or a token), and never
 * hand jansson, which recurses, a text that json_check has not measured.
 * RFC 8259; duplicate member names are refused (section 4).
 */
#include "json/json_value.h"

#include "json/json_scan.h"

int
json_value_parse(struct span text, json_t **ret_value, struct fault *why)
{
    int failed = json_check(text, why);
    if (failed != 0) {
        return failed;
    }
    json_error_t error;
    json_t *value = json_loadb((const char *)text.data, text.size,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value != NULL) {
        *ret_value = value;
        return 0;
    }
    enum json_error_code code = json_error_code(&error);
    if (code == json_error_out_of_memory) {
        return fault_set(why, FAULT_MEMORY, "json", "no memory for a JSON value");
    }
    /* jansson's own words quote the text; its code and place say enough */
    return fault_set_number(why, FAULT_INPUT, "json", (long)code, "byte %d: %s", error.position,
                            code == json_error_duplicate_key
                                ? "a member name stands twice (RFC 8259, 4)"
                                : "a number out of range or a NUL in a string");
}

static const char *
type_word(json_type type)
{
    static const char *const words[] = {
        [JSON_OBJECT] = "an object",    [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",     [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a real number",  [JSON_TRUE] = "true or false",
        [JSON_FALSE] = "true or false", [JSON_NULL] = "null"};
    return words[type];
}

/* The member, of whatever type. */
static int
get_member(const json_t *object, const char *name, json_t **ret_member, struct fault *why)
{
    if (!json_is_object(object)) {
        return fault_set(why, FAULT_INPUT, "json", "%s: its parent is not an object", name);
    }
    json_t *member = json_object_get(object, name);
    if (member == NULL) {
        return fault_set(why, FAULT_NOT_FOUND, "json", "%s: missing", name);
    }
    *ret_member = member;
    return 0;
}

static int
get_typed(const json_t *object, const char *name, json_type type, json_t **ret_member,
          struct fault *why)
{
    json_t *member = NULL; /* gcc 11 cannot see that get_member sets it */
    int failed = get_member(object, name, &member, why);
    if (failed != 0) {
        return failed;
    }
    if (json_typeof(member) != type) {
        return fault_set(why, FAULT_INPUT, "json", "%s: expected %s, not %s", name, type_word(type),
                         type_word(json_typeof(member)));
    }
    *ret_member = member;
    return 0;
}

int
json_get_string(const json_t *object, const char *name, struct span *ret_text, struct fault *why)
{
    json_t *member;
    int failed = get_typed(object, name, JSON_STRING, &member, why);
    if (failed == 0) {
        *ret_text = span_of(json_string_value(member), json_string_length(member));
    }
    return failed;
}

int
json_get_integer(const json_t *object, const char *name, int64_t least, int64_t most,
                 int64_t *ret_value, struct fault *why)
{
    json_t *member;
    int failed = get_typed(object, name, JSON_INTEGER, &member, why);
    if (failed != 0) {
        return failed;
    }
    int64_t value = json_integer_value(member);
    if (value < least || value > most) {
        return fault_set(why, FAULT_INPUT, "json", "%s: %lld is not in %lld to %lld", name,
                         (long long)value, (long long)least, (long long)most);
    }
    *ret_value = value;
    return 0;
}

int
json_get_bool(const json_t *object, const char *name, bool *ret_value, struct fault *why)
{
    json_t *member;
    int failed = get_member(object, name, &member, why);
    if (failed != 0) {
        return failed;
    }
    if (!json_is_boolean(member)) {
        return fault_set(why, FAULT_INPUT, "json", "%s: expected true or false, not %s", name,
                         type_word(json_typeof(member)));
    }
    *ret_value = json_is_true(member);
    return 0;
}

int
json_get_array(const json_t *object, const char *name, json_t **ret_array, struct fault *why)
{
    return get_typed(object, name, JSON_ARRAY, ret_array, why);
}

int
json_get_object(const json_t *object, const char *name, json_t **ret_object, struct fault *why)
{
    return get_typed(object, name, JSON_OBJECT, ret_object, why);
}
