/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin init: what a first start needs: a configuration with both tokens' hashes, a
 * development CA and a TLS key pair with the right names (config.md, end).
 * Takes flags and the environment, else asks on a terminal as the reference's installer does; gives
 * the configuration FILE, or local.json beside it where FILE exists (later layers win), and the TLS
 * files where the configuration wants them. With --from: init_from.c. Called by main.c.
 * Must never write a token, replace a key pair, or take a token that is easily guessed.
 */
#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "pccsadmin/init_from.h"
#include "setup/options.h"
#include "setup/tls_init.h"
#include "json/json_scan.h"

enum { TOKEN_CHARS_LEAST = 12, TOKEN_CHARS_LONG = 20, TOKEN_KINDS_LEAST = 3, ANSWER_BYTES = 256 };

struct answers {
    long port;
    bool is_remote;
    char mode[16];
    struct buf api_key;
    char hashes[2][128 + 1]; /* by enum secret: administrator, user */
};

/* ---- asking ---- */

static int
port_ask(const struct arguments *args, bool may_ask, long *ret_port, struct fault *why)
{
    static const long range[] = {1, 65535, 8081};
    struct arguments answered = *args;
    auto_cleanup(buf_done) struct buf answer = BUF_INIT(ANSWER_BYTES);
    if (may_ask && !arguments_have(args, ADMIN_PORT)) {
        int failed = ask_line("Port to listen on [8081]: ", &answer, why);
        if (failed != 0) {
            return failed;
        }
        answered.values[ADMIN_PORT] = answer.size > 0 ? buf_text(&answer) : NULL;
    }
    return arguments_number(&answered, ADMIN_PORT, range, ret_port, why);
}

static int
mode_ask(const struct arguments *args, bool may_ask, char out[16], struct fault *why)
{
    auto_cleanup(buf_done) struct buf answer = BUF_INIT(ANSWER_BYTES);
    const char *word = arguments_text(args, ADMIN_MODE, "LAZY");
    enum cache_mode mode;
    if (may_ask && !arguments_have(args, ADMIN_MODE)) {
        int failed = ask_line("How is the cache filled: LAZY (when a client asks), REQ (when a "
                              "platform registers), OFFLINE (by files) [LAZY]: ",
                              &answer, why);
        if (failed != 0) {
            return failed;
        }
        word = answer.size > 0 ? buf_text(&answer) : "LAZY";
    }
    if (!cache_mode_parse(span_of_text(word), &mode)) {
        return fault_set(why, FAULT_INPUT, "usage", "--mode: LAZY, REQ or OFFLINE is wanted");
    }
    snprintf(out, 16, "%s", cache_mode_word(mode));
    return 0;
}

static int
key_ask(bool may_ask, struct buf *key, struct fault *why)
{
    int failed = secret_get(SECRET_API_KEY, key, why);
    if (failed == 0 && key->size == 0 && may_ask) {
        failed = ask_secret("API key for Intel's PCS (Enter: none): ", key, why);
    }
    return failed;
}

/* As the reference's installer wants it: long, and of several kinds of characters. */
static int
token_check_strength(struct span token, const char *whose, struct fault *why)
{
    unsigned kinds[4] = {0};
    for (size_t i = 0; i < token.size; i++) {
        int c = token.data[i];
        kinds[isupper(c) ? 0 : islower(c) ? 1 : isdigit(c) ? 2 : 3] = 1;
    }
    unsigned count = kinds[0] + kinds[1] + kinds[2] + kinds[3];
    if (token.size >= TOKEN_CHARS_LONG ||
        (token.size >= TOKEN_CHARS_LEAST && count >= TOKEN_KINDS_LEAST)) {
        return 0;
    }
    return fault_set(why, FAULT_CONFIG, "token",
                     "the %s's token is too weak: %d characters of three kinds (capitals, small "
                     "letters, digits, others), or %d of any, are wanted",
                     whose, TOKEN_CHARS_LEAST, TOKEN_CHARS_LONG);
}

static int
token_ask(enum secret which, const char *whose, char hash[128 + 1], struct fault *why)
{
    auto_cleanup(buf_done_secret) struct buf token = secret_buf();
    auto_cleanup(buf_done_secret) struct buf again = secret_buf();
    const char *variables[] = {"PCCS_ADMIN_TOKEN", "PCCS_ADMIN_TOKEN_FILE", "PCCS_USER_TOKEN",
                               "PCCS_USER_TOKEN_FILE"};
    size_t first = which == SECRET_ADMIN_TOKEN ? 0 : 2;
    bool is_given = getenv(variables[first]) != NULL || getenv(variables[first + 1]) != NULL;
    int failed;
    if (is_given || !ask_is_possible()) {
        failed = secret_get(which, &token, why);
    } else {
        char question[80];
        snprintf(question, sizeof question, "Token of the %s: ", whose);
        failed = ask_secret(question, &token, why);
        failed = failed != 0 ? failed : ask_secret("The same token again: ", &again, why);
        if (failed == 0 && !span_equal(buf_span(&token), buf_span(&again))) {
            failed = fault_set(why, FAULT_CONFIG, "token", "the two tokens differ");
        }
    }
    failed = failed != 0 ? failed : token_check_strength(buf_span(&token), whose, why);
    if (failed == 0 && !secret_hash(buf_span(&token), hash)) {
        failed = fault_set(why, FAULT_INTERNAL, "token", "OpenSSL could not make a SHA-512");
    }
    return failed;
}

static int
answers_get(const struct arguments *args, struct answers *answers, struct fault *why)
{
    bool may_ask = ask_is_possible() && !arguments_have(args, ADMIN_YES);
    int failed = port_ask(args, may_ask, &answers->port, why);
    answers->is_remote = arguments_have(args, ADMIN_REMOTE);
    if (failed == 0 && may_ask && !answers->is_remote) {
        answers->is_remote = ask_yes("Accept connections from other machines? (y/n) ");
    }
    failed = failed != 0 ? failed : mode_ask(args, may_ask, answers->mode, why);
    failed = failed != 0 ? failed : key_ask(may_ask, &answers->api_key, why);
    failed = failed != 0 ? failed
                         : token_ask(SECRET_ADMIN_TOKEN, "administrator",
                                     answers->hashes[SECRET_ADMIN_TOKEN], why);
    return failed != 0 ? failed
                       : token_ask(SECRET_USER_TOKEN, "platforms' user",
                                   answers->hashes[SECRET_USER_TOKEN], why);
}

/* ---- the configuration ---- */

static int
configuration_render(const struct arguments *args, const struct answers *answers, struct buf *text)
{
    buf_add_format(text,
                   "// Made by pccsadmin init. All keys: docs/configuration.md.\n{\n"
                   "    \"HTTPS_PORT\": %ld,\n    \"hosts\": \"%s\",\n",
                   answers->port, answers->is_remote ? "0.0.0.0" : "127.0.0.1");
    if (arguments_have(args, ADMIN_UPSTREAM)) {
        buf_add_text(text, "    \"uri\": ");
        json_add_quoted(text, span_of_text(args->values[ADMIN_UPSTREAM]));
        buf_add_text(text, ",\n");
    }
    buf_add_text(text, "    \"ApiKey\": ");
    json_add_quoted(text, buf_span(&answers->api_key));
    return buf_add_format(text,
                          ",\n    \"CachingFillMode\": \"%s\",\n    \"UserTokenHash\": \"%s\",\n"
                          "    \"AdminTokenHash\": \"%s\"\n}\n",
                          answers->mode, answers->hashes[SECRET_USER_TOKEN],
                          answers->hashes[SECRET_ADMIN_TOKEN]);
}

/* Whoever may read the first file must read the second: the service runs as another user. */
static void
owner_take_over(const char *from, const char *to)
{
    struct stat status;
    if (stat(from, &status) == 0 && chown(to, status.st_uid, status.st_gid) == 0) {
        chmod(to, (status.st_mode & 0640) | S_IRUSR | S_IWUSR);
    }
}

/* FILE, or local.json beside it; its folder is made. */
static int
place_find(const char *file, char out[PATH_MAX], struct fault *why)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", file) >= PATH_MAX - 16) {
        return fault_set(why, FAULT_CONFIG, "file", "the path of the configuration is too long");
    }
    const char *folder = dirname(copy);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
        return fault_set_number(why, FAULT_IO, "file", errno, "cannot make the folder %s: %s",
                                folder, strerror(errno));
    }
    if (access(file, F_OK) == 0) {
        snprintf(out, PATH_MAX, "%s/local.json", folder);
    } else {
        snprintf(out, PATH_MAX, "%s", file);
    }
    return 0;
}

static int
configuration_write(const struct arguments *args, const struct answers *answers, const char *file,
                    const char *place, struct fault *why)
{
    auto_cleanup(buf_done_secret) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
    buf_reserve(&text, 2 * SECRET_BYTES_MAX + 2048);
    if (configuration_render(args, answers, &text) != 0) {
        return fault_set(why, FAULT_MEMORY, "file", "memory ran out");
    }
    int failed = file_write_atomic(place, buf_span(&text), 0600, why);
    if (failed == 0 && strcmp(file, place) != 0) {
        owner_take_over(file, place);
    }
    return failed;
}

/* ---- TLS ---- */

/* Reads the configuration as the service will; what it refuses is told now. */
static int
tls_make(const struct arguments *args, const char *file, bool *ret_is_made,
         char certificate[PATH_MAX], struct fault *why)
{
    auto_cleanup(buf_done) struct buf warnings = BUF_INIT(OPTIONS_WARNINGS_BYTES_MAX);
    char names[TLS_INIT_NAMES_SIZE] = "";
    struct options options = {0};
    struct config config;
    int failed = options_find(file, &options, why);
    failed = failed != 0 ? failed : options_read(&options, &config, &warnings, why);
    options_done(&options);
    if (failed != 0) {
        return failed;
    }
    for (size_t i = 0; failed == 0 && i < args->repeated_count; i++) {
        failed = tls_init_add_name(args->repeated[i], names, sizeof names, why);
    }
    bool is_there = access(config.tls_key, F_OK) == 0 && access(config.tls_certificate, F_OK) == 0;
    if (failed == 0 && !is_there) {
        failed = tls_init_named(config.tls_key, config.tls_certificate, names, why);
    }
    snprintf(certificate, PATH_MAX, "%s", config.tls_certificate);
    config_done(&config);
    *ret_is_made = !is_there;
    return failed;
}

static int
run(const struct arguments *args, struct answers *answers)
{
    const char *file = arguments_text(args, ADMIN_CONFIG, "config/default.json");
    char place[PATH_MAX];
    char certificate[PATH_MAX] = "";
    bool is_made = false;
    struct fault why;
    int failed = place_find(file, place, &why);
    failed = failed != 0 ? failed : ask_overwrite(args, place, &why);
    if (failed != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    if (answers_get(args, answers, &why) != 0) {
        return say_fault(&why);
    }
    failed = configuration_write(args, answers, file, place, &why);
    failed = failed != 0 ? failed : tls_make(args, file, &is_made, certificate, &why);
    if (failed != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    say(args, "%s saved successfully.", place);
    say(args,
        is_made ? "A TLS key pair was made: %s; clients trust ca.crt in the same folder."
                : "The TLS key pair was kept: %s",
        certificate);
    say(args, "Next: pccsadmin doctor -c %s; then pccsd -c %s", file, file);
    say_json(args, json_pack("{s:s, s:s, s:s, s:b}", "file", place, "configuration", file,
                             "certificate", certificate, "certificate_is_new", is_made));
    return ADMIN_DONE;
}

int
cmd_init(const struct arguments *args)
{
    if (arguments_have(args, ADMIN_FROM)) {
        return init_from(args);
    }
    if (arguments_have(args, ADMIN_DRY_RUN) || arguments_have(args, ADMIN_WITHOUT_DATABASE)) {
        struct fault why;
        fault_set(&why, FAULT_INPUT, "usage", "--dry-run and --without-database go with --from");
        return say_usage(args, &why);
    }
    struct answers answers = {.api_key = secret_buf()};
    int status = run(args, &answers);
    buf_done_secret(&answers.api_key);
    return status;
}
