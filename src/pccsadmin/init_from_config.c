/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of Intel's service as one of ours: its layers are read as Node's `config`
 * module reads them (a member of a later file wins, objects are merged), every key is judged by
 * itself, and what the two services understand differently is said our way.
 * Takes the folder; gives the members that were taken, and a line of the report for each key.
 * Called by init_from.c. Must never print a secret, nor let a value that is refused become a
 * default unsaid where that would change whom the service asks or answers.
 */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "pccsadmin/init_from.h"
#include "schedule/cron.h"
#include "json/json_scan.h"
#include "json/json_value.h"

enum { LAYER_COUNT = 4, LAYER_NAME_SIZE = 80, ENVIRONMENT_CHARS_MAX = 32 };

static const char *const silent_keys[] = {
#define SILENT(key) key,
#include "config/silent_keys.def"
#undef SILENT
};

/* How Node's loose types become ours. */
enum translation { SAME, NUMBER, SECONDS, BYTES, HOSTS, TRUTH, PATH, PLACE };
static const struct {
    enum config_option option;
    enum translation translation;
} translations[] = {
    {CONFIG_HTTPS_PORT, NUMBER},
    {CONFIG_MYSQL_POOL_MAX, NUMBER},
    {CONFIG_MARIADB_POOL_MAX, NUMBER},
    {CONFIG_POSTGRES_POOL_MAX, NUMBER},
    {CONFIG_HEADERS_TIMEOUT, SECONDS},
    {CONFIG_REQUEST_TIMEOUT, SECONDS},
    {CONFIG_KEEP_ALIVE_TIMEOUT, SECONDS},
    {CONFIG_MAX_REQUEST_BODY_SIZE, BYTES},
    {CONFIG_HOSTS, HOSTS},
    {CONFIG_OPENSSL_FIPS_MODE, TRUTH},
    {CONFIG_MYSQL_SSL_REQUIRED, TRUTH},
    {CONFIG_MARIADB_SSL_REQUIRED, TRUTH},
    {CONFIG_POSTGRES_SSL_REQUIRED, TRUTH},
    {CONFIG_MYSQL_SSL_CA, PATH},
    {CONFIG_MARIADB_SSL_CA, PATH},
    {CONFIG_POSTGRES_SSL_CA, PATH},
    {CONFIG_UPSTREAM_CA_FILE, PATH},
    {CONFIG_TRUST_ANCHORS, PATH},
    /* places of the old installation; the new one has its own */
    {CONFIG_SQLITE_STORAGE, PLACE},
    {CONFIG_DATA_DIRECTORY, PLACE},
    {CONFIG_TLS_KEY, PLACE},
    {CONFIG_TLS_CERTIFICATE, PLACE},
    {CONFIG_LOG_FILE, PLACE},
};

/* A default in their stead would be another service. */
static const enum config_option essential[] = {CONFIG_URI, CONFIG_CACHING_FILL_MODE,
                                               CONFIG_DB_CONFIG, CONFIG_HOSTS, CONFIG_HTTPS_PORT};

struct layers {
    char names[LAYER_COUNT][LAYER_NAME_SIZE];
    json_t *values[CONFIG_OPTION_COUNT];      /* owned */
    const char *origins[CONFIG_OPTION_COUNT]; /* into names, or an option's word */
};

static enum translation
translation_of(enum config_option option)
{
    for (size_t i = 0; i < ARRAY_COUNT(translations); i++) {
        if (translations[i].option == option) {
            return translations[i].translation;
        }
    }
    return SAME;
}

static bool
is_essential(enum config_option option)
{
    for (size_t i = 0; i < ARRAY_COUNT(essential); i++) {
        if (essential[i] == option) {
            return true;
        }
    }
    return false;
}

/* ---- members by dotted names ---- */

/* The object that holds the last part of key, and that part; NULL if it is not there. make: the
 * objects on the way are made. */
static json_t *
parent_find(json_t *root, const char *key, bool make, const char **ret_name)
{
    const char *dot;
    while (json_is_object(root) && (dot = strchr(key, '.')) != NULL) {
        char part[64];
        must(span_to_text(span_of(key, (size_t)(dot - key)), part, sizeof part));
        json_t *child = json_object_get(root, part);
        if (child == NULL && make) {
            child = json_object();
            if (json_object_set_new(root, part, child) != 0) {
                return NULL;
            }
        }
        root = child;
        key = dot + 1;
    }
    *ret_name = key;
    return json_is_object(root) ? root : NULL;
}

/* Removes the member and hands it to the caller; NULL if it is not there. */
static json_t *
member_take(json_t *root, const char *key)
{
    const char *name;
    json_t *parent = parent_find(root, key, false, &name);
    json_t *value = parent != NULL ? json_incref(json_object_get(parent, name)) : NULL;
    if (value != NULL) {
        json_object_del(parent, name);
    }
    return value;
}

static int
member_set(json_t *root, const char *key, json_t *value, struct fault *why)
{
    const char *name;
    json_t *parent = parent_find(root, key, true, &name);
    return parent != NULL && json_object_set(parent, name, value) == 0
               ? 0
               : fault_set(why, FAULT_MEMORY, "from", "no memory for the configuration");
}

static int
dump_more(const char *bytes, size_t size, void *text)
{
    return buf_add(text, span_of(bytes, size)) == 0 ? 0 : -1;
}

/* The buffer has its whole room: what grows leaves copies. */
static int
dump(const json_t *value, size_t flags, struct buf *text, struct fault *why)
{
    return json_dump_callback(value, dump_more, text, flags) == 0
               ? 0
               : fault_set(why, FAULT_MEMORY, "from", "no memory for the configuration");
}

/* ---- translating ---- */

static json_t *
translate_number(const json_t *value, bool is_rounded_up)
{
    if (json_is_string(value)) {
        char *end = NULL;
        const char *text = json_string_value(value);
        double number = strtod(text, &end);
        bool good = end != text && *end == '\0' && number >= 0 && number < 1e9;
        int64_t whole = good ? (int64_t)number : 0;
        return good && (is_rounded_up || (double)whole == number)
                   ? json_integer(whole + ((double)whole < number))
                   : NULL;
    }
    if (json_is_real(value) && is_rounded_up) {
        double number = json_real_value(value);
        int64_t whole = number >= 0 && number < 1e9 ? (int64_t)number : 0;
        return number >= 0 && number < 1e9 ? json_integer(whole + ((double)whole < number)) : NULL;
    }
    return NULL;
}

/* "1.5mb": Node's `bytes` takes fractions. */
static json_t *
translate_bytes(const json_t *value)
{
    static const struct {
        const char *word;
        double factor;
    } units[] = {{"", 1}, {"b", 1}, {"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}};
    const char *text = json_string_value(value);
    char *end = NULL;
    double number = text != NULL ? strtod(text, &end) : 0;
    if (text == NULL || strchr(text, '.') == NULL || !(number >= 0 && number < 1e9)) {
        return NULL; /* what has none is ours too */
    }
    end += strspn(end, " ");
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (span_is_nocase(span_of_text(end), units[i].word)) {
            return json_integer((json_int_t)(number * units[i].factor));
        }
    }
    return NULL;
}

/* To Node an empty host is all addresses, of both families where there are two. */
static json_t *
translate_hosts(const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL || text[0] != '\0') {
        return NULL;
    }
    return json_string(access("/proc/net/if_inet6", F_OK) == 0 ? "::" : "0.0.0.0");
}

static json_t *
translate_truth(const json_t *value)
{
    if (json_is_string(value)) {
        return json_boolean(json_string_length(value) > 0);
    }
    if (json_is_number(value)) {
        return json_boolean(json_number_value(value) != 0);
    }
    return json_is_null(value) ? json_false() : NULL;
}

static json_t *
path_absolute(const struct takeover *takeover, const json_t *value)
{
    char path[PATH_MAX];
    const char *text = json_string_value(value);
    if (text == NULL || text[0] == '\0') {
        return json_deep_copy(value);
    }
    init_source_path(&takeover->source, text, path);
    return json_string(path);
}

/* Relative paths start in the old folder. */
static json_t *
translate_path(const struct takeover *takeover, const json_t *value)
{
    if (!json_is_array(value)) {
        return path_absolute(takeover, value);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_array_append_new(list, path_absolute(takeover, json_array_get(value, i)));
    }
    return list;
}

/* A new value; NULL: it stays as it is. */
static json_t *
translate(const struct takeover *takeover, enum config_option option, const json_t *value)
{
    switch (translation_of(option)) {
    case NUMBER:
        return translate_number(value, false);
    case SECONDS:
        return translate_number(value, true);
    case BYTES:
        return translate_bytes(value);
    case HOSTS:
        return translate_hosts(value);
    case TRUTH:
        return translate_truth(value);
    case PATH:
        return translate_path(takeover, value);
    case SAME:
    case PLACE:
        break;
    }
    return NULL;
}

/* ---- one key ---- */

/* Into a configuration as its only member. */
static int
apply(struct config *config, enum config_option option, const char *origin, json_t *value,
      struct fault *why)
{
    auto_json json_t *root = json_object();
    auto_cleanup(buf_done_secret) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
    buf_reserve(&text, LIMIT_CONFIG_BYTES / 16);
    int failed = member_set(root, config_option_key(option), value, why);
    failed = failed != 0 ? failed : dump(root, JSON_COMPACT, &text, why);
    return failed != 0 ? failed
                       : config_apply_json(config, origin, buf_span(&text), NULL, NULL, why);
}

/* By itself: the other keys are not to blame for it. */
static int
check(enum config_option option, const char *origin, json_t *value, struct fault *why)
{
    auto_cleanup(config_done) struct config alone;
    struct cron schedule;
    config_init(&alone);
    int failed = apply(&alone, option, origin, value, why);
    if (failed == 0 && option != CONFIG_DB_CONFIG) { /* its section is looked at in the end */
        failed = config_check(&alone, why);
    }
    if (failed == 0 && option == CONFIG_REFRESH_SCHEDULE) {
        failed = cron_parse(span_of_text(alone.refresh_schedule), &schedule, why);
    }
    return failed;
}

static int
key_place(struct takeover *takeover, enum config_option option, const char *origin,
          const json_t *value, struct fault *why)
{
    const char *text = json_string_value(value);
    if (option == CONFIG_SQLITE_STORAGE && (text == NULL || text[0] == '\0')) {
        return fault_set(why, FAULT_CONFIG, "from", "%s: sqlite.options.storage: expected a path",
                         origin);
    }
    if (option != CONFIG_SQLITE_STORAGE) {
        takeover_tell(takeover, TAKEOVER_LEFT, config_option_key(option),
                      "a place of the old installation (%s)", origin);
        return 0;
    }
    free(takeover->storage);
    takeover->storage = strdup(text);
    return takeover->storage != NULL ? 0
                                     : fault_set(why, FAULT_MEMORY, "from", "no memory for a path");
}

static int
key_take(struct takeover *takeover, enum config_option option, const char *origin, json_t *value,
         struct fault *why)
{
    struct fault cause = {0};
    const char *key = config_option_key(option);
    if (translation_of(option) == PLACE) {
        return key_place(takeover, option, origin, value, why);
    }
    auto_json json_t *translated = translate(takeover, option, value);
    json_t *result = translated != NULL ? translated : value;
    int failed = check(option, origin, result, &cause);
    if (failed != 0 && is_essential(option)) {
        return fault_set(why, FAULT_CONFIG, "from",
                         "%s; nothing can stand for it: correct it there, or give --upstream, "
                         "--mode, --port, --remote",
                         cause.text);
    }
    if (failed != 0) {
        takeover_tell(takeover, TAKEOVER_LEFT, key, "refused, the default stands: %s", cause.text);
        return 0;
    }
    failed = apply(&takeover->found, option, origin, result, why);
    return failed != 0 ? failed : member_set(takeover->taken, key, result, why);
}

/* ---- layers ---- */

/* NODE_ENV; Intel's unit sets production. */
static int
layers_name(struct layers *layers, struct fault *why)
{
    const char *word = getenv("NODE_ENV");
    word = word != NULL && word[0] != '\0' ? word : "production";
    if (strlen(word) > ENVIRONMENT_CHARS_MAX ||
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
            strlen(word)) {
        return fault_set(why, FAULT_CONFIG, "from", "NODE_ENV is no word that names a file");
    }
    snprintf(layers->names[0], LAYER_NAME_SIZE, "config/default.json");
    snprintf(layers->names[1], LAYER_NAME_SIZE, "config/%s.json", word);
    snprintf(layers->names[2], LAYER_NAME_SIZE, "config/local.json");
    snprintf(layers->names[3], LAYER_NAME_SIZE, "config/local-%s.json", word);
    return 0;
}

static void
warn_left(void *self, const char *text)
{
    takeover_tell(self, TAKEOVER_LEFT, "key", "%s", text);
}

/* What no option took: keys of no effect here, unknown ones. */
static int
rest_tell(struct takeover *takeover, const char *name, json_t *root, struct fault *why)
{
    for (size_t i = 0; i < ARRAY_COUNT(silent_keys); i++) {
        auto_json json_t *value = member_take(root, silent_keys[i]);
        if (value != NULL) {
            takeover_tell(takeover, TAKEOVER_LEFT, silent_keys[i], "has no effect here (%s)", name);
        }
    }
    auto_cleanup(buf_done_secret) struct buf text = BUF_INIT(2 * LIMIT_CONFIG_BYTES);
    auto_cleanup(config_done) struct config scratch;
    struct fault cause;
    config_init(&scratch);
    int failed = dump(root, JSON_COMPACT, &text, why);
    if (failed == 0 &&
        config_apply_json(&scratch, name, buf_span(&text), warn_left, takeover, &cause) != 0) {
        takeover_tell(takeover, TAKEOVER_LEFT, "key", "%s", cause.text);
    }
    return failed;
}

static int
layer_sort(struct takeover *takeover, struct layers *layers, const char *name, json_t *root,
           struct fault *why)
{
    if (!json_is_object(root)) {
        return fault_set(why, FAULT_CONFIG, "from", "%s: expected a JSON object", name);
    }
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        json_t *value = member_take(root, config_option_key((enum config_option)i));
        if (value != NULL) {
            json_decref(layers->values[i]);
            layers->values[i] = value;
            layers->origins[i] = name;
        }
    }
    return rest_tell(takeover, name, root, why);
}

static int
layer_read(struct takeover *takeover, struct layers *layers, size_t index, struct fault *why)
{
    const char *name = layers->names[index];
    auto_cleanup(buf_done_secret) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
    auto_json json_t *root = NULL;
    int failed = init_source_read(&takeover->source, name, &text, why);
    if (failed == FAULT_NOT_FOUND && index > 0) {
        return 0;
    }
    if (failed == FAULT_NOT_FOUND) {
        return fault_set(why, FAULT_CONFIG, "from",
                         "%s holds no %s: it is no folder of Intel's service",
                         takeover->source.path, name);
    }
    failed = failed != 0 ? failed : config_parse_json(name, buf_span(&text), &root, why);
    return failed != 0 ? failed : layer_sort(takeover, layers, name, root, why);
}

/* What stands on the command line wins. */
static int
options_set(const struct arguments *args, struct layers *layers, struct fault *why)
{
    static const long range[] = {1, 65535, 8081};
    const struct {
        enum admin_option given;
        enum config_option option;
        const char *word, *value;
    } texts[] = {
        {ADMIN_MODE, CONFIG_CACHING_FILL_MODE, "--mode", args->values[ADMIN_MODE]},
        {ADMIN_UPSTREAM, CONFIG_URI, "--upstream", args->values[ADMIN_UPSTREAM]},
        {ADMIN_REMOTE, CONFIG_HOSTS, "--remote", "0.0.0.0"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (arguments_have(args, texts[i].given)) {
            json_decref(layers->values[texts[i].option]);
            layers->values[texts[i].option] = json_string(texts[i].value);
            layers->origins[texts[i].option] = texts[i].word;
        }
    }
    long port;
    int failed = arguments_number(args, ADMIN_PORT, range, &port, why);
    if (failed == 0 && arguments_have(args, ADMIN_PORT)) {
        json_decref(layers->values[CONFIG_HTTPS_PORT]);
        layers->values[CONFIG_HTTPS_PORT] = json_integer(port);
        layers->origins[CONFIG_HTTPS_PORT] = "--port";
    }
    return failed;
}

/* ---- telling ---- */

/* By the words of pccsd --check, which knows what is secret. */
static void
tell_taken(struct takeover *takeover, const struct layers *layers)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT(4 * LIMIT_CONFIG_BYTES);
    if (config_print(&takeover->found, &text) != 0) {
        return;
    }
    char *line = (char *)text.data;
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const char *key = config_option_key((enum config_option)i);
        char start[LAYER_NAME_SIZE];
        const char *name;
        json_t *parent = parent_find(takeover->taken, key, false, &name);
        if (parent == NULL || json_object_get(parent, name) == NULL) {
            continue;
        }
        snprintf(start, sizeof start, "%s = ", key);
        char *found = line != NULL ? strstr(line, start) : NULL;
        while (found != NULL && found != line && found[-1] != '\n') {
            found = strstr(found + 1, start);
        }
        if (found == NULL) { /* a database section that is not used is not printed */
            takeover_tell(takeover, TAKEOVER_TAKEN, key, "(%s)", layers->origins[i]);
        } else {
            found += strlen(start);
            int size = (int)strcspn(found, "\n");
            size -= (int)strlen(layers->origins[i]) + (int)strlen("  # ");
            takeover_tell(takeover, TAKEOVER_TAKEN, key, "%.*s (%s)", size, found,
                          layers->origins[i]);
        }
    }
}

static void
tell_tokens(struct takeover *takeover)
{
    if (takeover->found.admin_token_hash[0] == '\0') {
        takeover_tell(takeover, TAKEOVER_WARNING, "AdminTokenHash",
                      "there is none: administration is refused to everybody; pccsadmin hash-token "
                      "makes one");
    }
    if (takeover->found.user_token_hash[0] == '\0') {
        takeover_tell(takeover, TAKEOVER_WARNING, "UserTokenHash",
                      "there is none: registrations are refused to everybody; pccsadmin hash-token "
                      "makes one");
    }
}

int
takeover_read_config(struct takeover *takeover, struct fault *why)
{
    struct layers layers = {0};
    int failed = layers_name(&layers, why);
    for (size_t i = 0; failed == 0 && i < LAYER_COUNT; i++) {
        failed = layer_read(takeover, &layers, i, why);
    }
    failed = failed != 0 ? failed : options_set(takeover->args, &layers, why);
    for (int i = 0; failed == 0 && i < CONFIG_OPTION_COUNT; i++) {
        if (layers.values[i] != NULL) {
            failed =
                key_take(takeover, (enum config_option)i, layers.origins[i], layers.values[i], why);
        }
    }
    if (failed == 0) {
        tell_taken(takeover, &layers);
        tell_tokens(takeover);
    }
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        json_decref(layers.values[i]);
    }
    return failed;
}

/* ---- the new one ---- */

/* FILE, or local.json beside it where FILE exists. */
static int
place_choose(struct takeover *takeover, struct fault *why)
{
    const char *file = arguments_text(takeover->args, ADMIN_CONFIG, "config/default.json");
    int failed = options_find_new(file, &takeover->options, why);
    if (failed != 0) {
        return failed;
    }
    const struct options *options = &takeover->options;
    int size = access(options->config_path, F_OK) == 0
                   ? snprintf(takeover->place, PATH_MAX, "%s/local.json", options->folder)
                   : snprintf(takeover->place, PATH_MAX, "%s", options->config_path);
    return size < PATH_MAX
               ? 0
               : fault_set(why, FAULT_CONFIG, "file", "the path of the configuration is too long");
}

int
takeover_plan(struct takeover *takeover, struct fault *why)
{
    auto_cleanup(buf_done) struct buf warnings = BUF_INIT(OPTIONS_WARNINGS_BYTES_MAX);
    struct config plan;
    int failed = place_choose(takeover, why);
    buf_reserve(&takeover->text, LIMIT_CONFIG_BYTES / 4);
    buf_add_text(&takeover->text, "// Made by pccsadmin init --from. All keys: "
                                  "docs/configuration.md.\n");
    failed = failed != 0 ? failed : dump(takeover->taken, JSON_INDENT(4), &takeover->text, why);
    if (failed == 0 && buf_add_byte(&takeover->text, '\n') != 0) {
        failed = fault_set(why, FAULT_MEMORY, "from", "no memory for the configuration");
    }
    if (failed != 0) {
        return failed;
    }
    takeover->options.instead_path = takeover->place;
    takeover->options.instead_text = buf_span(&takeover->text);
    failed = options_read(&takeover->options, &plan, &warnings, why);
    if (failed != 0) {
        return failed;
    }
    config_done(&takeover->plan);
    takeover->plan = plan;
    return 0;
}
