/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SQLite driver: opens the database and fills in the table of functions behind the port.
 * Takes options, gives a struct store; many threads may use it, see store_connection.c for locks.
 * WAL, so that readers never wait for the writer; synchronous=FULL, so that what was acknowledged
 * survives a loss of power; 2 MB of cache a connection and no mmap, so that a million platforms
 * need no more memory than a hundred; foreign keys off, as the schema has none.
 * Called by main: opened once, closed last. Another process on the same file is refused by a lock
 * on NAME.lock, which SQLite, its shell and the reference do not touch: they may read.
 * Must never unlink that file: two processes could then hold two locks.
 * database.md; ports/store_port.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_priv.h"

enum {
    BUSY_TIMEOUT_MS = 5000,
    DATABASE_MODE = 0640, /* as the reference has it: PPIDs and manifests are in it */
    PATH_SHOWN = 100,     /* of a path in a fault's text */
    READERS_MAX = 8,      /* with 2 MB of cache each; look-ups take microseconds */
};

const char *
sqlite_path_shown(const char *path)
{
    size_t size = strlen(path);
    return size > PATH_SHOWN ? path + size - PATH_SHOWN : path;
}

static const struct store_driver sqlite_driver = {
    .name = "sqlite",
    DB_DRIVER_COMMON,
};

/* ---- opening ---- */

void
sqlite_db_free(struct sqlite_db *db)
{
    if (db->lock_fd >= 0) {
        close(db->lock_fd);
    }
    free(db->path);
    free(db);
}

static struct sqlite_db *
db_new(const struct store_options *options)
{
    struct sqlite_db *db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return NULL;
    }
    db->in_memory = strcmp(options->path, ":memory:") == 0;
    db->busy_timeout_ms =
        options->busy_timeout_ms != 0 ? options->busy_timeout_ms : BUSY_TIMEOUT_MS;
    db->lock_fd = -1;
    db->db.store.driver = &sqlite_driver;
    db->db.engine = &sqlite_engine;
    db->db.clock = options->clock;
    db->db.pool_max = READERS_MAX;
    db->db.has_writer = true;
    db->db.only_writer = db->in_memory;
    db->db.list_bytes_max =
        options->list_bytes_max != 0 ? options->list_bytes_max : LIMIT_QUEUE_LIST_BYTES;
    db_init(&db->db);
    return db;
}

static int
file_fault(struct fault *why, const char *what)
{
    int number = errno;
    return fault_set_number(why, FAULT_CONFIG, "store", number, "%s: %s", what, strerror(number));
}

/* Makes an empty file if there is none and may be one; *ret_path is absolute, links resolved, so
 * that one file has one lock. A file that is there is not opened: closing it again would drop the
 * locks that SQLite may hold on it in this process. */
static int
file_make(const struct store_options *options, char **ret_path, struct fault *why)
{
    if (options->init_db) {
        int fd = open(options->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, DATABASE_MODE);
        if (fd < 0 && errno != EEXIST) {
            return file_fault(why, "cannot be made");
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    char *path = realpath(options->path, NULL);
    struct stat file;
    if (path == NULL || stat(path, &file) != 0) {
        int code = file_fault(why, options->init_db ? "cannot be found"
                                                    : "cannot be found, and init_db is false");
        free(path);
        return code;
    }
    if (!S_ISREG(file.st_mode)) {
        free(path);
        return fault_set(why, FAULT_CONFIG, "store", "it is not a regular file");
    }
    *ret_path = path;
    return 0;
}

static int
file_lock(struct sqlite_db *db, struct fault *why)
{
    auto_free char *name = NULL;
    if (asprintf(&name, "%s.lock", db->path) < 0) {
        name = NULL;
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a name");
    }
    db->lock_fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (db->lock_fd < 0) {
        return file_fault(why, "its .lock file cannot be made");
    }
    if (flock(db->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? fault_set(why, FAULT_CONFIG, "store",
                                                "another pccsd uses this database; stop it, or "
                                                "name another file")
                                    : file_fault(why, "its .lock file cannot be locked");
    }
    return 0;
}

/* Readers go on while somebody writes. */
static int
wal_switch_on(struct sqlite_db *db, struct fault *why)
{
    if (db->in_memory) {
        return 0;
    }
    sqlite3 *handle = sqlite_handle(db->db.writer);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    code = code != SQLITE_OK ? code : sqlite3_step(statement);
    const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    bool on = mode != NULL && strcmp(mode, "wal") == 0;
    int failed = on ? 0
                 : code == SQLITE_ROW
                     ? fault_set(why, FAULT_STORE, "store",
                                 "write-ahead logging is not possible on this file system")
                     : sqlite_fault(handle, code, why);
    sqlite3_finalize(statement);
    return failed;
}

/* The file's own name must survive a loss of power too. */
static int
folder_sync(struct sqlite_db *db, struct fault *why)
{
    auto_free char *folder = db->in_memory ? NULL : strdup(db->path);
    if (folder == NULL) {
        return 0;
    }
    int fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fd < 0 || fsync(fd) != 0 ? file_fault(why, "its folder cannot be synced") : 0;
    if (fd >= 0) {
        close(fd);
    }
    return code;
}

static int
writer_check(struct sqlite_db *db, struct fault *why)
{
    if (!db->in_memory && sqlite3_db_readonly(sqlite_handle(db->db.writer), "main") != 0) {
        return fault_set(why, FAULT_CONFIG, "store", "the file may not be written");
    }
    return 0;
}

static int
db_open(struct sqlite_db *db, const struct store_options *options, struct fault *why)
{
    int code = 0;
    if (db->in_memory) {
        db->path = strdup(options->path);
        code = db->path != NULL ? 0 : fault_set(why, FAULT_MEMORY, "store", "no memory");
    } else {
        code = file_make(options, &db->path, why);
        code = code != 0 ? code : file_lock(db, why);
    }
    code = code != 0 ? code : db_connection_open(&db->db, true, &db->db.writer, why);
    code = code != 0 ? code : writer_check(db, why);
    code = code != 0 ? code : sqlite_takeover(db, options, why);
    code = code != 0 ? code : wal_switch_on(db, why);
    return code != 0 ? code : folder_sync(db, why);
}

/* Nobody reads SQLite's memory statistics, which cost a lock an allocation. */
static void
configure_library(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Every fault of the start names the file. */
static int
start_fault(const struct store_options *options, int code, const struct fault *cause,
            struct fault *why)
{
    return fault_set_number(why, code == FAULT_MEMORY ? FAULT_MEMORY : FAULT_CONFIG, "store",
                            cause->number, "database %s: %s", sqlite_path_shown(options->path),
                            cause->text);
}

int
store_open_sqlite(const struct store_options *options, struct store **ret_store, struct fault *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
    struct sqlite_db *db = db_new(options);
    if (db == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the store");
    }
    struct fault cause = {0};
    int code = db_open(db, options, &cause);
    if (code != 0) {
        db_close(&db->db.store);
        return start_fault(options, code, &cause, why);
    }
    *ret_store = &db->db.store;
    return 0;
}

/* ---- checking ---- */

static int
file_check(const struct store_options *options, char *ret_text, size_t text_size, struct fault *why)
{
    if (access(options->path, R_OK | W_OK) != 0) {
        return file_fault(why, "may not be read and written");
    }
    sqlite3 *handle = NULL;
    int code = sqlite3_open_v2(options->path, &handle, SQLITE_OPEN_READONLY, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
        code = sqlite_takeover_foresee(handle, options, ret_text, text_size, why);
    } else {
        code = sqlite_fault(handle, code, why);
    }
    sqlite3_close(handle);
    return code;
}

int
store_check_sqlite(const struct store_options *options, struct fault *why)
{
    char text[FAULT_TEXT_SIZE] = "not there yet, will be made";
    struct fault cause = {0};
    bool absent = access(options->path, F_OK) != 0 && errno == ENOENT;
    if (!absent || !options->init_db) {
        int code = file_check(options, text, sizeof(text), &cause);
        if (code != 0) {
            return start_fault(options, code, &cause, why);
        }
    }
    if (options->on_notice != NULL) {
        options->on_notice(options->self, text);
    }
    return 0;
}
