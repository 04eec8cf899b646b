/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds out what is wanted, from the command line, the environment and network_setting.conf.
 *
 * Takes the parsed command line; gives one set of settings, or says what is wrong (2 for the
 * command line, 1 for the file, with its line). Called once, by main, before anything is touched.
 * Must never leave the token where ps or /proc shows it longer than it takes to copy it.
 *
 * tools.md, All (tokens) and PCKIDRetrievalTool; Intel's tool for what overrules what.
 */
#include "pckid/pckid_settings.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/url.h"
#include "pckid/pckid_ask.h"
#include "platform/manifest.h"

#define SETTING_FILE "network_setting.conf"
#define SETTING_FALLBACK "/etc/pckid/" SETTING_FILE
#define DEFAULT_CSV "pckid_retrieval.csv"
#define DEFAULT_BASE "https://localhost:8081"
#define PLATFORMS_PATH "/sgx/certification/v4/platforms"

enum { PLATFORM_ID_WARN_BYTES = LIMIT_QEID_CHARS / 2 };

/* ---- the file ---- */

static void
program_dir_find(char out[PCKID_PATH_SIZE])
{
    ssize_t size = readlink("/proc/self/exe", out, PCKID_PATH_SIZE - 1);
    out[size > 0 ? size : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

/* The file that counts: the option's, the one beside the program, the one in /etc; "" if none. */
static int
file_find(const struct pckid_settings *settings, char out[PCKID_PATH_SIZE])
{
    const char *given = settings->options->values[PCKID_CONFIG];
    if (given != NULL) {
        return snprintf(out, PCKID_PATH_SIZE, "%s", given) < PCKID_PATH_SIZE ? 0 : FAULT_INPUT;
    }
    if (snprintf(out, PCKID_PATH_SIZE, "%s/" SETTING_FILE, settings->program_dir) <
            PCKID_PATH_SIZE &&
        access(out, F_OK) == 0) {
        return 0;
    }
    (void)snprintf(out, PCKID_PATH_SIZE, "%s",
                   access(SETTING_FALLBACK, F_OK) == 0 ? SETTING_FALLBACK : "");
    return 0;
}

static int
file_load(const struct pckid_settings *settings, struct pckid_report *report,
          struct network_setting *setting, char path[PCKID_PATH_SIZE])
{
    auto_cleanup(buf_done_secret) struct buf text = BUF_INIT(LIMIT_NETWORK_SETTING_BYTES);
    struct fault why = {.number = 0};
    if (file_find(settings, path) != 0) {
        return report_fail(report, PCKID_WRONG_USAGE, "--config: the path is too long");
    }
    if (path[0] == '\0') {
        return PCKID_DONE;
    }
    if (file_read(path, &text, &why) != 0) {
        return report_fail(report, PCKID_FAILED, "%s", why.text);
    }
    if (network_setting_parse(buf_span(&text), setting, &why) != 0) {
        return report_fail(report, PCKID_FAILED, "%s: %s", path, why.text);
    }
    if (setting->ignored_line != 0) {
        report_warn(report, "%s: line %u has no '=' and is passed over", path,
                    setting->ignored_line);
    }
    return PCKID_DONE;
}

/* A value of the file that is not overruled; said aloud, the token but masked. NULL if not set. */
static const char *
file_value(const struct network_setting *setting, enum network_key key, bool is_overruled,
           struct pckid_report *report)
{
    const char *value = setting->values[key];
    if (value[0] == '\0' || is_overruled) {
        return NULL;
    }
    report_say(report, "%s: %s = %s", SETTING_FILE, network_key_word(key),
               key == NETWORK_USER_TOKEN ? "********" : value);
    return value;
}

/* ---- where to ---- */

static int
endpoint_fill(struct pckid_settings *settings, const char *base, const char *complete,
              enum pckid_update update)
{
    static const char *const words[] = {
        [PCKID_UPDATE_STANDARD] = NULL, [PCKID_UPDATE_EARLY] = "early", [PCKID_UPDATE_ALL] = "all"};
    struct buf *url = &settings->endpoint;
    if (base != NULL) {
        struct span text = span_of_text(base);
        while (text.size > 0 && text.data[text.size - 1] == '/') {
            text.size--;
        }
        buf_add(url, text);
        buf_add_text(url, PLATFORMS_PATH);
    } else {
        buf_add_text(url, complete);
    }
    if (words[update] != NULL) {
        char sign = strchr(buf_text(url), '?') != NULL ? '&' : '?';
        buf_add_format(url, "%cupdate=%s", sign, words[update]);
    }
    return url->failed;
}

static int
base_check(const char *base, struct pckid_report *report)
{
    if (!pckid_url_is_good(base)) {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "-url: %s is not of the form https://HOST[:PORT]", base);
    }
    if (strstr(base, "/sgx/certification/") != NULL) {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "-url wants the base alone, https://HOST[:PORT]; the path is added");
    }
    return PCKID_DONE;
}

static int
endpoint_load(struct pckid_settings *settings, const struct network_setting *setting,
              struct pckid_report *report)
{
    const struct pckid_options *options = settings->options;
    const char *base = options->values[PCKID_URL];
    if (base == NULL && options->is_given[PCKID_DEFAULT_URL]) {
        base = DEFAULT_BASE;
    }
    if (base != NULL && base_check(base, report) != PCKID_DONE) {
        return PCKID_WRONG_USAGE;
    }
    enum pckid_update update = PCKID_UPDATE_STANDARD;
    const char *word = options->values[PCKID_TCB_UPDATE_TYPE];
    if (word != NULL && !pckid_update_parse(word, &update)) {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "-tcb_update_type: %s is none of standard, early, all", word);
    }
    const char *complete = file_value(setting, NETWORK_PCCS_URL, base != NULL, report);
    const char *filed = file_value(setting, NETWORK_TCB_UPDATE_TYPE, word != NULL, report);
    if (filed != NULL) {
        (void)pckid_update_parse(filed, &update); /* was checked with the file */
    }
    if (base == NULL && complete == NULL) {
        return PCKID_DONE;
    }
    return endpoint_fill(settings, base, complete, update) == 0
               ? PCKID_DONE
               : report_fail(report, PCKID_FAILED, "the URL of the PCCS is too long");
}

/* ---- how ---- */

static int
proxy_load(struct pckid_settings *settings, const struct network_setting *setting,
           struct pckid_report *report)
{
    const struct pckid_options *options = settings->options;
    const char *word = options->values[PCKID_PROXY_TYPE];
    const char *url = options->values[PCKID_PROXY_URL];
    if (word != NULL && !pckid_proxy_type_parse(word, &settings->proxy_type)) {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "-proxy_type: %s is none of default, direct, manual, auto", word);
    }
    const char *filed = file_value(setting, NETWORK_PROXY_TYPE, word != NULL, report);
    if (filed != NULL) {
        (void)pckid_proxy_type_parse(filed, &settings->proxy_type);
    }
    if (url == NULL) {
        url = file_value(setting, NETWORK_PROXY_URL, false, report);
    }
    bool is_typed = word != NULL || filed != NULL;
    if (url != NULL && !is_typed) {
        settings->proxy_type = PCKID_PROXY_MANUAL; /* who names a proxy means it */
    }
    if (settings->proxy_type == PCKID_PROXY_MANUAL && url == NULL) {
        return report_fail(report, word != NULL ? PCKID_WRONG_USAGE : PCKID_FAILED,
                           "a manual proxy needs its URL: -proxy_url or PROXY_URL");
    }
    if (url != NULL && snprintf(settings->proxy_url, sizeof settings->proxy_url, "%s", url) >=
                           (int)sizeof settings->proxy_url) {
        return report_fail(report, PCKID_WRONG_USAGE, "-proxy_url: too long");
    }
    return PCKID_DONE;
}

static int
tls_load(struct pckid_settings *settings, const struct network_setting *setting,
         struct pckid_report *report)
{
    bool is_secure = true;
    const char *word = settings->options->values[PCKID_USE_SECURE_CERT];
    if (word != NULL && !pckid_bool_parse(word, &is_secure)) {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "-use_secure_cert: %s is neither true nor false", word);
    }
    const char *filed = file_value(setting, NETWORK_USE_SECURE_CERT, word != NULL, report);
    if (filed != NULL) {
        (void)pckid_bool_parse(filed, &is_secure);
    }
    settings->is_unverified = !is_secure;
    return PCKID_DONE;
}

/* ---- the token ---- */

static void
token_set(struct pckid_settings *settings, const char *text)
{
    buf_add_text(&settings->token, text);
    settings->has_token = true;
}

/* Of a file the first line counts. */
static int
token_of_file(struct pckid_settings *settings, const char *path, struct pckid_report *report)
{
    struct fault why = {.number = 0};
    if (file_read(path, &settings->token, &why) != 0) {
        return report_fail(report, PCKID_FAILED, "PCCS_USER_TOKEN_FILE: %s", why.text);
    }
    settings->token.size = strcspn(buf_text(&settings->token), "\r\n");
    settings->token.data[settings->token.size] = '\0';
    settings->has_token = true;
    return PCKID_DONE;
}

static int
token_load(struct pckid_settings *settings, const struct network_setting *setting,
           struct pckid_report *report)
{
    char *given = settings->options->values[PCKID_USER_TOKEN];
    const char *variable = getenv("PCCS_USER_TOKEN");
    const char *file = getenv("PCCS_USER_TOKEN_FILE");
    if (given != NULL) {
        token_set(settings, given);
        memset(given, 'x', strlen(given)); /* what ps shows from now on */
    } else if (variable != NULL && variable[0] != '\0') {
        token_set(settings, variable);
    } else if (file != NULL && file[0] != '\0') {
        return token_of_file(settings, file, report);
    } else {
        const char *filed = file_value(setting, NETWORK_USER_TOKEN, false, report);
        if (filed != NULL) {
            token_set(settings, filed);
        }
    }
    return settings->token.failed == 0
               ? PCKID_DONE
               : report_fail(report, PCKID_WRONG_USAGE, "the user token is longer than %d bytes",
                             PCKID_TOKEN_BYTES_MAX);
}

/* Only asked if it will be needed. */
static int
token_ask(struct pckid_settings *settings, struct pckid_report *report)
{
    struct fault why = {.number = 0};
    if (settings->has_token || settings->endpoint.size == 0 ||
        settings->options->is_given[PCKID_DRY_RUN]) {
        return PCKID_DONE;
    }
    if (!pckid_can_ask()) {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "the user token of the PCCS is missing: set PCCS_USER_TOKEN or "
                           "PCCS_USER_TOKEN_FILE, USER_TOKEN in " SETTING_FILE ", or give "
                           "-user_token");
    }
    if (pckid_ask_line("User token of the PCCS", true, &settings->token, &why) != 0) {
        return report_fail(report, PCKID_WRONG_USAGE, "%s", why.text);
    }
    settings->has_token = true;
    return PCKID_DONE;
}

/* ---- the rest ---- */

static int
platform_id_load(struct pckid_settings *settings, struct pckid_report *report)
{
    struct fault why = {.number = 0};
    struct buf *id = &settings->platform_id;
    const char *given = settings->options->values[PCKID_PLATFORM_ID];
    settings->is_platform_id = settings->options->is_given[PCKID_PLATFORM_ID];
    if (!settings->is_platform_id) {
        return PCKID_DONE;
    }
    int rc =
        given != NULL ? buf_add_text(id, given) : pckid_ask_line("Platform id", false, id, &why);
    if (rc == FAULT_TOO_LARGE) {
        return report_fail(report, PCKID_WRONG_USAGE, "the platform id is longer than %d bytes",
                           LIMIT_PLATFORM_ID_BYTES);
    }
    if (rc != 0 || id->size == 0) {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "the platform id is missing: -platform_id ID, or a line of standard "
                           "input");
    }
    if (id->size > PLATFORM_ID_WARN_BYTES) {
        report_warn(report,
                    "the platform id has %zu bytes; in hex it exceeds the %d characters that a "
                    "PCCS takes",
                    id->size, LIMIT_QEID_CHARS);
    }
    return PCKID_DONE;
}

static int
state_dir_load(struct pckid_settings *settings, struct pckid_report *report)
{
    const char *given = settings->options->values[PCKID_STATE];
    const char *state_home = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *out = settings->state_dir;
    int size = 0;
    if (given != NULL) {
        size = snprintf(out, PCKID_PATH_SIZE, "%s", given);
    } else if (geteuid() == 0) {
        size = snprintf(out, PCKID_PATH_SIZE, "/var/lib/pckid");
    } else if (state_home != NULL && state_home[0] == '/') {
        size = snprintf(out, PCKID_PATH_SIZE, "%s/pckid", state_home);
    } else if (home != NULL && home[0] == '/') {
        size = snprintf(out, PCKID_PATH_SIZE, "%s/.local/state/pckid", home);
    } else {
        return report_fail(report, PCKID_WRONG_USAGE,
                           "there is no home for private copies: give --state DIR");
    }
    return size < PCKID_PATH_SIZE
               ? PCKID_DONE
               : report_fail(report, PCKID_WRONG_USAGE, "--state: the path is too long");
}

/* What is asked for. Options that only say where things are do not count. */
static int
wishes_load(struct pckid_settings *settings, struct pckid_report *report)
{
    const struct pckid_options *o = settings->options;
    bool wants_upload = o->is_given[PCKID_URL] || o->is_given[PCKID_DEFAULT_URL];
    if (o->is_given[PCKID_SEND]) {
        if (o->is_given[PCKID_FILE] || o->is_given[PCKID_DRY_RUN] ||
            o->is_given[PCKID_MARK_COMPLETE] || o->is_given[PCKID_PLATFORM_ID]) {
            return report_fail(report, PCKID_WRONG_USAGE,
                               "--send does nothing else: no -f, -platform_id, --dry-run, "
                               "--mark-complete");
        }
        return settings->endpoint.size > 0
                   ? PCKID_DONE
                   : report_fail(report, PCKID_WRONG_USAGE,
                                 "--send needs a PCCS: -url, or PCCS_URL in " SETTING_FILE);
    }
    settings->csv_path = o->values[PCKID_FILE];
    if (settings->csv_path == NULL && !wants_upload && !o->is_given[PCKID_DRY_RUN]) {
        settings->csv_path = DEFAULT_CSV;
    }
    return PCKID_DONE;
}

int
pckid_settings_load(const struct pckid_options *options, struct pckid_report *report,
                    struct pckid_settings *settings)
{
    *settings = (struct pckid_settings){
        .options = options,
        .endpoint = BUF_INIT(2 * LIMIT_URL_CHARS),
        .token = BUF_INIT(PCKID_TOKEN_BYTES_MAX),
        .platform_id = BUF_INIT(LIMIT_PLATFORM_ID_BYTES),
        .efivars = options->values[PCKID_EFIVARS],
    };
    if (settings->efivars == NULL) {
        settings->efivars = MANIFEST_EFIVARS;
    }
    buf_reserve(&settings->token, PCKID_TOKEN_BYTES_MAX);
    program_dir_find(settings->program_dir);
    auto_free struct network_setting *setting = calloc(1, sizeof *setting);
    char path[PCKID_PATH_SIZE];
    if (setting == NULL) {
        return report_fail(report, PCKID_FAILED, "no memory for the settings");
    }
    int rc = file_load(settings, report, setting, path);
    rc = rc != 0 ? rc : endpoint_load(settings, setting, report);
    rc = rc != 0 ? rc : proxy_load(settings, setting, report);
    rc = rc != 0 ? rc : tls_load(settings, setting, report);
    rc = rc != 0 ? rc : token_load(settings, setting, report);
    explicit_bzero(setting, sizeof *setting);
    rc = rc != 0 ? rc : wishes_load(settings, report);
    rc = rc != 0 ? rc : platform_id_load(settings, report);
    rc = rc != 0 ? rc : state_dir_load(settings, report);
    return rc != 0 ? rc : token_ask(settings, report);
}

void
pckid_settings_done(struct pckid_settings *settings)
{
    buf_done(&settings->endpoint);
    buf_done_secret(&settings->token);
    buf_done(&settings->platform_id);
}
