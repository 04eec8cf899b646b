/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TLS key pair and the database of the other service: judged as pccsd will judge them, copied
 * beside their places, told of in the report.
 * Takes the folder and the plan; gives items of the placing, ready to be exchanged.
 * Called by init_from.c, once the plan stands. Must never open the other database for writing, nor
 * keep a key in memory that is not wiped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pccsadmin/init_from.h"
#include "setup/database_copy.h"
#include "setup/store_open.h"
#include "setup/tls_init.h"
#include "setup/tls_pair.h"

enum { DAY_S = 86400, TLS_WARN_DAYS = 30 };

static const char key_name[] = "ssl_key/private.pem";
static const char certificate_name[] = "ssl_key/file.crt";

/* ---- the TLS key pair ---- */

static void
tls_tell(struct takeover *takeover, const struct tls_pair *pair)
{
    char until[CLOCK_ISO8601_SIZE];
    int64_t days = (pair->not_after - clock_now(clock_system())) / DAY_S;
    clock_format_iso8601(pair->not_after, until);
    takeover_tell(takeover, TAKEOVER_TAKEN, "TLS key", "%s/%s -> %s", takeover->source.path,
                  key_name, takeover->plan.tls_key);
    takeover_tell(takeover, TAKEOVER_TAKEN, "TLS certificate", "%s/%s -> %s; %s, until %s",
                  takeover->source.path, certificate_name, takeover->plan.tls_certificate,
                  pair->kind, until);
    if (days < TLS_WARN_DAYS) {
        takeover_tell(takeover, TAKEOVER_WARNING, "TLS certificate",
                      "it expires in %lld days: renew it, then systemctl reload pccs",
                      (long long)days);
    }
    if (!pair->has_names) {
        takeover_tell(takeover, TAKEOVER_WARNING, "TLS certificate",
                      "it holds no subjectAltName: clients that check names refuse it, as before");
    }
}

/* A pair for a first start where none was taken and none is there. */
static int
tls_make(struct takeover *takeover, struct fault *why)
{
    const struct config *plan = &takeover->plan;
    const struct arguments *args = takeover->args;
    char names[TLS_INIT_NAMES_SIZE] = "";
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < args->repeated_count; i++) {
        failed = tls_init_add_name(args->repeated[i], names, sizeof names, why);
    }
    if (failed != 0) {
        return failed;
    }
    if (access(plan->tls_key, F_OK) == 0 && access(plan->tls_certificate, F_OK) == 0) {
        takeover_tell(takeover, TAKEOVER_MADE, "TLS key pair",
                      "none; the one that is there stays: %s", plan->tls_certificate);
        return 0;
    }
    if (!takeover->is_rehearsal) {
        place_act_as_owner(plan->tls_key);
        failed = tls_init_named(plan->tls_key, plan->tls_certificate, names, why);
        place_act_as_self();
        takeover->has_made_tls = failed == 0;
    }
    if (failed == 0) {
        takeover_tell(takeover, TAKEOVER_MADE, "TLS key pair",
                      "a development pair, so that the service starts: %s; clients trust ca.crt in "
                      "the same folder",
                      plan->tls_certificate);
    }
    return failed;
}

void
takeover_tls_undo(const struct takeover *takeover)
{
    char authority[PATH_MAX];
    const char *key = takeover->plan.tls_key;
    const char *slash = key != NULL ? strrchr(takeover->plan.tls_certificate, '/') : NULL;
    if (!takeover->has_made_tls || slash == NULL) {
        return;
    }
    snprintf(authority, sizeof authority, "%.*s/ca.crt",
             (int)(slash - takeover->plan.tls_certificate), takeover->plan.tls_certificate);
    place_act_as_owner(key);
    (void)unlink(key);
    (void)unlink(takeover->plan.tls_certificate);
    (void)unlink(authority);
    place_act_as_self();
}

/* One descriptor for both: the configuration may name the old file itself. */
static bool
is_same_file(const struct init_source *source, const char *name, const char *target)
{
    char path[PATH_MAX];
    struct stat a;
    struct stat b;
    init_source_path(source, name, path);
    return stat(path, &a) == 0 && stat(target, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int
tls_place(struct takeover *takeover, const struct buf *key, const struct buf *certificate,
          struct fault *why)
{
    const struct config *plan = &takeover->plan;
    int failed = ask_overwrite(takeover->args, plan->tls_key, why);
    failed = failed != 0 ? failed : ask_overwrite(takeover->args, plan->tls_certificate, why);
    if (failed != 0) {
        return failed;
    }
    place_act_as_owner(plan->tls_key);
    failed = placing_add_text(&takeover->placing, plan->tls_key, buf_span(key), 0600, why);
    place_act_as_self();
    place_act_as_owner(plan->tls_certificate);
    failed = failed != 0 ? failed
                         : placing_add_text(&takeover->placing, plan->tls_certificate,
                                            buf_span(certificate), 0644, why);
    place_act_as_self();
    return failed;
}

int
takeover_tls(struct takeover *takeover, struct fault *why)
{
    auto_cleanup(buf_done_secret) struct buf key = BUF_INIT(LIMIT_PEM_FILE_BYTES);
    auto_cleanup(buf_done) struct buf certificate = BUF_INIT(LIMIT_PEM_FILE_BYTES);
    struct fault cause = {0};
    struct tls_pair pair;
    if (is_same_file(&takeover->source, key_name, takeover->plan.tls_key)) {
        takeover_tell(takeover, TAKEOVER_LEFT, "TLS key pair",
                      "the new configuration names the old files themselves");
        return 0;
    }
    int failed = init_source_read(&takeover->source, key_name, &key, &cause);
    failed = failed != 0
                 ? failed
                 : init_source_read(&takeover->source, certificate_name, &certificate, &cause);
    failed = failed != 0 ? failed
                         : tls_pair_judge(buf_span(&key), buf_span(&certificate),
                                          clock_now(clock_system()), &pair, &cause);
    if (failed != 0) {
        takeover_tell(takeover, TAKEOVER_LEFT, "TLS key pair", "%s", cause.text);
        return tls_make(takeover, why);
    }
    tls_tell(takeover, &pair);
    return takeover->is_rehearsal ? 0 : tls_place(takeover, &key, &certificate, why);
}

/* ---- the database ---- */

static void
note_keep(void *self, const char *text)
{
    snprintf(self, FAULT_TEXT_SIZE, "%s", text);
}

/* What pccsd would do with the file `copy` once it stands where the plan says. */
static int
foresee(struct takeover *takeover, const char *copy, const char *shown, struct fault *why)
{
    char note[FAULT_TEXT_SIZE] = "";
    struct fault cause = {0};
    char *real = takeover->plan.sqlite_storage;
    takeover->plan.sqlite_storage = strdup(copy);
    int failed = takeover->plan.sqlite_storage == NULL
                     ? fault_set(&cause, FAULT_MEMORY, "store", "no memory for a path")
                     : store_check_with(&takeover->plan, clock_system(), note_keep, note, &cause);
    free(takeover->plan.sqlite_storage);
    takeover->plan.sqlite_storage = real;
    if (failed != 0) {
        /* its text begins with the path of the copy, which nobody knows */
        const char *name = strrchr(copy, '/') + 1;
        const char *found = strstr(cause.text, name);
        const char *reason = found != NULL ? found + strlen(name) : cause.text;
        reason += strspn(reason, ": ");
        return fault_set_number(why, FAULT_CONFIG, "store", cause.number,
                                "%s: %s (--without-database goes on without it)", shown, reason);
    }
    takeover_tell(takeover, TAKEOVER_TAKEN, "database", "%s -> %s; %s", shown, real, note);
    return 0;
}

static void
files_close(struct database_files *files)
{
    const int all[] = {files->file, files->wal, files->journal};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        if (all[i] >= 0) {
            close(all[i]);
        }
    }
    *files = (struct database_files){.file = -1, .wal = -1, .journal = -1};
}

static int
companion_open(const struct takeover *takeover, const char *name, const char *suffix, int *ret_fd,
               struct fault *why)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s", name, suffix) >= PATH_MAX) {
        return fault_set(why, FAULT_CONFIG, "from", "the path of the database is too long");
    }
    int failed = init_source_open_file(&takeover->source, path, ret_fd, why);
    return failed == FAULT_NOT_FOUND ? 0 : failed;
}

static int
files_open(const struct takeover *takeover, const char *name, struct database_files *files,
           struct fault *why)
{
    int failed = init_source_open_file(&takeover->source, name, &files->file, why);
    failed = failed != 0 ? failed : companion_open(takeover, name, "-wal", &files->wal, why);
    return failed != 0 ? failed : companion_open(takeover, name, "-journal", &files->journal, why);
}

/* A rehearsal looks at a copy of its own, or at what a running service may be changing. */
static int
database_rehearse(struct takeover *takeover, const struct database_files *files, struct fault *why)
{
    char folder[PATH_MAX];
    char copy[PATH_MAX + 16];
    struct fault busy;
    const char *start = getenv("TMPDIR");
    if (database_check_idle(files, &busy) != 0) {
        takeover_tell(takeover, TAKEOVER_NEXT, "stop", "%s", busy.text);
        return foresee(takeover, files->shown, files->shown, why);
    }
    int size = snprintf(folder, sizeof folder, "%s/pccsadmin.XXXXXX",
                        start != NULL && start[0] == '/' ? start : "/tmp");
    if (size >= PATH_MAX || mkdtemp(folder) == NULL) {
        return fault_set_number(why, FAULT_IO, "from", errno, "cannot make a folder in %s",
                                start != NULL ? start : "/tmp");
    }
    snprintf(copy, sizeof copy, "%s/copy.db", folder);
    int failed = database_copy(files, copy, why);
    failed = failed != 0 ? failed : foresee(takeover, copy, files->shown, why);
    (void)unlink(copy);
    (void)rmdir(folder);
    return failed;
}

/* The place must be nobody's at the moment. */
static int
target_check(const struct takeover *takeover, struct fault *why)
{
    const char *target = takeover->plan.sqlite_storage;
    struct database_files files = {.wal = -1, .journal = -1, .shown = target};
    files.file = open(target, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int failed = files.file >= 0 ? database_check_idle(&files, why) : 0;
    files_close(&files);
    return failed != 0 ? failed : ask_overwrite(takeover->args, target, why);
}

static int
database_place(struct takeover *takeover, const struct database_files *files, struct fault *why)
{
    struct placing_item *item = NULL;
    int failed = database_check_idle(files, why);
    failed = failed != 0 ? failed : target_check(takeover, why);
    if (failed != 0) {
        return failed;
    }
    place_act_as_owner(takeover->plan.sqlite_storage);
    failed = placing_add(&takeover->placing, takeover->plan.sqlite_storage, &item, why);
    failed = failed != 0 ? failed : database_copy(files, item->ready, why);
    failed = failed != 0 ? failed : foresee(takeover, item->ready, files->shown, why);
    place_act_as_self();
    return failed;
}

/* MySQL and MariaDB: nothing is copied. */
static void
server_tell(struct takeover *takeover)
{
    char note[FAULT_TEXT_SIZE] = "";
    struct fault cause = {0};
    const struct config *plan = &takeover->plan;
    takeover_tell(takeover, TAKEOVER_TAKEN, "database",
                  "%s \"%s\" on %s: pccsd opens it in place; nothing is copied", plan->db_config,
                  plan->db_server.database, plan->db_server.host);
    takeover_tell(
        takeover, TAKEOVER_WARNING, "database",
        "back it up before pccsd's first start (mysqldump --single-transaction %s), which "
        "may bring it to a newer version, and stop Intel's service first",
        plan->db_server.database);
    if (store_check_with(plan, clock_system(), note_keep, note, &cause) != 0) {
        takeover_tell(takeover, TAKEOVER_WARNING, "database", "pccsd would not start now: %s",
                      cause.text);
    } else {
        takeover_tell(takeover, TAKEOVER_TAKEN, "database", "%s", note);
    }
}

static int
sqlite_take(struct takeover *takeover, const char *name, struct fault *why)
{
    char shown[PATH_MAX];
    struct database_files files = {.file = -1, .wal = -1, .journal = -1, .shown = shown};
    init_source_path(&takeover->source, name, shown);
    if (is_same_file(&takeover->source, name, takeover->plan.sqlite_storage)) {
        return fault_set(why, FAULT_CONFIG, "from",
                         "%s is the file that the new configuration names too: name another "
                         "folder's configuration with -c, so that the old file stays as it is",
                         shown);
    }
    int failed = files_open(takeover, name, &files, why);
    if (failed == FAULT_NOT_FOUND) {
        takeover_tell(takeover, TAKEOVER_LEFT, "database",
                      "%s is not there; pccsd begins with an empty one", shown);
        return 0;
    }
    if (failed == 0) {
        failed = takeover->is_rehearsal ? database_rehearse(takeover, &files, why)
                                        : database_place(takeover, &files, why);
    }
    files_close(&files);
    return failed;
}

int
takeover_database(struct takeover *takeover, struct fault *why)
{
    const char *name = takeover->storage != NULL ? takeover->storage : "pckcache.db";
    if (arguments_have(takeover->args, ADMIN_WITHOUT_DATABASE)) {
        takeover_tell(takeover, TAKEOVER_LEFT, "database",
                      "--without-database was given; pccsd begins with what its place holds");
        return 0;
    }
    if (strcmp(takeover->plan.db_config, "sqlite") != 0) {
        server_tell(takeover);
        return 0;
    }
    if (strcmp(name, ":memory:") == 0 || strcmp(takeover->plan.sqlite_storage, ":memory:") == 0) {
        takeover_tell(takeover, TAKEOVER_LEFT, "database", "a database in memory cannot be taken");
        return 0;
    }
    return sqlite_take(takeover, name, why);
}
