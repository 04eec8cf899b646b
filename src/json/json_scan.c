/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scanner: is this JSON, and where in it does a value stand.
 * Takes hostile bytes, gives spans of the very same bytes, so that what Intel signed is cut out and
 * never rebuilt.
 * Called by collateral, request and config, on any thread.
 * Must never recurse: the open containers are bits in one word, LIMIT_JSON_DEPTH of them. Must
 * never be laxer than the parser that reads the same text later (json_value.c), or a signature
 * would cover something else than what is read.
 * RFC 8259; lone surrogates are refused (section 8.2).
 */
#include "json/json_scan.h"

#include "base/limits.h"
#include "json/json_priv.h"

_Static_assert(LIMIT_JSON_DEPTH <= 32, "one bit of scan.objects per level");

/* What may stand next. */
enum scan_state {
    SCAN_VALUE,          /* a value must */
    SCAN_VALUE_OR_CLOSE, /* just behind '[' */
    SCAN_NAME,           /* behind a ',' in an object */
    SCAN_NAME_OR_CLOSE,  /* just behind '{' */
    SCAN_COMMA_OR_CLOSE  /* behind a value */
};

struct scan {
    struct reader r;
    enum scan_state state;
    unsigned depth;      /* open containers */
    uint32_t objects;    /* bit n: the container at depth n + 1 is an object */
    const char *problem; /* set once something is wrong */
};

static void
skip_blanks(struct reader *r)
{
    while (r->rest.size != 0 && json_is_blank(r->rest.data[0])) {
        r->rest = span_of(r->rest.data + 1, r->rest.size - 1);
    }
}

static bool
refuse(struct scan *scan, const char *problem)
{
    scan->problem = problem;
    return false;
}

static bool
skip_digits(struct reader *r)
{
    uint8_t byte;
    size_t count = 0;
    while (reader_peek(r, &byte) && byte >= '0' && byte <= '9') {
        reader_byte(r, &byte);
        count++;
    }
    return count != 0;
}

static bool
skip_number(struct scan *scan)
{
    struct reader *r = &scan->r;
    reader_skip_text(r, "-");
    /* a zero stands alone: the digit in "01" is then no ',' and no end */
    if (!reader_skip_text(r, "0") && !skip_digits(r)) {
        return refuse(scan, "a value is expected");
    }
    if (reader_skip_text(r, ".") && !skip_digits(r)) {
        return refuse(scan, "digits are expected behind the point");
    }
    if (reader_skip_text(r, "e") || reader_skip_text(r, "E")) {
        if (!reader_skip_text(r, "+")) {
            reader_skip_text(r, "-");
        }
        if (!skip_digits(r)) {
            return refuse(scan, "digits are expected in the exponent");
        }
    }
    return true;
}

/* From the opening quote to behind the closing one. */
static bool
skip_string(struct scan *scan)
{
    uint8_t character[4];
    size_t size;
    if (!reader_skip_text(&scan->r, "\"")) {
        return refuse(scan, "a member name is expected");
    }
    do {
        json_take_plain(&scan->r);
    } while (json_next_character(&scan->r, character, &size));
    if (reader_at_end(&scan->r)) {
        return refuse(scan, "a string does not end");
    }
    return reader_skip_text(&scan->r, "\"") ||
           refuse(scan, "a string holds a control byte, a bad escape or no UTF-8");
}

static bool
skip_name_and_colon(struct scan *scan)
{
    if (!skip_string(scan)) {
        return false;
    }
    skip_blanks(&scan->r);
    if (!reader_skip_text(&scan->r, ":")) {
        return refuse(scan, "a ':' is expected");
    }
    scan->state = SCAN_VALUE;
    return true;
}

static bool
open_container(struct scan *scan, bool is_object)
{
    uint8_t bracket;
    if (scan->depth == LIMIT_JSON_DEPTH) {
        return refuse(scan, "nested deeper than is taken");
    }
    reader_byte(&scan->r, &bracket);
    uint32_t bit = UINT32_C(1) << scan->depth;
    scan->objects = is_object ? scan->objects | bit : scan->objects & ~bit;
    scan->depth++;
    scan->state = is_object ? SCAN_NAME_OR_CLOSE : SCAN_VALUE_OR_CLOSE;
    return true;
}

static bool
in_object(const struct scan *scan)
{
    return (scan->objects >> (scan->depth - 1) & 1) != 0;
}

static bool
close_container(struct scan *scan)
{
    if (!reader_skip_text(&scan->r, in_object(scan) ? "}" : "]")) {
        return false;
    }
    scan->depth--;
    scan->state = SCAN_COMMA_OR_CLOSE;
    return true;
}

static bool
skip_value_start(struct scan *scan)
{
    uint8_t byte;
    if (!reader_peek(&scan->r, &byte)) {
        return refuse(scan, "the text ends where a value is expected");
    }
    if (byte == '{' || byte == '[') {
        return open_container(scan, byte == '{');
    }
    scan->state = SCAN_COMMA_OR_CLOSE;
    if (byte == '"') {
        return skip_string(scan);
    }
    return reader_skip_text(&scan->r, "true") || reader_skip_text(&scan->r, "false") ||
           reader_skip_text(&scan->r, "null") || skip_number(scan);
}

static bool
skip_comma(struct scan *scan)
{
    if (!reader_skip_text(&scan->r, ",")) {
        return refuse(scan,
                      in_object(scan) ? "a ',' or '}' is expected" : "a ',' or ']' is expected");
    }
    scan->state = in_object(scan) ? SCAN_NAME : SCAN_VALUE;
    return true;
}

/* One step: one token, or a name with its colon. */
static bool
scan_step(struct scan *scan)
{
    switch (scan->state) {
    case SCAN_VALUE:
        return skip_value_start(scan);
    case SCAN_VALUE_OR_CLOSE:
        return close_container(scan) || skip_value_start(scan);
    case SCAN_NAME:
        return skip_name_and_colon(scan);
    case SCAN_NAME_OR_CLOSE:
        return close_container(scan) || skip_name_and_colon(scan);
    case SCAN_COMMA_OR_CLOSE:
        return close_container(scan) || skip_comma(scan);
    }
    return false;
}

/* One whole value, without the white space around it. On failure r stands where it went wrong. */
static bool
skip_value(struct reader *r, struct span *ret_value, const char **ret_problem)
{
    skip_blanks(r);
    struct scan scan = {.r = *r, .state = SCAN_VALUE};
    do {
        skip_blanks(&scan.r);
        if (!scan_step(&scan)) {
            *r = scan.r;
            *ret_problem = scan.problem;
            return false;
        }
    } while (scan.depth != 0 || scan.state != SCAN_COMMA_OR_CLOSE);
    *ret_value = span_of(r->rest.data, r->rest.size - scan.r.rest.size);
    *r = scan.r;
    return true;
}

int
json_check(struct span text, struct fault *why)
{
    struct reader r = reader_of(text);
    struct span value;
    const char *problem = "nothing may stand behind the value";
    if (skip_value(&r, &value, &problem)) {
        skip_blanks(&r);
        if (reader_at_end(&r)) {
            return 0;
        }
    }
    return fault_set(why, FAULT_INPUT, "json", "byte %zu of %zu: %s", text.size - r.rest.size,
                     text.size, problem);
}

int
json_walk_init(struct json_walk *walk, struct span container, struct fault *why)
{
    struct reader r = reader_of(container);
    skip_blanks(&r);
    bool is_object = reader_skip_text(&r, "{");
    if (!is_object && !reader_skip_text(&r, "[")) {
        return fault_set(why, FAULT_INPUT, "json", "an object or an array is expected");
    }
    *walk = (struct json_walk){.rest = r.rest, .is_object = is_object};
    return 0;
}

/* The name's raw bytes, and r behind the colon. */
static bool
walk_name(struct reader *r, struct span *ret_name)
{
    struct scan scan = {.r = *r};
    if (!skip_string(&scan)) {
        return false;
    }
    struct span name = span_of(r->rest.data + 1, r->rest.size - scan.r.rest.size - 2);
    skip_blanks(&scan.r);
    if (!reader_skip_text(&scan.r, ":")) {
        return false;
    }
    *ret_name = name;
    *r = scan.r;
    return true;
}

/* FAULT_INPUT comes only from text that json_check has not passed. */
int
json_walk_next(struct json_walk *walk, struct span *ret_name, struct span *ret_value)
{
    struct reader r = reader_of(walk->rest);
    struct span name = {0};
    struct span value;
    const char *problem;
    if (walk->done) {
        return FAULT_NOT_FOUND;
    }
    skip_blanks(&r);
    if (reader_skip_text(&r, walk->is_object ? "}" : "]")) {
        walk->done = true;
        walk->rest = r.rest;
        return FAULT_NOT_FOUND;
    }
    if (walk->started && !reader_skip_text(&r, ",")) {
        return FAULT_INPUT;
    }
    skip_blanks(&r);
    if ((walk->is_object && !walk_name(&r, &name)) || !skip_value(&r, &value, &problem)) {
        return FAULT_INPUT;
    }
    walk->rest = r.rest;
    walk->started = true;
    *ret_name = name;
    *ret_value = value;
    return 0;
}

/* Compares with escapes resolved: "\u0066mspc" is fmspc to every parser. */
static bool
name_is(struct span raw, const char *name)
{
    struct reader r = reader_of(raw);
    struct span rest = span_of_text(name);
    uint8_t character[4];
    size_t size;
    while (json_next_character(&r, character, &size)) {
        if (rest.size < size || memcmp(rest.data, character, size) != 0) {
            return false;
        }
        rest = span_of(rest.data + size, rest.size - size);
    }
    return reader_at_end(&r) && rest.size == 0;
}

int
json_find_member(struct span text, const char *name, struct span *ret_value, struct fault *why)
{
    struct json_walk walk;
    struct span member;
    struct span value;
    struct span found = {0};
    bool is_found = false;
    int failed = json_walk_init(&walk, text, NULL);
    if (failed != 0 || !walk.is_object) {
        return fault_set(why, FAULT_INPUT, "json", "an object with %s is expected", name);
    }
    while ((failed = json_walk_next(&walk, &member, &value)) == 0) {
        if (!name_is(member, name)) {
            continue;
        }
        if (is_found) {
            return fault_set(why, FAULT_INPUT, "json", "%s stands twice (RFC 8259, 4)", name);
        }
        is_found = true;
        found = value;
    }
    if (failed != FAULT_NOT_FOUND) {
        return fault_set(why, FAULT_INPUT, "json", "the object that should have %s is malformed",
                         name);
    }
    if (!is_found) {
        return fault_set(why, FAULT_NOT_FOUND, "json", "%s is missing", name);
    }
    *ret_value = found;
    return 0;
}
