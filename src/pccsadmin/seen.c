/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of texts by their SHA-256, in a table with open addressing: ten thousand platforms need
 * half a megabyte. Takes texts; tells whether each was there. Called by fetch, cache and collect on
 * the main thread. Must never take two texts for one: the digest is long enough for that.
 */
#include "pccsadmin/seen.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 256 };

void
seen_done(struct seen *seen)
{
    free(seen->entries);
    *seen = (struct seen){0};
}

/* Where the digest is, or would be: there is always room. */
static struct seen_entry *
place_of(struct seen_entry *entries, size_t room, const uint8_t digest[32])
{
    uint64_t at;
    memcpy(&at, digest, sizeof at);
    for (;; at++) {
        struct seen_entry *entry = &entries[at & (room - 1)];
        if (!entry->is_used || memcmp(entry->digest, digest, sizeof entry->digest) == 0) {
            return entry;
        }
    }
}

static bool
grow(struct seen *seen)
{
    size_t room = seen->room == 0 ? ROOM_FIRST : 2 * seen->room;
    struct seen_entry *entries = calloc(room, sizeof entries[0]);
    if (entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < seen->room; i++) {
        if (seen->entries[i].is_used) {
            *place_of(entries, room, seen->entries[i].digest) = seen->entries[i];
        }
    }
    free(seen->entries);
    seen->entries = entries;
    seen->room = room;
    return true;
}

struct seen_entry *
seen_add(struct seen *seen, struct span text, bool *ret_is_new)
{
    uint8_t digest[32];
    if ((2 * (seen->count + 1) > seen->room && !grow(seen)) ||
        EVP_Digest(text.data, text.size, digest, NULL, EVP_sha256(), NULL) != 1) {
        return NULL;
    }
    struct seen_entry *entry = place_of(seen->entries, seen->room, digest);
    *ret_is_new = !entry->is_used;
    if (!entry->is_used) {
        memcpy(entry->digest, digest, sizeof digest);
        entry->is_used = true;
        seen->count++;
    }
    return entry;
}
