/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the configuration: the file, production.json and local.json beside it, the environment,
 * each later one winning (config.md, Configuration file).
 * Takes the place of the first file; gives a checked configuration with absolute paths.
 * Called at start and on SIGHUP, on the main thread.
 * Must never keep a configuration half applied: the caller gets all of it or a fault.
 */
#include "setup/options.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/reader.h"
#include "schedule/cron.h"

extern char **environ;

static const char *const default_places[] = {"config/default.json", "/etc/pccs/pccs.json"};

static int
fault_memory(struct fault *why)
{
    return fault_set(why, FAULT_MEMORY, "config", "no memory for the configuration");
}

/* ---- where ---- */

static char *
path_join(const char *folder, const char *path)
{
    char *joined = NULL;
    if (path == NULL) {
        return NULL; /* config.h: memory had run out */
    }
    if (path[0] == '/' || path[0] == '\0') {
        return strdup(path);
    }
    return asprintf(&joined, "%s/%s", folder, path) < 0 ? NULL : joined;
}

/* Makes *path absolute, starting at folder. False if memory ran out. */
static bool
path_resolve(const char *folder, char **path)
{
    char *absolute = path_join(folder, *path);
    if (absolute == NULL) {
        return false;
    }
    free(*path);
    *path = absolute;
    return true;
}

static char *
path_folder(const char *path)
{
    auto_free char *copy = strdup(path);
    return copy != NULL ? strdup(dirname(copy)) : NULL;
}

static const char *
find_place(const char *given)
{
    if (given != NULL) {
        return access(given, R_OK) == 0 ? given : NULL;
    }
    for (size_t i = 0; i < ARRAY_COUNT(default_places); i++) {
        if (access(default_places[i], F_OK) == 0) {
            return default_places[i];
        }
    }
    return NULL;
}

int
options_find(const char *given, struct options *ret_options, struct fault *why)
{
    const char *place = find_place(given);
    if (place == NULL && given != NULL) {
        return fault_set(why, FAULT_CONFIG, "config", "cannot read the configuration %s", given);
    }
    if (place == NULL) {
        return fault_set(why, FAULT_CONFIG, "config",
                         "no configuration: neither %s nor %s is here; name one with -c, or run "
                         "`pccsadmin init` (`init --from DIR` takes over Intel's)",
                         default_places[0], default_places[1]);
    }
    struct options options = {.config_path = realpath(place, NULL),
                              .start_folder = getcwd(NULL, 0)};
    if (options.config_path == NULL || options.start_folder == NULL ||
        (options.folder = path_folder(options.config_path)) == NULL) {
        options_done(&options);
        return fault_set(why, FAULT_CONFIG, "config", "cannot resolve the path %s", place);
    }
    *ret_options = options;
    return 0;
}

/* Absolute; links are resolved in as much of the folder as is there. */
static char *
path_absolute(const char *start_folder, const char *place)
{
    auto_free char *joined = path_join(start_folder, place);
    auto_free char *folder = joined != NULL ? path_folder(joined) : NULL;
    auto_free char *real = folder != NULL ? realpath(folder, NULL) : NULL;
    const char *slash = joined != NULL ? strrchr(joined, '/') : NULL;
    return real != NULL && slash != NULL ? path_join(real, slash + 1) : take(&joined);
}

int
options_find_new(const char *place, struct options *ret_options, struct fault *why)
{
    if (access(place, F_OK) == 0) {
        return options_find(place, ret_options, why);
    }
    struct options options = {.start_folder = getcwd(NULL, 0)};
    options.config_path =
        options.start_folder != NULL ? path_absolute(options.start_folder, place) : NULL;
    options.folder = options.config_path != NULL ? path_folder(options.config_path) : NULL;
    if (options.folder == NULL) {
        options_done(&options);
        return fault_memory(why);
    }
    *ret_options = options;
    return 0;
}

void
options_done(struct options *options)
{
    free(options->config_path);
    free(options->folder);
    free(options->start_folder);
    *options = (struct options){0};
}

/* ---- the layers ---- */

static void
warn_line(void *self, const char *text)
{
    struct buf *warnings = self;
    buf_add_text(warnings, text);
    buf_add_byte(warnings, '\n');
}

static bool
is_instead(const struct options *options, const char *path)
{
    return options->instead_path != NULL && strcmp(options->instead_path, path) == 0;
}

static int
apply_file(const struct options *options, const char *path, struct config *config,
           struct buf *warnings, struct fault *why)
{
    if (is_instead(options, path)) {
        return config_apply_json(config, path, options->instead_text, warn_line, warnings, why);
    }
    /* the file may hold the API key and the database's password */
    auto_cleanup(buf_done_secret) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
    int failed = file_read(path, &text, why);
    if (failed != 0) {
        return fault_recode(why, FAULT_CONFIG);
    }
    return config_apply_json(config, path, buf_span(&text), warn_line, warnings, why);
}

static int
apply_beside(const struct options *options, const char *name, struct config *config,
             struct buf *warnings, struct fault *why)
{
    auto_free char *path = path_join(options->folder, name);
    if (path == NULL) {
        return fault_memory(why);
    }
    return is_instead(options, path) || access(path, F_OK) == 0
               ? apply_file(options, path, config, warnings, why)
               : 0;
}

static bool
is_production(void)
{
    const char *node = getenv("NODE_ENV");
    const char *own = getenv("PCCS_ENV");
    return span_is(span_of_text(node), "production") || span_is(span_of_text(own), "production");
}

static int
read_value_file(void *self, const char *path, struct buf *b, struct fault *why)
{
    const struct options *options = self;
    auto_free char *absolute = path_join(options->start_folder, path);
    return absolute != NULL ? file_read(absolute, b, why) : fault_memory(why);
}

static int
apply_layers(const struct options *options, struct config *config, struct buf *warnings,
             struct fault *why)
{
    int failed = apply_file(options, options->config_path, config, warnings, why);
    if (failed == 0 && !options->without_environment && is_production()) {
        failed = apply_beside(options, "production.json", config, warnings, why);
    }
    if (failed == 0) {
        failed = apply_beside(options, "local.json", config, warnings, why);
    }
    if (failed == 0 && !options->without_environment) {
        config_warn_environment(environ, warn_line, warnings);
        failed = config_apply_environment(config, environ, read_value_file,
                                          (void *)(uintptr_t)options, why);
    }
    return failed;
}

/* ---- paths ---- */

/* config.md, DataDirectory: by default the folder that holds the configuration's folder. */
static bool
resolve_data_directory(const struct options *options, struct config *config)
{
    if (config->data_directory == NULL) {
        return false;
    }
    if (config->data_directory[0] != '\0') {
        return path_resolve(options->start_folder, &config->data_directory);
    }
    free(config->data_directory);
    config->data_directory = path_folder(options->folder);
    return config->data_directory != NULL;
}

static bool
resolve_paths(const struct options *options, struct config *config)
{
    if (!resolve_data_directory(options, config)) {
        return false;
    }
    const char *data = config->data_directory;
    bool ok = path_resolve(data, &config->tls_key) &&
              path_resolve(data, &config->tls_certificate) &&
              path_resolve(data, &config->upstream_ca_file);
    if (ok && !span_is(span_of_text(config->sqlite_storage), ":memory:")) {
        ok = path_resolve(data, &config->sqlite_storage);
    }
    if (ok && !span_is(span_of_text(config->log_file), "-")) {
        ok = path_resolve(data, &config->log_file);
    }
    for (size_t i = 0; ok && i < CONFIG_DB_SERVER_SECTIONS; i++) {
        ok = path_resolve(data, &config->db_sections[i].ssl_ca);
    }
    for (size_t i = 0; ok && i < config->trust_anchor_count; i++) {
        ok = path_resolve(data, &config->trust_anchors[i]);
    }
    return ok;
}

/* Under systemd the journal takes what stands on standard error (systemd.exec(5)). */
static bool
default_log_file(struct config *config)
{
    if (config->log_file == NULL || config->log_file[0] != '\0') {
        return config->log_file != NULL;
    }
    free(config->log_file);
    config->log_file = strdup(getenv("JOURNAL_STREAM") != NULL ? "-" : "logs/pccs_server.log");
    return config->log_file != NULL;
}

/* The room config knows no cron. */
static int
check_schedule(const struct config *config, struct fault *why)
{
    struct cron schedule;
    struct fault cause;
    if (cron_parse(span_of_text(config->refresh_schedule), &schedule, &cause) != 0) {
        return fault_set(why, FAULT_CONFIG, "config", "RefreshSchedule: %s", cause.text);
    }
    return 0;
}

int
options_read(const struct options *options, struct config *ret_config, struct buf *warnings,
             struct fault *why)
{
    struct config config;
    config_init(&config);
    int failed = apply_layers(options, &config, warnings, why);
    if (failed == 0 && (!default_log_file(&config) || !resolve_paths(options, &config))) {
        failed = fault_memory(why);
    }
    if (failed == 0) {
        failed = config_check(&config, why);
    }
    if (failed == 0) {
        failed = check_schedule(&config, why);
    }
    if (failed != 0) {
        config_done(&config);
        return failed;
    }
    *ret_config = config;
    return 0;
}

void
options_log_warnings(const struct buf *warnings)
{
    struct reader reader = reader_of(buf_span(warnings));
    struct span line;
    while (reader_until(&reader, '\n', &line)) {
        log_event(LOG_EVENT_CONFIG_UNKNOWN_KEY, NULL, LOG_SPAN("text", line));
    }
}
