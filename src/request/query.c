/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parameters of a query, and the small conversions that this room's parsers share.
 *
 * A query is searched again for every name that a route knows: there are five at most, unknown ones
 * cost nothing but a comparison, and no table of parameters has to be built or bounded.
 * Called by request.c and the bodies' parsers. Must never allocate for a query.
 * api.md, Transport: the first of equal names wins, names are case-sensitive.
 */
#include "base/hex.h"
#include "base/mem.h"
#include "request/request_priv.h"
#include "json/json_value.h"

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of the escape at text[at], or -1 if it is none. */
static int
escape_at(struct span text, size_t at)
{
    if (at + 2 >= text.size) {
        return -1;
    }
    int high = hex_digit(text.data[at + 1]);
    int low = hex_digit(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* A broken escape in a name stands for itself: such a parameter is unknown, not an error. */
static bool
name_is(struct span raw, const char *name)
{
    size_t at = 0;
    for (; *name != '\0'; name++) {
        if (at >= raw.size) {
            return false;
        }
        int c = raw.data[at];
        int escaped = c == '%' ? escape_at(raw, at) : -1;
        at += escaped >= 0 ? 3 : 1;
        if ((escaped >= 0 ? escaped : c) != (uint8_t)*name) {
            return false;
        }
    }
    return at == raw.size;
}

bool
query_find(struct span query, const char *name, struct span *ret_value)
{
    while (query.size > 0) {
        const uint8_t *ampersand = memchr(query.data, '&', query.size);
        size_t pair_size = ampersand != NULL ? (size_t)(ampersand - query.data) : query.size;
        const uint8_t *equals = memchr(query.data, '=', pair_size);
        size_t name_size = equals != NULL ? (size_t)(equals - query.data) : pair_size;
        if (name_is(span_of(query.data, name_size), name)) {
            size_t value_at = equals != NULL ? name_size + 1 : pair_size;
            *ret_value = span_of(query.data + value_at, pair_size - value_at);
            return true;
        }
        size_t used = ampersand != NULL ? pair_size + 1 : pair_size;
        query = span_of(query.data + used, query.size - used);
    }
    return false;
}

bool
query_decode(struct span raw, enum query_plus plus, char *out, size_t out_size,
             struct span *ret_value)
{
    size_t size = 0;
    for (size_t at = 0; at < raw.size;) {
        int c = raw.data[at];
        if (c == '%') {
            c = escape_at(raw, at);
            at += 2;
        } else if (c == '+' && plus == QUERY_PLUS_IS_BLANK) {
            c = ' ';
        }
        at++;
        if (c <= 0 || size == out_size) {
            return false;
        }
        out[size++] = (char)c;
    }
    *ret_value = span_of(out, size);
    return true;
}

static char
upper(uint8_t c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

char *
text_dup_upper(struct span text)
{
    char *copy = span_dup_text(text);
    for (size_t i = 0; copy != NULL && i < text.size; i++) {
        copy[i] = upper((uint8_t)copy[i]);
    }
    return copy;
}

bool
hex_to_upper(struct span text, size_t digits, char *out)
{
    if (!hex_is_sized(text, digits)) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        out[i] = upper(text.data[i]);
    }
    out[digits] = '\0';
    return true;
}

int
member_text(const json_t *object, const char *name, struct span *ret_text, bool *ret_present,
            struct fault *why)
{
    struct span text = {0};
    int code = json_get_string(object, name, &text, why);
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return code;
    }
    *ret_text = text;
    *ret_present = code == 0;
    return 0;
}
