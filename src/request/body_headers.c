/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is the body of this request JSON in UTF-8, as it stands?
 *
 * Takes the header fields; says yes, or which status the client gets: 400 where the type is another
 * one or missing, 415 where a charset or a content coding is not taken. Called by the server's
 * loops for routes with a body, after authentication. Must never look at the body itself.
 * api.md, Transport.
 */
#include "request/request.h"

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct span
trim(struct span text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* What stands before the next ';', and the rest behind it. */
static struct span
cut_semicolon(struct span *rest)
{
    const uint8_t *semicolon = rest->size > 0 ? memchr(rest->data, ';', rest->size) : NULL;
    size_t size = semicolon != NULL ? (size_t)(semicolon - rest->data) : rest->size;
    struct span before = span_of(rest->data, size);
    size_t used = semicolon != NULL ? size + 1 : size;
    *rest = span_of(rest->data + used, rest->size - used);
    return trim(before);
}

/* charset=utf-8, in any case, with or without quotes; other parameters mean nothing here. */
static bool
parameter_is_taken(struct span parameter)
{
    const uint8_t *equals = parameter.size > 0 ? memchr(parameter.data, '=', parameter.size) : NULL;
    size_t name_size = equals != NULL ? (size_t)(equals - parameter.data) : parameter.size;
    if (equals == NULL || !span_is_nocase(span_of(parameter.data, name_size), "charset")) {
        return true;
    }
    struct span value = span_of(equals + 1, parameter.size - name_size - 1);
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
        value = span_of(value.data + 1, value.size - 2);
    }
    return span_is_nocase(value, "utf-8") || span_is_nocase(value, "utf8");
}

static int
check_content_type(struct span value, struct fault *why)
{
    struct span rest = value;
    if (!span_is_nocase(cut_semicolon(&rest), "application/json")) {
        return fault_set(why, FAULT_INPUT, "headers", "Content-Type is not application/json");
    }
    while (rest.size > 0) {
        if (!parameter_is_taken(cut_semicolon(&rest))) {
            return fault_set(why, FAULT_MEDIA_TYPE, "headers", "the charset is not UTF-8");
        }
    }
    return 0;
}

int
request_check_body_headers(const struct header *headers, size_t count, struct fault *why)
{
    bool has_type = false;
    for (size_t i = 0; i < count; i++) {
        if (span_is_nocase(headers[i].name, "content-encoding")) {
            if (!span_is_nocase(headers[i].value, "identity")) {
                return fault_set(why, FAULT_MEDIA_TYPE, "headers",
                                 "Content-Encoding is not taken, send the JSON as it is");
            }
        } else if (span_is_nocase(headers[i].name, "content-type")) {
            if (has_type) {
                return fault_set(why, FAULT_INPUT, "headers", "two Content-Type fields");
            }
            has_type = true;
            int code = check_content_type(headers[i].value, why);
            if (code != 0) {
                return code;
            }
        }
    }
    return has_type ? 0 : fault_set(why, FAULT_INPUT, "headers", "Content-Type is missing");
}
