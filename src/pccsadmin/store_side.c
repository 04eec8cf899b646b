/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds out what store a word of the command line means, and opens it: sqlite:PATH, a path to an
 * SQLite file, or a path to a configuration of pccsd, whose DB_CONFIG decides. A configuration is
 * read with local.json beside it and without the environment, which would change both sides alike.
 * Takes the word; gives an open store. Called by store copy, on the main thread.
 * Must never make a new file because a name was misspelt, nor tell a password.
 */
#include "pccsadmin/store_side.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/url.h"
#include "setup/options.h"
#include "setup/store_open.h"

static const char sqlite_prefix[] = "sqlite:";
static const char sqlite_magic[] = "SQLite format 3"; /* and its NUL: sqlite.org/fileformat2.html */

/* ---- reading ---- */

static bool
is_sqlite(const struct store_side *side)
{
    return strcmp(side->config.db_config, "sqlite") == 0;
}

static bool
text_replace(char **place, const char *text)
{
    char *copy = strdup(text);
    if (copy != NULL) {
        free(*place);
        *place = copy;
    }
    return copy != NULL;
}

static int
file_take(const char *path, struct store_side *side, struct fault *why)
{
    if (path[0] == '\0' || strcmp(path, ":memory:") == 0) {
        return fault_set(why, FAULT_CONFIG, "config", "'%s' is no path of an SQLite file", path);
    }
    config_init(&side->config);
    if (side->config.db_config == NULL || !text_replace(&side->config.db_config, "sqlite") ||
        !text_replace(&side->config.sqlite_storage, path)) {
        return fault_set(why, FAULT_MEMORY, "config", "memory ran out");
    }
    return config_check(&side->config, why);
}

static int
configuration_take(const char *path, struct store_side *side, struct fault *why)
{
    auto_cleanup(buf_done) struct buf warnings = BUF_INIT(OPTIONS_WARNINGS_BYTES_MAX);
    auto_cleanup(options_done) struct options options = {0};
    int failed = options_find(path, &options, why);
    options.without_environment = true;
    failed = failed != 0 ? failed : options_read(&options, &side->config, &warnings, why);
    if (failed != 0) {
        return failed;
    }
    side->is_configuration = true;
    if (is_sqlite(side) && strcmp(side->config.sqlite_storage, ":memory:") == 0) {
        return fault_set(why, FAULT_CONFIG, "config",
                         "%s: its database is in memory, there is nothing to copy", path);
    }
    return 0;
}

/* FAULT_CONFIG if it cannot be read. */
static int
file_is_sqlite(const char *path, bool *ret_is, struct fault *why)
{
    char head[sizeof sqlite_magic] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = fd >= 0 ? read(fd, head, sizeof head) : -1;
    int number = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (size < 0 && number == ENOENT) {
        return fault_set(why, FAULT_CONFIG, "config",
                         "%s is not there; name a new SQLite file as %s%s", path, sqlite_prefix,
                         path);
    }
    if (size < 0) {
        return fault_set_number(why, FAULT_CONFIG, "config", number, "%s cannot be read: %s", path,
                                strerror(number));
    }
    *ret_is = size == sizeof head && memcmp(head, sqlite_magic, sizeof head) == 0;
    return 0;
}

static void
shown_make(struct store_side *side)
{
    const struct config_db_server *server = &side->config.db_server;
    if (is_sqlite(side)) {
        snprintf(side->shown, sizeof side->shown, "sqlite %s", side->config.sqlite_storage);
    } else {
        snprintf(side->shown, sizeof side->shown, "%s %s:%d/%s", side->config.db_config,
                 server->host, server->port, server->database);
    }
}

int
store_side_read(const char *name, struct store_side *ret_side, struct fault *why)
{
    size_t prefix = strlen(sqlite_prefix);
    bool is_file = false;
    *ret_side = (struct store_side){0};
    int failed = 0;
    if (strncmp(name, sqlite_prefix, prefix) == 0) {
        failed = file_take(name + prefix, ret_side, why);
    } else {
        failed = file_is_sqlite(name, &is_file, why);
        failed = failed != 0 ? failed
                 : is_file   ? file_take(name, ret_side, why)
                             : configuration_take(name, ret_side, why);
    }
    if (failed == 0) {
        shown_make(ret_side);
    }
    return failed;
}

int
store_side_set_uri(struct store_side *side, const char *uri, struct fault *why)
{
    if (!text_replace(&side->config.uri, uri)) {
        return fault_set(why, FAULT_MEMORY, "config", "memory ran out");
    }
    return config_check(&side->config, why);
}

/* ---- comparing ---- */

static bool
file_is_same(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

/* Two names of one server are found out by store_copy.c, once both are open. */
bool
store_side_is_same(const struct store_side *a, const struct store_side *b)
{
    if (is_sqlite(a) || is_sqlite(b)) {
        return is_sqlite(a) && is_sqlite(b) &&
               (strcmp(a->config.sqlite_storage, b->config.sqlite_storage) == 0 ||
                file_is_same(a->config.sqlite_storage, b->config.sqlite_storage));
    }
    const struct config_db_server *left = &a->config.db_server;
    const struct config_db_server *right = &b->config.db_server;
    return strcasecmp(left->host, right->host) == 0 && left->port == right->port &&
           strcmp(left->database, right->database) == 0;
}

bool
store_side_is_same_pcs(const struct store_side *a, const struct store_side *b)
{
    struct url_parts left, right;
    return url_split(span_of_text(a->config.uri), &left) == 0 &&
           url_split(span_of_text(b->config.uri), &right) == 0 &&
           left.host.size == right.host.size &&
           strncasecmp((const char *)left.host.data, (const char *)right.host.data,
                       left.host.size) == 0;
}

/* ---- opening ---- */

static void
on_notice(void *self, const char *text)
{
    const struct store_side *side = self;
    say_warning("%s: %s", side->shown, text);
}

int
store_side_open(struct store_side *side, bool may_make, struct fault *why)
{
    side->config.init_db = side->config.init_db && may_make;
    return store_open_with(&side->config, clock_system(), on_notice, side, &side->store, why);
}

void
store_side_done(struct store_side *side)
{
    if (side->store != NULL) {
        store_close(side->store);
    }
    config_done(&side->config);
    *side = (struct store_side){0};
}
