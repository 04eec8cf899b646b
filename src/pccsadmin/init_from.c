/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin init --from: Intel's PCCS, or another installation of this one, becomes ours:
 * configuration with its token hashes and API key, TLS key pair, database.
 * Takes its folder and leaves it as it is; gives new files, exchanged together in the end, and a
 * report: what was taken, what was not and why, what to do next, how to go back.
 * Called by cmd_init.c. Must never write to the old folder, print a secret, nor begin to exchange
 * files before everything that can be refused has been looked at.
 */
#include "pccsadmin/init_from.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { LEFT_FILES_SHOWN = 16 };

static const char *const verdict_words[] = {
    [TAKEOVER_TAKEN] = "taken",  [TAKEOVER_LEFT] = "not taken", [TAKEOVER_MADE] = "made",
    [TAKEOVER_WARNING] = "WARN", [TAKEOVER_NEXT] = "next",      [TAKEOVER_BACK] = "going back",
};

/* ---- the report ---- */

static void
text_clean(char *text)
{
    for (; *text != '\0'; text++) {
        *text = (uint8_t)*text < 0x20 || *text == 0x7f ? '?' : *text;
    }
}

void
takeover_tell(struct takeover *takeover, enum takeover_verdict verdict, const char *item,
              const char *format, ...)
{
    char text[4 * PATH_MAX];
    char name[128];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    snprintf(name, sizeof name, "%s", item);
    text_clean(text);
    text_clean(name);
    json_t *line = json_pack("{s:s, s:s+, s:s+}", "verdict", verdict_words[verdict], "item", name,
                             "", "text", text, "");
    if (line == NULL) { /* a path that is no UTF-8 */
        for (char *c = text; *c != '\0'; c++) {
            *c = (uint8_t)*c < 0x80 ? *c : '?';
        }
        line = json_pack("{s:s, s:s, s:s}", "verdict", verdict_words[verdict], "item", "?", "text",
                         text);
    }
    json_array_append_new(takeover->report, line);
}

/* Grouped by verdict, each group in the order in which it was found. */
static void
report_print(struct takeover *takeover, bool is_done)
{
    for (size_t group = 0; group < ARRAY_COUNT(verdict_words); group++) {
        size_t i;
        json_t *line;
        json_array_foreach(takeover->report, i, line)
        {
            const char *verdict = json_string_value(json_object_get(line, "verdict"));
            if (strcmp(verdict, verdict_words[group]) == 0) {
                say(takeover->args, "%-10s %-24s %s", verdict,
                    json_string_value(json_object_get(line, "item")),
                    json_string_value(json_object_get(line, "text")));
            }
        }
    }
    say_json(takeover->args,
             json_pack("{s:b, s:b, s:s, s:s, s:O}", "done", is_done, "dry_run",
                       takeover->is_rehearsal, "file", takeover->place, "configuration",
                       takeover->options.config_path, "report", takeover->report));
}

/* ---- what nobody reads ---- */

static bool
is_layer(const char *name)
{
    static const char *const names[] = {"default.json", "production.json", "local.json",
                                        "local-production.json"};
    const char *word = getenv("NODE_ENV");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return i % 2 == 0 || word == NULL || word[0] == '\0' || strcmp(word, "production") == 0;
        }
    }
    size_t size = word != NULL ? strlen(word) : 0;
    name += strncmp(name, "local-", 6) == 0 ? 6 : 0;
    return size > 0 && strncmp(name, word, size) == 0 && strcmp(name + size, ".json") == 0;
}

static void
tell_left_files(struct takeover *takeover)
{
    int fd = openat(takeover->source.fd, "config", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    size_t count = 0;
    if (folder == NULL) {
        return;
    }
    while (count <= LEFT_FILES_SHOWN && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' || is_layer(entry->d_name)) {
            continue;
        }
        if (++count <= LEFT_FILES_SHOWN) {
            char name[300];
            snprintf(name, sizeof name, "config/%s", entry->d_name);
            takeover_tell(takeover, TAKEOVER_LEFT, name, "no file that is read here");
        } else {
            takeover_tell(takeover, TAKEOVER_LEFT, "config/...", "and further files");
        }
    }
    closedir(folder);
}

/* ---- the configuration's file ---- */

/* Whoever may read FILE must read what wins over it; a first file is for the group of the data. */
static void
access_give(const struct takeover *takeover, const char *ready)
{
    struct stat status;
    const char *file = takeover->options.config_path;
    if (strcmp(takeover->place, file) != 0 && stat(file, &status) == 0) {
        if (lchown(ready, status.st_uid, status.st_gid) == 0) {
            chmod(ready, (status.st_mode & 0640) | S_IRUSR | S_IWUSR);
        }
    } else if (geteuid() == 0 && stat(takeover->plan.data_directory, &status) == 0 &&
               status.st_uid != 0 && lchown(ready, (uid_t)-1, status.st_gid) == 0) {
        chmod(ready, 0640);
    }
}

static int
configuration_place(struct takeover *takeover, struct fault *why)
{
    struct placing *placing = &takeover->placing;
    place_act_as_owner(takeover->place);
    int failed = placing_add_text(placing, takeover->place, buf_span(&takeover->text), 0600, why);
    if (failed == 0) {
        access_give(takeover, placing->items[placing->count - 1].ready);
    }
    place_act_as_self();
    return failed;
}

/* ---- in the end ---- */

static void
tell_kept(struct takeover *takeover)
{
    for (size_t i = 0; i < takeover->placing.count; i++) {
        const struct placing_item *item = &takeover->placing.items[i];
        if (item->kept[0] != '\0') {
            takeover_tell(takeover, TAKEOVER_MADE, "kept", "what stood at %s is now %s",
                          item->target, item->kept);
        }
    }
}

static void
tell_would_replace(struct takeover *takeover)
{
    const char *const places[] = {takeover->plan.sqlite_storage, takeover->plan.tls_key,
                                  takeover->plan.tls_certificate, takeover->place};
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        if (access(places[i], F_OK) == 0) {
            takeover_tell(takeover, TAKEOVER_WARNING, "exists",
                          "%s: if it is to be replaced, --overwrite says so; it is then renamed to "
                          ".before-takeover",
                          places[i]);
        }
    }
}

static void
tell_next(struct takeover *takeover)
{
    const char *file = takeover->options.config_path;
    bool is_sqlite = strcmp(takeover->plan.db_config, "sqlite") == 0;
    takeover_tell(takeover, TAKEOVER_NEXT, "1",
                  "keep Intel's service stopped, both listen on port %d: systemctl disable --now "
                  "pccs while its package is installed, or docker stop ...",
                  takeover->plan.https_port);
    takeover_tell(takeover, TAKEOVER_NEXT, "2", "pccsd -c %s --check; pccsadmin doctor -c %s", file,
                  file);
    takeover_tell(takeover, TAKEOVER_NEXT, "3", "systemctl start pccs, or pccsd -c %s", file);
    takeover_tell(takeover, TAKEOVER_BACK, "as it was",
                  "%s is unchanged: systemctl stop pccs, then start Intel's service there",
                  takeover->source.path);
    if (is_sqlite) {
        char old[PATH_MAX];
        init_source_path(&takeover->source,
                         takeover->storage != NULL ? takeover->storage : "pckcache.db", old);
        takeover_tell(takeover, TAKEOVER_BACK, "with what is new",
                      "before that start: sqlite3 %s \"VACUUM INTO '%s.new'\" && rm -f %s-journal "
                      "%s-wal %s-shm && mv %s.new %s; chown it to Intel's user",
                      takeover->plan.sqlite_storage, old, old, old, old, old, old);
    }
}

/* ---- the order of things ---- */

static int
take_over(struct takeover *takeover, struct fault *why)
{
    int failed = init_source_open(takeover->args->values[ADMIN_FROM], &takeover->source, why);
    failed = failed != 0 ? failed : takeover_read_config(takeover, why);
    failed = failed != 0 ? failed : takeover_plan(takeover, why);
    if (failed != 0) {
        return failed;
    }
    tell_left_files(takeover);
    if (!takeover->is_rehearsal) {
        failed = ask_overwrite(takeover->args, takeover->place, why);
    }
    failed = failed != 0 ? failed : takeover_database(takeover, why);
    failed = failed != 0 ? failed : takeover_tls(takeover, why);
    if (failed != 0 || takeover->is_rehearsal) {
        return failed;
    }
    failed = configuration_place(takeover, why);
    return failed != 0 ? failed : placing_commit(&takeover->placing, why);
}

static void
takeover_done(struct takeover *takeover)
{
    placing_done(&takeover->placing);
    init_source_close(&takeover->source);
    options_done(&takeover->options);
    config_done(&takeover->found);
    config_done(&takeover->plan);
    buf_done_secret(&takeover->text);
    free(takeover->storage);
    json_decref(takeover->report);
    json_decref(takeover->taken);
}

int
init_from(const struct arguments *args)
{
    struct takeover takeover = {.args = args,
                                .is_rehearsal = arguments_have(args, ADMIN_DRY_RUN),
                                .source = {.fd = -1},
                                .report = json_array(),
                                .taken = json_object(),
                                .text = BUF_INIT(2 * LIMIT_CONFIG_BYTES)};
    struct fault why;
    config_init(&takeover.found);
    config_init(&takeover.plan);
    int failed = take_over(&takeover, &why);
    int status = ADMIN_DONE;
    if (failed != 0) {
        takeover_tls_undo(&takeover);
        status = say_fault(&why);
        say_error("nothing was changed");
    } else {
        if (takeover.is_rehearsal) {
            tell_would_replace(&takeover);
        }
        tell_kept(&takeover);
        tell_next(&takeover);
        report_print(&takeover, !takeover.is_rehearsal);
        if (takeover.is_rehearsal) {
            say(args, "Nothing was changed (--dry-run).");
        } else {
            say(args, "Taken over into %s.", takeover.place);
        }
    }
    takeover_done(&takeover);
    return status;
}
