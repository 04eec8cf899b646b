/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * New files that take their places together or not at all. Each is made ready beside its place;
 * what stands there is renamed, never removed; a failure half-way renames all of it back.
 */
#ifndef PCCSADMIN_INIT_PLACE_H
#define PCCSADMIN_INIT_PLACE_H

#include <limits.h>
#include <sys/types.h>

#include "base/fault.h"
#include "base/span.h"

enum { PLACING_MAX = 8 };

struct placing_item {
    char target[PATH_MAX];
    char ready[PATH_MAX]; /* "" until it is */
    char kept[PATH_MAX];  /* the new name of what stood there; "" if nothing did */
    bool is_placed;
};

struct placing {
    struct placing_item items[PLACING_MAX];
    size_t count;
};

/* Adds an item and names, in (*ret_item)->ready, the file that its content shall go into: it is not
 * there. Makes the folder if only it is missing. */
int placing_add(struct placing *placing, const char *target, struct placing_item **ret_item,
                struct fault *why) must_check;
/* Adds an item with this content. */
int placing_add_text(struct placing *placing, const char *target, struct span text, mode_t mode,
                     struct fault *why) must_check;
/* All of them take their places. On failure everything is as it was. */
int placing_commit(struct placing *placing, struct fault *why) must_check;
/* Removes what is ready and was not placed. */
void placing_done(struct placing *placing);

/* Root acts as the owner of the folder that path lies in (or of the next one above that is there),
 * so that no link which that account planted can lead root astray, and new files are its own.
 * Others act as themselves. place_act_as_self ends it. */
void place_act_as_owner(const char *path);
void place_act_as_self(void);

#endif
