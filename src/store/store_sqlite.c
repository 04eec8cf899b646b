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

#include "store/store_priv.h"

enum {
    BUSY_TIMEOUT_MS = 5000,
    DATABASE_MODE = 0640,        /* as the reference has it: PPIDs and manifests are in it */
    PATH_SHOWN = 100,            /* of a path in a fault's text */
    PING_WRITE_EVERY_MS = 10000, /* a probe that writes costs an fsync */
    COUNT_SLOW_MS = 200,         /* what takes longer is counted again only once in a while */
    COUNT_SHARE = 100,           /* at most one part in so many of the time goes into counting */
};

const char *
db_path_shown(const char *path)
{
    size_t size = strlen(path);
    return size > PATH_SHOWN ? path + size - PATH_SHOWN : path;
}

/* ---- closing, asking ---- */

static void
db_close(struct store *store)
{
    struct db *db = db_of(store);
    while (db->idle != NULL) {
        struct db_connection *connection = db->idle;
        db->idle = connection->next;
        db_connection_close(connection);
    }
    db_connection_close(db->writer); /* the last one folds the WAL into the file */
    if (db->lock_fd >= 0) {
        close(db->lock_fd);
    }
    pthread_mutex_destroy(&db->write_lock);
    pthread_mutex_destroy(&db->pool_lock);
    pthread_cond_destroy(&db->pool_returned);
    free(db->path);
    free(db);
}

static int
ping_read(struct db *db, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, &connection, why);
    if (code != 0) {
        return code;
    }
    bool row = false;
    struct sql sql = sql_of(connection, SQL_PING_READ);
    code = sql_step(&sql, &row, why);
    sql_close(&sql);
    db_read_end(db, connection);
    return code != 0 || row ? code
                            : fault_set(why, FAULT_STORE, "store", "the table pccs_owner is empty");
}

static int
ping_write(struct db *db, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_write_begin(db, &connection, why);
    if (code != 0) {
        return code;
    }
    struct sql sql = sql_of(connection, SQL_PING_WRITE);
    sql_bind_text(&sql, connection->stamp);
    code = sql_run(&sql, why);
    sql_close(&sql);
    return db_write_end(db, code, why);
}

/* Reads always; writes unless a write of late has shown that it can be done. */
static int
db_ping(struct store *store, struct fault *why)
{
    struct db *db = db_of(store);
    bool proved = true;
    if (pthread_mutex_trylock(&db->write_lock) == 0) {
        int64_t age_ms = clock_monotonic_ms(db->clock) - db->write_proved_ms;
        proved = db->write_proved && age_ms < PING_WRITE_EVERY_MS;
        pthread_mutex_unlock(&db->write_lock);
    } /* else somebody is writing right now */
    int code = ping_read(db, why);
    return code != 0 || proved ? code : ping_write(db, why);
}

static int
counts_read(struct db *db, struct store_counts *ret_counts, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, &connection, why);
    if (code != 0) {
        return code;
    }
    bool row = false;
    struct sql sql = sql_of(connection, SQL_COUNTS);
    code = sql_step(&sql, &row, why);
    if (code == 0) {
        *ret_counts = (struct store_counts){
            .platforms = (uint64_t)sql_column_number(&sql, 0),
            .pck_certs = (uint64_t)sql_column_number(&sql, 1),
            .tcb_infos = (uint64_t)sql_column_number(&sql, 2),
            .identities = (uint64_t)sql_column_number(&sql, 3),
            .crls = (uint64_t)sql_column_number(&sql, 4),
            .raw_tcbs = (uint64_t)sql_column_number(&sql, 5),
        };
    }
    sql_close(&sql);
    db_read_end(db, connection);
    return code;
}

/* Counting a large table reads all of its index: then an older count is told for a while. */
static int
db_counts(struct store *store, struct store_counts *ret_counts, struct fault *why)
{
    struct db *db = db_of(store);
    int64_t start_ms = clock_monotonic_ms(db->clock);
    pthread_mutex_lock(&db->pool_lock);
    struct store_counts counts = db->counts;
    bool recent = db->counts_cost_ms >= COUNT_SLOW_MS &&
                  start_ms - db->counts_at_ms < COUNT_SHARE * db->counts_cost_ms;
    pthread_mutex_unlock(&db->pool_lock);
    int code = recent ? 0 : counts_read(db, &counts, why);
    if (code != 0) {
        return code;
    }
    if (!recent) {
        pthread_mutex_lock(&db->pool_lock);
        db->counts = counts;
        db->counts_at_ms = clock_monotonic_ms(db->clock);
        db->counts_cost_ms = db->counts_at_ms - start_ms;
        pthread_mutex_unlock(&db->pool_lock);
    }
    *ret_counts = counts;
    return 0;
}

static const struct store_driver sqlite_driver = {
    .name = "sqlite",
    .close = db_close,
    .ping = db_ping,
    .load_item = db_load_item,
    .load_chains = db_load_chains,
    .load_platform = db_load_platform,
    .load_platform_brief = db_load_platform_brief,
    .load_pck = db_load_pck,
    .put = db_put,
    .put_mapping = db_put_mapping,
    .each_platform = db_each_platform,
    .each_item = db_each_item,
    .count_crl_urls = db_count_crl_urls,
    .queue_put = db_queue_put,
    .queue_mark_done = db_queue_mark_done,
    .queue_list = db_queue_list,
    .queue_counts = db_queue_counts,
    .put_policy = db_put_policy,
    .load_policies = db_load_policies,
    .counts = db_counts,
    .count_fmspcs = db_count_fmspcs,
};

/* ---- opening ---- */

static struct db *
db_new(const struct store_options *options)
{
    struct db *db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return NULL;
    }
    db->store.driver = &sqlite_driver;
    db->clock = options->clock;
    db->in_memory = strcmp(options->path, ":memory:") == 0;
    db->busy_timeout_ms =
        options->busy_timeout_ms != 0 ? options->busy_timeout_ms : BUSY_TIMEOUT_MS;
    db->list_bytes_max =
        options->list_bytes_max != 0 ? options->list_bytes_max : LIMIT_QUEUE_LIST_BYTES;
    db->lock_fd = -1;
    pthread_mutex_init(&db->write_lock, NULL);
    pthread_mutex_init(&db->pool_lock, NULL);
    pthread_cond_init(&db->pool_returned, NULL);
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
file_lock(struct db *db, struct fault *why)
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
wal_switch_on(struct db *db, struct fault *why)
{
    if (db->in_memory) {
        return 0;
    }
    sqlite3 *handle = db->writer->handle;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    code = code != SQLITE_OK ? code : sqlite3_step(statement);
    const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    bool on = mode != NULL && strcmp(mode, "wal") == 0;
    int failed = on ? 0
                 : code == SQLITE_ROW
                     ? fault_set(why, FAULT_STORE, "store",
                                 "write-ahead logging is not possible on this file system")
                     : sql_fault(handle, code, why);
    sqlite3_finalize(statement);
    return failed;
}

/* The file's own name must survive a loss of power too. */
static int
folder_sync(struct db *db, struct fault *why)
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
writer_check(struct db *db, struct fault *why)
{
    if (!db->in_memory && sqlite3_db_readonly(db->writer->handle, "main") != 0) {
        return fault_set(why, FAULT_CONFIG, "store", "the file may not be written");
    }
    return 0;
}

static int
db_open(struct db *db, const struct store_options *options, struct fault *why)
{
    int code = 0;
    if (db->in_memory) {
        db->path = strdup(options->path);
        code = db->path != NULL ? 0 : fault_set(why, FAULT_MEMORY, "store", "no memory");
    } else {
        code = file_make(options, &db->path, why);
        code = code != 0 ? code : file_lock(db, why);
    }
    code = code != 0 ? code : db_connection_open(db, true, &db->writer, why);
    code = code != 0 ? code : writer_check(db, why);
    code = code != 0 ? code : db_takeover(db, options, why);
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
                            cause->number, "database %s: %s", db_path_shown(options->path),
                            cause->text);
}

int
store_open_sqlite(const struct store_options *options, struct store **ret_store, struct fault *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
    struct db *db = db_new(options);
    if (db == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the store");
    }
    struct fault cause = {0};
    int code = db_open(db, options, &cause);
    if (code != 0) {
        db_close(&db->store);
        return start_fault(options, code, &cause, why);
    }
    *ret_store = &db->store;
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
        code = db_takeover_foresee(handle, options, ret_text, text_size, why);
    } else {
        code = sql_fault(handle, code, why);
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
