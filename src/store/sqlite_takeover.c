/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What to do with the database that is there: make one, take one over from the reference, or
 * refuse it.
 * Takes a fresh connection and the options, gives a database of version 5 with our own tables,
 * reached in one transaction: it is taken over whole or stays as it was.
 * Called once, while the store is opened, before any other connection is.
 * Must never change a file that another program wrote before a copy of it is safe on disk, nor mix
 * the collateral of two PCS hosts.
 * database.md, last sections.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_priv.h"

enum { COPIES_MAX = 9 };

/* ---- looking ---- */

static int
ask(sqlite3 *handle, const char *text, sqlite3_stmt **ret_statement, struct fault *why)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, text, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        code = sqlite_fault(handle, code, why);
        sqlite3_finalize(statement);
        return code;
    }
    *ret_statement = statement;
    return 0;
}

/* The first column of the first row; 0 if there is none. */
static int
ask_number(sqlite3 *handle, const char *text, int64_t *ret_number, struct fault *why)
{
    sqlite3_stmt *statement = NULL;
    int code = ask(handle, text, &statement, why);
    if (code == 0) {
        *ret_number = sqlite3_data_count(statement) > 0 ? sqlite3_column_int64(statement, 0) : 0;
        sqlite3_finalize(statement);
    }
    return code;
}

static int
ask_if(sqlite3 *handle, const char *text, bool *ret_yes, struct fault *why)
{
    int64_t number = 0;
    int code = ask_number(handle, text, &number, why);
    if (code == 0) {
        *ret_yes = number != 0;
    }
    return code;
}

/* The version by the shape of the tables, for a database that does not say it. */
static int
find_shape(sqlite3 *handle, int *ret_version, struct fault *why)
{
    static const struct {
        const char *question;
        int version;
    } shapes[] = {
        {"SELECT count(*) FROM pragma_table_info('fmspc_tcbs') WHERE name = 'update_type'", 5},
        {"SELECT count(*) FROM sqlite_master WHERE name = 'appraisal_policies'", 4},
        {"SELECT count(*) FROM pragma_table_info('fmspc_tcbs') WHERE name = 'version'", 3},
        {"SELECT count(*) FROM sqlite_master WHERE name = 'enclave_identities'", 2},
        {"SELECT count(*) FROM pragma_table_info('pcs_version') WHERE name = 'db_version'", 1},
        {"SELECT count(*) FROM sqlite_master WHERE name = 'fmspc_tcbs'", 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        bool yes = false;
        int code = ask_if(handle, shapes[i].question, &yes, why);
        if (code != 0 || yes) {
            *ret_version = code == 0 ? shapes[i].version : *ret_version;
            return code;
        }
    }
    return fault_set(why, FAULT_CONFIG, "store",
                     "the file is a database of another program; name another file");
}

static int
find_version(sqlite3 *handle, struct db_found *found, struct fault *why)
{
    bool has_column = false;
    int code = ask_if(
        handle, "SELECT count(*) FROM pragma_table_info('pcs_version') WHERE name = 'db_version'",
        &has_column, why);
    sqlite3_stmt *statement = NULL;
    code = code != 0
               ? code
               : ask(handle,
                     has_column ? "SELECT server_addr, db_version FROM pcs_version WHERE id = 1"
                                : "SELECT server_addr, 0 FROM pcs_version WHERE id = 1",
                     &statement, why);
    if (code != 0) {
        return code;
    }
    found->has_version = sqlite3_data_count(statement) > 0;
    if (found->has_version) {
        struct span server = span_of_text((const char *)sqlite3_column_text(statement, 0));
        found->version = sqlite3_column_int(statement, 1);
        if (!span_to_text(server, found->server, sizeof(found->server))) {
            found->server[0] = '\0';
        }
    }
    sqlite3_finalize(statement);
    return 0;
}

static int
look(sqlite3 *handle, struct db_found *found, struct fault *why)
{
    bool has_tables = false, has_versions = false;
    *found = (struct db_found){0};
    int code =
        ask_if(handle, "SELECT count(*) FROM sqlite_master WHERE type = 'table'", &has_tables, why);
    found->empty = !has_tables;
    code = code != 0
               ? code
               : ask_if(handle, "SELECT count(*) FROM sqlite_master WHERE name = 'pccs_owner'",
                        &found->ours, why);
    if (code == 0 && found->ours) {
        int64_t own_version = 0;
        code = ask_number(handle, "SELECT own_version FROM pccs_owner WHERE id = 1", &own_version,
                          why);
        found->own_version = (int)own_version;
    }
    code = code != 0
               ? code
               : ask_if(handle, "SELECT count(*) FROM sqlite_master WHERE name = 'pcs_version'",
                        &has_versions, why);
    return code != 0 || !has_versions ? code : find_version(handle, found, why);
}

/* ---- judging ---- */

static int
table_must_be_empty(sqlite3 *handle, const char *table, struct fault *why)
{
    char *question = sqlite3_mprintf("SELECT count(*) FROM (SELECT 1 FROM \"%w\" LIMIT 1)", table);
    if (question == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a question");
    }
    bool has_rows = false;
    int code = ask_if(handle, question, &has_rows, why);
    sqlite3_free(question);
    if (code == 0 && has_rows) {
        return db_found_unknown_origin(why);
    }
    return code;
}

/* Nobody knows which PCS the rows came from; so there must be none. */
static int
all_must_be_empty(sqlite3 *handle, struct fault *why)
{
    sqlite3_stmt *statement = NULL;
    int code = ask(handle,
                   "SELECT name FROM sqlite_master WHERE type = 'table'"
                   " AND name NOT LIKE 'sqlite%' AND name <> 'SequelizeMeta'",
                   &statement, why);
    while (code == 0 && sqlite3_data_count(statement) > 0) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        code = table_must_be_empty(handle, name != NULL ? name : "", why);
        if (code == 0 && sqlite3_step(statement) != SQLITE_ROW) {
            break;
        }
    }
    sqlite3_finalize(statement);
    return code;
}

static int
judge(sqlite3 *handle, const struct store_options *options, struct db_found *found,
      struct fault *why)
{
    if (!found->empty && !found->has_version) {
        int code = find_shape(handle, &found->version, why);
        code = code != 0 ? code : all_must_be_empty(handle, why);
        if (code != 0) {
            return code;
        }
    }
    return db_found_judge(found, options, why);
}

/* ---- copying ---- */

/* Through SQLite, so that the copy is whole whatever journal there is. */
static int
copy_pages(const char *from, const char *to, struct fault *why)
{
    sqlite3 *source = NULL, *target = NULL;
    int code = sqlite3_open_v2(from, &source, SQLITE_OPEN_READONLY, NULL);
    sqlite3 *guilty = source;
    if (code == SQLITE_OK) {
        code = sqlite3_open_v2(to, &target, SQLITE_OPEN_READWRITE, NULL);
        guilty = target;
    }
    sqlite3_backup *backup =
        code == SQLITE_OK ? sqlite3_backup_init(target, "main", source, "main") : NULL;
    if (backup != NULL) {
        (void)sqlite3_backup_step(backup, -1);
        code = sqlite3_backup_finish(backup);
    } else if (code == SQLITE_OK) {
        code = sqlite3_errcode(target);
    }
    if (code != SQLITE_OK) {
        code = sqlite_fault(guilty, code, why);
    }
    sqlite3_close(target);
    sqlite3_close(source);
    return code;
}

static int
file_fault(struct fault *why, const char *what, const char *path)
{
    int number = errno;
    return fault_set_number(why, FAULT_CONFIG, "store", number, "%s %s: %s", what,
                            sqlite_path_shown(path), strerror(number));
}

/* Makes the empty file that the copy goes into, with the mode of the original. */
static int
copy_file_make(const char *from, const char *to, struct fault *why)
{
    struct stat original;
    if (stat(from, &original) != 0) {
        return file_fault(why, "cannot look at", from);
    }
    int fd = open(to, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fchmod(fd, original.st_mode & 0777) != 0) {
        int code = file_fault(why, "cannot make the copy", to);
        if (fd >= 0) {
            close(fd);
        }
        return code;
    }
    close(fd);
    return 0;
}

static int
sync_path(const char *path, int flags, struct fault *why)
{
    int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0;
    int code = failed ? file_fault(why, "cannot sync", path) : 0;
    if (fd >= 0) {
        close(fd);
    }
    return code;
}

/* Beside the original under a name not yet taken: an older copy may be somebody's only way back. */
static int
copy_name_find(const char *path, char **ret_name, struct fault *why)
{
    for (int number = 1; number <= COPIES_MAX; number++) {
        char *name = NULL;
        int size = number == 1 ? asprintf(&name, "%s.before-pccs-c", path)
                               : asprintf(&name, "%s.before-pccs-c.%d", path, number);
        if (size < 0) {
            return fault_set(why, FAULT_MEMORY, "store", "no memory for a name");
        }
        if (access(name, F_OK) != 0) {
            *ret_name = name;
            return 0;
        }
        free(name);
    }
    return fault_set(why, FAULT_CONFIG, "store",
                     "there are %d copies .before-pccs-c already: move them away", COPIES_MAX);
}

static int
copy_to(const char *path, const char *temporary, const char *name, struct fault *why)
{
    int code = copy_file_make(path, temporary, why);
    code = code != 0 ? code : copy_pages(path, temporary, why);
    code = code != 0 ? code : sync_path(temporary, 0, why);
    if (code == 0 && rename(temporary, name) != 0) {
        code = file_fault(why, "cannot name the copy", name);
    }
    if (code != 0) {
        (void)unlink(temporary);
    }
    return code;
}

static int
copy_aside(const struct sqlite_db *db, const struct store_options *options, struct fault *why)
{
    auto_free char *name = NULL, *temporary = NULL, *folder = strdup(db->path);
    int code = copy_name_find(db->path, &name, why);
    if (code != 0) {
        return code;
    }
    if (folder == NULL || asprintf(&temporary, "%s.tmp", name) < 0) {
        temporary = NULL;
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a name");
    }
    *(strrchr(folder, '/') + 1) = '\0'; /* db->path is absolute */
    code = copy_to(db->path, temporary, name, why);
    code = code != 0 ? code : sync_path(folder, O_DIRECTORY, why);
    if (code == 0 && options->on_notice != NULL) {
        char text[FAULT_TEXT_SIZE];
        snprintf(text, sizeof(text), "copied the database to %s before changing it", name);
        options->on_notice(options->self, text);
    }
    return code;
}

/* ---- doing ---- */

static int
bind_and_run(sqlite3 *handle, const char *text, const char *first, const char *second,
             struct fault *why)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, text, -1, &statement, NULL);
    code = code != SQLITE_OK ? code : sqlite3_bind_text(statement, 1, first, -1, SQLITE_STATIC);
    if (code == SQLITE_OK && second != NULL) {
        code = sqlite3_bind_text(statement, 2, second, -1, SQLITE_STATIC);
    }
    code = code != SQLITE_OK ? code : sqlite3_step(statement);
    code = code == SQLITE_DONE ? 0 : sqlite_fault(handle, code, why);
    sqlite3_finalize(statement);
    return code;
}

/* The rows that say whose the database is. */
static int
sign(struct sqlite_db *db, const struct store_options *options, struct fault *why)
{
    sqlite3 *handle = sqlite_handle(db->db.writer);
    const char *stamp = db->db.writer->stamp;
    char text[512];
    snprintf(text, sizeof(text),
             "INSERT INTO pcs_version (id, api_version, server_addr, db_version, created_time,"
             " updated_time) VALUES (1, %d, ?1, %d, ?2, ?2)"
             " ON CONFLICT (id) DO UPDATE SET api_version = excluded.api_version,"
             " db_version = excluded.db_version, updated_time = excluded.updated_time"
             " WHERE api_version IS NOT excluded.api_version"
             " OR db_version IS NOT excluded.db_version",
             options->api_version, DB_VERSION);
    int code = bind_and_run(handle, text, options->server_addr, stamp, why);
    snprintf(text, sizeof(text),
             "INSERT INTO pccs_owner (id, own_version, beat, created_time, updated_time)"
             " VALUES (1, %d, 0, ?1, ?1) ON CONFLICT (id) DO NOTHING",
             DB_OWN_VERSION);
    return code != 0 ? code : bind_and_run(handle, text, stamp, NULL, why);
}

static int
tell_taken_over(struct sqlite_db *db, const struct store_options *options, int version,
                struct fault *why)
{
    int64_t platforms = 0, certs = 0, tcbinfos = 0;
    sqlite3 *handle = sqlite_handle(db->db.writer);
    int code = ask_number(handle, "SELECT count(*) FROM platforms", &platforms, why);
    code = code != 0 ? code : ask_number(handle, "SELECT count(*) FROM pck_cert", &certs, why);
    code = code != 0 ? code : ask_number(handle, "SELECT count(*) FROM fmspc_tcbs", &tcbinfos, why);
    if (code == 0 && options->on_notice != NULL) {
        char text[FAULT_TEXT_SIZE];
        snprintf(text, sizeof(text),
                 "took over a database of version %d: %lld platforms, %lld PCK certificates, "
                 "%lld TCB infos",
                 version, (long long)platforms, (long long)certs, (long long)tcbinfos);
        options->on_notice(options->self, text);
    }
    return code;
}

static int
take_over(struct sqlite_db *db, const struct store_options *options, const struct db_found *found,
          struct fault *why)
{
    sqlite3 *handle = sqlite_handle(db->db.writer);
    int code = 0;
    if (!found->empty && !found->ours && !db->in_memory) {
        code = copy_aside(db, options, why);
    }
    if (code == 0) {
        code = found->empty ? sqlite_schema_create(handle, why)
                            : sqlite_schema_migrate(handle, found->version, why);
    }
    code = code != 0 ? code : sqlite_schema_own(handle, why);
    code = code != 0 ? code : sign(db, options, why);
    if (code == 0 && !found->empty && !found->ours) {
        code = db_items_pin_chains(db->db.writer, why);
        code = code != 0 ? code : tell_taken_over(db, options, found->version, why);
    }
    return code;
}

struct takeover {
    struct sqlite_db *db;
    const struct store_options *options;
};

static int
takeover_run(struct db_connection *connection, void *self, struct fault *why)
{
    const struct takeover *takeover = self;
    const struct store_options *options = takeover->options;
    sqlite3 *handle = sqlite_handle(connection);
    struct db_found found;
    int code = look(handle, &found, why);
    code = code != 0 ? code : judge(handle, options, &found, why);
    if (code == 0 && options->init_db) {
        code = take_over(takeover->db, options, &found, why);
    }
    /* Before the commit, so that tables of another shape are left as they are. */
    return code != 0 ? code : db_connection_check(connection, why);
}

int
sqlite_takeover(struct sqlite_db *db, const struct store_options *options, struct fault *why)
{
    struct takeover takeover = {.db = db, .options = options};
    return db_write(&db->db, takeover_run, &takeover, why);
}

int
sqlite_takeover_foresee(sqlite3 *handle, const struct store_options *options, char *ret_text,
                        size_t text_size, struct fault *why)
{
    struct db_found found;
    int code = look(handle, &found, why);
    code = code != 0 ? code : judge(handle, options, &found, why);
    if (code != 0) {
        return code;
    }
    if (found.empty) {
        snprintf(ret_text, text_size, "empty, its tables will be made");
    } else if (!found.ours) {
        snprintf(ret_text, text_size,
                 "version %d of the reference service, will be taken over; a copy will be kept "
                 "with .before-pccs-c behind its name",
                 found.version);
    } else {
        snprintf(ret_text, text_size, "version %d, collateral of %s", found.version, found.server);
    }
    return 0;
}
