/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exchanges several files at once as well as a file system can: all are written aside and synced,
 * then renamed one after the other, and renamed back if one of them fails.
 * Takes places and contents; gives files, and the names that those they replaced have now.
 * Called by pccsadmin init --from, on the main thread: the whole process changes its effective user
 * for a while.
 * Must never remove a file that it did not make.
 */
#include "pccsadmin/init_place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { KEPT_MAX = 99, FOLDER_MODE = 0750 };

static const char ready_suffix[] = ".taking-over";
static const char kept_suffix[] = ".before-takeover";
/* What belongs to a database goes with it: SQLite would apply an old journal to a new file. */
static const char *const companions[] = {"-wal", "-journal", "-shm"};

static int
fault_errno(struct fault *why, const char *doing, const char *path)
{
    int number = errno;
    return fault_set_number(why, FAULT_IO, "file", number, "cannot %s %s: %s", doing, path,
                            strerror(number));
}

static void
folder_of(const char *path, char out[PATH_MAX])
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    snprintf(out, PATH_MAX, "%s", dirname(copy));
}

/* ---- whose ---- */

void
place_act_as_owner(const char *path)
{
    char folder[PATH_MAX];
    struct stat status;
    if (getuid() != 0) {
        return;
    }
    folder_of(path, folder);
    while (stat(folder, &status) != 0 && strcmp(folder, "/") != 0 && strcmp(folder, ".") != 0) {
        char above[PATH_MAX];
        folder_of(folder, above);
        snprintf(folder, sizeof folder, "%s", above);
    }
    if (stat(folder, &status) != 0 || status.st_uid == 0) {
        return;
    }
    /* no chance to go on as root without meaning to */
    must(setgroups(0, NULL) == 0 && setegid(status.st_gid) == 0 && seteuid(status.st_uid) == 0);
}

void
place_act_as_self(void)
{
    if (getuid() == 0) {
        must(seteuid(0) == 0 && setegid(0) == 0);
    }
}

/* ---- making ready ---- */

static int
folder_make(const char *target, struct fault *why)
{
    char folder[PATH_MAX];
    folder_of(target, folder);
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST) {
        return fault_errno(why, "make the folder", folder);
    }
    return 0;
}

/* What a run that was killed left behind. */
static int
ready_clear(const char *ready, struct fault *why)
{
    char name[PATH_MAX];
    if (unlink(ready) != 0 && errno != ENOENT) {
        return fault_errno(why, "remove", ready);
    }
    for (size_t i = 0; i < ARRAY_COUNT(companions); i++) {
        if (snprintf(name, sizeof name, "%s%s", ready, companions[i]) < PATH_MAX) {
            (void)unlink(name);
        }
    }
    return 0;
}

int
placing_add(struct placing *placing, const char *target, struct placing_item **ret_item,
            struct fault *why)
{
    must(placing->count < PLACING_MAX);
    struct placing_item *item = &placing->items[placing->count];
    *item = (struct placing_item){0};
    if (strlen(target) + sizeof kept_suffix + sizeof ".99-journal" > PATH_MAX) {
        return fault_set(why, FAULT_CONFIG, "file", "the path %.100s... is too long", target);
    }
    snprintf(item->target, sizeof item->target, "%s", target);
    int failed = folder_make(target, why);
    snprintf(item->ready, sizeof item->ready, "%s%s", target, ready_suffix);
    failed = failed != 0 ? failed : ready_clear(item->ready, why);
    if (failed == 0) {
        placing->count++;
        *ret_item = item;
    }
    return failed;
}

int
placing_add_text(struct placing *placing, const char *target, struct span text, mode_t mode,
                 struct fault *why)
{
    struct placing_item *item = NULL;
    int failed = placing_add(placing, target, &item, why);
    return failed != 0 ? failed : file_write_atomic(item->ready, text, mode, why);
}

/* ---- exchanging ---- */

static int
kept_find(struct placing_item *item, struct fault *why)
{
    for (int number = 1; number <= KEPT_MAX; number++) {
        char end[8] = "";
        if (number > 1) {
            snprintf(end, sizeof end, ".%d", number);
        }
        int size =
            snprintf(item->kept, sizeof item->kept, "%s%s%s", item->target, kept_suffix, end);
        must(size > 0 && size < PATH_MAX);
        struct stat status;
        if (lstat(item->kept, &status) != 0 && errno == ENOENT) {
            return 0;
        }
    }
    item->kept[0] = '\0';
    return fault_set(why, FAULT_CONFIG, "file", "there are %d files %s%s already: move them away",
                     KEPT_MAX, item->target, kept_suffix);
}

/* Also what belongs to it; it may be missing. */
static int
rename_with_companions(const char *from, const char *to, struct fault *why)
{
    if (rename(from, to) != 0) {
        return fault_errno(why, "rename", from);
    }
    for (size_t i = 0; i < ARRAY_COUNT(companions); i++) {
        char a[PATH_MAX];
        char b[PATH_MAX];
        bool fits = snprintf(a, sizeof a, "%s%s", from, companions[i]) < PATH_MAX &&
                    snprintf(b, sizeof b, "%s%s", to, companions[i]) < PATH_MAX;
        if (fits && rename(a, b) != 0 && errno != ENOENT) {
            return fault_errno(why, "rename", a);
        }
    }
    return 0;
}

static int
item_place(struct placing_item *item, struct fault *why)
{
    struct stat status;
    int failed = 0;
    if (lstat(item->target, &status) == 0) {
        failed = kept_find(item, why);
        failed = failed != 0 ? failed : rename_with_companions(item->target, item->kept, why);
    }
    if (failed == 0 && rename(item->ready, item->target) != 0) {
        failed = fault_errno(why, "rename", item->ready);
    }
    item->is_placed = failed == 0;
    return failed;
}

static void
item_take_back(struct placing_item *item)
{
    struct fault ignored;
    if (item->is_placed) {
        (void)rename(item->target, item->ready);
        item->is_placed = false;
    }
    struct stat status;
    if (item->kept[0] != '\0' && lstat(item->target, &status) != 0) {
        int failed = rename_with_companions(item->kept, item->target, &ignored);
        item->kept[0] = failed == 0 ? '\0' : item->kept[0];
    }
}

/* A loss of power after "done" must not undo it. */
static void
folder_sync(const char *path)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

int
placing_commit(struct placing *placing, struct fault *why)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < placing->count; i++) {
        place_act_as_owner(placing->items[i].target);
        failed = item_place(&placing->items[i], why);
        place_act_as_self();
    }
    for (size_t i = placing->count; failed != 0 && i-- > 0;) {
        place_act_as_owner(placing->items[i].target);
        item_take_back(&placing->items[i]);
        place_act_as_self();
    }
    for (size_t i = 0; failed == 0 && i < placing->count; i++) {
        folder_sync(placing->items[i].target);
    }
    return failed;
}

void
placing_done(struct placing *placing)
{
    for (size_t i = 0; i < placing->count; i++) {
        struct placing_item *item = &placing->items[i];
        struct fault ignored;
        if (!item->is_placed) {
            place_act_as_owner(item->target);
            (void)ready_clear(item->ready, &ignored);
            place_act_as_self();
        }
    }
    placing->count = 0;
}
