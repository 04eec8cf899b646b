/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the three files that take the platform collaterals file apart share: members as spans
 * (collaterals_member.c), signed items (collaterals_items.c), the file (collaterals_file.c). place
 * says in a fault where in the file it was: "collaterals.pck_certs[3]".
 */
#ifndef COLLATERAL_COLLATERALS_PRIV_H
#define COLLATERAL_COLLATERALS_PRIV_H

#include "collateral/collaterals_file.h"
#include "json/json_scan.h"

enum { PLACE_SIZE = 128 };

/* A member looked for in an object: one walk finds all of them. */
struct member {
    const char *name;
    bool found;
    struct span value; /* in the text of the file */
};

int collaterals_out_of_memory(struct fault *why);

/* Finds members in object. One that is absent stays not found; one that stands twice is refused:
 * two readers could take different ones. */
int members_find(struct span object, const char *place, struct member *members, size_t count,
                 struct fault *why) must_check;
int member_require(const struct member *member, const char *place, struct fault *why) must_check;
int array_open(struct span array, const char *place, struct json_walk *ret_walk,
               struct fault *why) must_check;
/* Appends the decoded string value; b's ceiling is the longest that is taken. No NUL in it. */
int string_get(struct span value, const char *place, struct buf *b, struct fault *why) must_check;
/* The string of a member that may be absent: a heap copy, "" then. */
int member_get_text(const struct member *member, const char *place, size_t size_max,
                    char **ret_text, struct fault *why) must_check;
/* Hex of an even length, as upper case; "" where absent or empty. */
int member_get_hex(const struct member *member, const char *place, size_t digits_max,
                   char **ret_hex, struct fault *why) must_check;
/* verify.c decodes; a broken escape is a fault of the upload's form, so it is told here. */
bool percent_escapes_are_whole(const char *text);

/* Room for one element more than count: the array (moved, perhaps), the new element zeroed; NULL
 * if memory ran out, and elements is as it was. The capacity follows from the count. */
void *array_room(void *elements, size_t count, size_t element_size);

/* Fills file->items from the members of "collaterals" that hold signed items, and the two
 * pck_chains. */
int collaterals_items_parse(struct span collaterals, struct collaterals_file *file,
                            struct fault *why) must_check;
void collaterals_item_done(struct collaterals_item *item);

#endif
