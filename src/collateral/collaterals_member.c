/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Members of the platform collaterals file, as spans of its text: found in one walk, decoded,
 * checked for their form.
 *
 * Takes a text that json_check passed; gives heap copies, or FAULT_INPUT that names the place.
 * Called by collaterals_file.c and collaterals_items.c on whatever thread parses; pure. Must never
 * take a member that stands twice, nor a string with a NUL in it: what follows works on C strings.
 *
 * clients.md 5.2.
 */
#include "collateral/collaterals_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"

int
collaterals_out_of_memory(struct fault *why)
{
    return fault_set(why, FAULT_MEMORY, "parse", "no memory for the collaterals file");
}

int
members_find(struct span object, const char *place, struct member *members, size_t count,
             struct fault *why)
{
    struct json_walk walk;
    if (json_walk_init(&walk, object, NULL) != 0 || !walk.is_object) {
        return fault_set(why, FAULT_INPUT, "parse", "%s: expected an object", place);
    }
    struct span name, value;
    while (json_walk_next(&walk, &name, &value) == 0) {
        struct member *member = NULL;
        for (size_t i = 0; member == NULL && i < count; i++) {
            member = span_is(name, members[i].name) ? &members[i] : NULL;
        }
        if (member == NULL) {
            continue;
        }
        if (member->found) {
            return fault_set(why, FAULT_INPUT, "parse", "%s: member %s stands twice", place,
                             member->name);
        }
        member->found = true;
        member->value = value;
    }
    return 0;
}

int
member_require(const struct member *member, const char *place, struct fault *why)
{
    if (!member->found) {
        return fault_set(why, FAULT_INPUT, "parse", "%s: member %s is missing", place,
                         member->name);
    }
    return 0;
}

int
array_open(struct span array, const char *place, struct json_walk *ret_walk, struct fault *why)
{
    struct json_walk walk;
    if (json_walk_init(&walk, array, NULL) != 0 || walk.is_object) {
        return fault_set(why, FAULT_INPUT, "parse", "%s: expected an array", place);
    }
    *ret_walk = walk;
    return 0;
}

int
string_get(struct span value, const char *place, struct buf *b, struct fault *why)
{
    int rc = json_add_string(b, value);
    if (rc == FAULT_MEMORY) {
        return collaterals_out_of_memory(why);
    }
    if (rc == FAULT_TOO_LARGE) {
        return fault_set(why, FAULT_INPUT, "parse", "%s: longer than %zu bytes", place,
                         b->size_max);
    }
    if (rc != 0) {
        return fault_set(why, FAULT_INPUT, "parse", "%s: expected a string", place);
    }
    if (b->size > 0 && memchr(b->data, 0, b->size) != NULL) {
        return fault_set(why, FAULT_INPUT, "parse", "%s: holds a NUL", place);
    }
    return 0;
}

int
member_get_text(const struct member *member, const char *place, size_t size_max, char **ret_text,
                struct fault *why)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(size_max);
    char at[PLACE_SIZE];
    snprintf(at, sizeof at, "%.80s.%.40s", place, member->name);
    int rc = member->found ? string_get(member->value, at, &b, why) : 0;
    if (rc != 0) {
        return rc;
    }
    char *text = span_dup_text(buf_span(&b));
    if (text == NULL) {
        return collaterals_out_of_memory(why);
    }
    *ret_text = text;
    return 0;
}

int
member_get_hex(const struct member *member, const char *place, size_t digits_max, char **ret_hex,
               struct fault *why)
{
    auto_free char *hex = NULL;
    int rc = member_get_text(member, place, digits_max, &hex, why);
    if (rc != 0) {
        return rc;
    }
    struct span digits = span_of_text(hex);
    if (!hex_is(digits) || digits.size % 2 != 0) {
        return fault_set(why, FAULT_INPUT, "parse", "%s.%s: expected hex digits", place,
                         member->name);
    }
    for (char *c = hex; *c != '\0'; c++) {
        *c = *c >= 'a' && *c <= 'f' ? (char)(*c - 'a' + 'A') : *c;
    }
    *ret_hex = take(&hex);
    return 0;
}

bool
percent_escapes_are_whole(const char *text)
{
    for (const char *c = strchr(text, '%'); c != NULL; c = strchr(c + 1, '%')) {
        if (!hex_is_sized(span_of(c + 1, strnlen(c + 1, 2)), 2)) {
            return false;
        }
    }
    return true;
}

void *
array_room(void *elements, size_t count, size_t element_size)
{
    enum { FIRST = 8 };
    bool is_full = count == 0 || (count >= FIRST && (count & (count - 1)) == 0);
    if (is_full) {
        elements = reallocarray(elements, count == 0 ? FIRST : count * 2, element_size);
    }
    if (elements != NULL) {
        memset((uint8_t *)elements + count * element_size, 0, element_size);
    }
    return elements;
}
