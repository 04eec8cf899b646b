/* SPDX-License-Identifier: BSD-3-Clause */
/* Which texts were met before, and what came of them: a set of digests, so that it stays small. */
#ifndef PCCSADMIN_SEEN_H
#define PCCSADMIN_SEEN_H

#include "base/fault.h"
#include "base/span.h"

struct seen_entry {
    uint8_t digest[32];
    bool is_used, is_good; /* is_good: the caller's mark */
};

struct seen {
    struct seen_entry *entries;
    size_t count, room; /* room: a power of two, or 0 */
};

void seen_done(struct seen *seen);
/* The entry of a text; *ret_is_new tells whether it was met for the first time. Valid until the
 * next call. NULL if memory ran out. */
struct seen_entry *seen_add(struct seen *seen, struct span text, bool *ret_is_new);

#endif
