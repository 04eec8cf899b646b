/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs scenarios: text files in which a client asks, the PCS says, time passes, and the answer is
 * expected. The cache, the store (SQLite in memory), verification and selection are the real ones;
 * clock and PCS are scripted, and nothing runs beside anything else, so every run is the same.
 * README.md tells the language. Usage: scenario FILE...; exit 1 if any expectation failed.
 */
#include "scenario/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "store/store.h"

enum { WORDS_MAX = 24, LINE_MAX_BYTES = 4096 };

void
scenario_fail(struct scenario *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", s->path, s->line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    s->failures++;
}

/* ---- time ---- */

static int64_t
scripted_now(void *self)
{
    return ((struct scenario *)self)->now;
}

static int64_t
scripted_ms(void *self)
{
    return ((struct scenario *)self)->monotonic_ms;
}

/* "90", "90s", "5m", "2h", "30d", each with an optional sign */
int64_t
scenario_duration(struct scenario *s, const char *text)
{
    char *unit = NULL;
    int64_t count = strtoll(text, &unit, 10);
    switch (*unit) {
    case '\0':
    case 's':
        return count;
    case 'm':
        return count * 60;
    case 'h':
        return count * 3600;
    case 'd':
        return count * 86400;
    default:
        scenario_fail(s, "not a duration: %s", text);
        return 0;
    }
}

/* ---- the service under test ---- */

static void
service_start(struct scenario *s)
{
    if (s->cache != NULL) {
        return;
    }
    struct fault why = {0};
    struct span anchor = span_of_text(s->pki->root_pem);
    if (trust_anchors_from_pem(&anchor, 1, &s->anchors, &why) != 0) {
        scenario_fail(s, "anchors: %s", why.text);
        exit(1);
    }
    struct store_options store = {.path = ":memory:",
                                  .server_addr = "api.trustedservices.intel.com",
                                  .api_version = 4,
                                  .init_db = true,
                                  .clock = &s->clock};
    if (s->store == NULL && store_open_sqlite(&store, &s->store, &why) != 0) {
        scenario_fail(s, "store: %s", why.text);
        exit(1);
    }
    s->options.anchors = s->anchors;
    s->options.clock = &s->clock;
    s->options.store = s->store;
    s->options.upstream = s->options.mode == CACHE_MODE_OFFLINE ? NULL : &s->upstream;
    s->options.policy = &s->policy;
    if (cache_new(&s->options, &s->cache, &why) != 0) {
        scenario_fail(s, "cache: %s", why.text);
        exit(1);
    }
}

/* The process ends and starts again on the same database: memory is gone, the store is not. */
static void
service_stop(struct scenario *s)
{
    cache_free(s->cache);
    trust_anchors_free(s->anchors);
    s->cache = NULL;
    s->anchors = NULL;
}

/* ---- a client asks ---- */

struct client {
    struct ask ask;
    struct scenario *scenario;
    bool answered;
    struct response *response;
};

static void
client_done(struct ask *ask, struct response *response)
{
    struct client *client = (struct client *)ask;
    client->answered = true;
    client->response = response;
}

/* As serve_request does: validate, look up, ask. */
static void
client_send(struct scenario *s, struct client *client, const char *method, const char *target)
{
    const char *mark = strchr(target, '?');
    struct span path = span_of(target, mark != NULL ? (size_t)(mark - target) : strlen(target));
    struct span query = span_of_text(mark != NULL ? mark + 1 : "");
    struct route_match match = {0};
    struct fault why = {0};
    client->scenario = s;
    client->ask.done = client_done;
    snprintf(client->ask.request_id, sizeof client->ask.request_id, "scenario");
    int code = route_find(span_of_text(method), path, s->options.upstream_version, &match);
    if (code == 0) {
        code = request_parse(&match, query, &s->policy, &client->ask.request, &why);
    }
    if (code != 0) {
        why.code = (enum fault_code)code;
        client_done(&client->ask, response_of_fault(&why, false, 0));
        return;
    }
    struct response *hit = strcmp(method, "GET") == 0 && match.auth == ROUTE_AUTH_NONE
                               ? cache_lookup(s->cache, &client->ask.request)
                               : NULL;
    if (hit != NULL) {
        client_done(&client->ask, hit);
    } else {
        cache_ask(s->cache, &client->ask);
    }
}

void
scenario_ask(struct scenario *s, const char *method, const char *target, const char *body)
{
    service_start(s);
    unsigned count = s->together > 0 ? s->together : 1;
    s->together = 0;
    struct client *clients = calloc(count, sizeof *clients);
    must(clients != NULL);
    for (unsigned i = 0; i < count; i++) {
        clients[i].ask.body = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES);
        buf_add_text(&clients[i].ask.body, body != NULL ? body : "");
        client_send(s, &clients[i], method, target);
    }
    cache_run_jobs(s->cache);
    response_unref(s->answer);
    s->answer = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (!clients[i].answered) {
            scenario_fail(s, "%s %s was never answered", method, target);
        } else if (s->answer == NULL) {
            s->answer = response_ref(clients[i].response);
        } else if (s->answer->status != clients[i].response->status) {
            scenario_fail(s, "asked together, answered %d and %d", s->answer->status,
                          clients[i].response->status);
        }
        response_unref(clients[i].response);
        buf_done(&clients[i].ask.body);
    }
    free(clients);
}

/* ---- what is expected ---- */

static bool
answer_has(struct scenario *s, struct span where, const char *what)
{
    (void)s;
    return memmem(where.data, where.size, what, strlen(what)) != NULL;
}

static void
expect_word(struct scenario *s, const char *word, const char *value)
{
    struct response_extra extra = {.now = s->now, .client_cache_s = 86400};
    char lines[RESPONSE_EXTRA_SIZE];
    response_extra_lines(s->answer, &extra, lines);
    if (strcmp(word, "stale") == 0 || strcmp(word, "fresh") == 0) {
        bool is_stale = strstr(lines, "Warning: 110") != NULL;
        if (is_stale != (strcmp(word, "stale") == 0)) {
            scenario_fail(s, "expected %s: %s", word, lines);
        }
    } else if (strcmp(word, "fetches") == 0) {
        if (s->fetches != strtoul(value, NULL, 10)) {
            scenario_fail(s, "expected %s fetches, there were %u:%s", value, s->fetches,
                          s->fetched);
        }
    } else if (strcmp(word, "body") == 0 || strcmp(word, "no-body") == 0) {
        if (answer_has(s, s->answer->body, value) != (strcmp(word, "body") == 0)) {
            scenario_fail(s, "expected %s %s: %.*s", word, value, SPAN_ARGS(s->answer->body));
        }
    } else if (strcmp(word, "header") == 0) {
        if (!answer_has(s, s->answer->head, value) && strstr(lines, value) == NULL) {
            scenario_fail(s, "expected header %s: %.*s%s", value, SPAN_ARGS(s->answer->head),
                          lines);
        }
    } else if (strcmp(word, "detail") == 0) {
        if (strstr(s->answer->detail, value) == NULL) {
            scenario_fail(s, "expected detail %s: %s", value, s->answer->detail);
        }
    } else {
        scenario_fail(s, "expect does not know the word %s", word);
    }
}

/* expect STATUS [stale|fresh] [fetches N] [body TEXT] [no-body TEXT] [header TEXT] [detail TEXT] */
static void
do_expect(struct scenario *s, char **words, size_t count)
{
    if (s->answer == NULL || count < 2) {
        scenario_fail(s, "nothing was asked, or no status is expected");
        return;
    }
    if (s->answer->status != (int)strtol(words[1], NULL, 10)) {
        scenario_fail(s, "expected %s, the answer is %d (%s)", words[1], s->answer->status,
                      s->answer->detail);
    }
    for (size_t i = 2; i < count; i++) {
        bool takes_value = strcmp(words[i], "stale") != 0 && strcmp(words[i], "fresh") != 0;
        if (takes_value && i + 1 == count) {
            scenario_fail(s, "%s wants a value", words[i]);
            return;
        }
        expect_word(s, words[i], takes_value ? words[i + 1] : NULL);
        i += takes_value;
    }
    s->fetches = 0;
    s->fetched[0] = '\0';
}

/* ---- the other statements ---- */

static void
do_setting(struct scenario *s, char **words, size_t count)
{
    const char *value = count > 2 ? words[2] : "";
    if (s->cache != NULL) {
        service_stop(s); /* taken at the next start, as the daemon does */
    }
    if (strcmp(words[1], "mode") == 0) {
        if (!cache_mode_parse(span_of_text(value), &s->options.mode)) {
            scenario_fail(s, "not a mode: %s", value);
        }
    } else if (strcmp(words[1], "stale") == 0) {
        s->options.stale_reject = strcmp(value, "reject") == 0;
    } else if (strcmp(words[1], "refresh-before") == 0) {
        s->options.refresh_before_s = scenario_duration(s, value);
    } else if (strcmp(words[1], "new-platforms") == 0) {
        s->options.lazy_new_platforms_per_minute = (int)strtol(value, NULL, 10);
    } else {
        scenario_fail(s, "set does not know %s", words[1]);
    }
}

static void
do_pass(struct scenario *s, const char *duration)
{
    int64_t seconds = scenario_duration(s, duration);
    s->now += seconds;
    s->monotonic_ms += seconds * 1000;
}

static void
do_tick(struct scenario *s)
{
    service_start(s);
    cache_tick(s->cache, true);
    cache_run_jobs(s->cache);
}

static void
do_nightly(struct scenario *s)
{
    service_start(s);
    cache_refresh_all(s->cache);
    cache_run_jobs(s->cache);
}

static void
do_words(struct scenario *s, char **words, size_t count)
{
    const char *verb = words[0];
    if (strcmp(verb, "title:") == 0) {
        s->has_title = true;
    } else if (strcmp(verb, "set") == 0 && count >= 2) {
        do_setting(s, words, count);
    } else if (strcmp(verb, "at") == 0 && count == 2) {
        if (!clock_parse_iso8601(span_of_text(words[1]), &s->now)) {
            scenario_fail(s, "not a time: %s", words[1]);
        }
    } else if (strcmp(verb, "pass") == 0 && count == 2) {
        do_pass(s, words[1]);
    } else if (strcmp(verb, "tick") == 0) {
        do_tick(s);
    } else if (strcmp(verb, "nightly") == 0) {
        do_nightly(s);
    } else if (strcmp(verb, "restart") == 0) {
        service_stop(s);
    } else if (strcmp(verb, "pcs") == 0 && count >= 3) {
        scripted_pcs_says(s, words, count);
    } else if (strcmp(verb, "together") == 0 && count == 2) {
        s->together = (unsigned)strtoul(words[1], NULL, 10);
    } else if (strcmp(verb, "get") == 0 && count == 2) {
        scenario_ask(s, "GET", words[1], NULL);
    } else if (strcmp(verb, "post") == 0 && count >= 2) {
        scenario_ask(s, "POST", words[1], count > 2 ? words[2] : NULL);
    } else if (strcmp(verb, "pckcert") == 0 && count >= 3) {
        scripted_pckcert(s, words, count);
    } else if (strcmp(verb, "register") == 0 && count >= 2) {
        scripted_register(s, words, count);
    } else if (strcmp(verb, "upload") == 0) {
        scripted_upload(s, words, count);
    } else if (strcmp(verb, "expect") == 0) {
        do_expect(s, words, count);
    } else {
        scenario_fail(s, "not a statement: %s", verb);
    }
}

/* Splits at blanks; "..." and '...' keep them. In place. */
static size_t
split_words(char *line, char *words[WORDS_MAX])
{
    size_t count = 0;
    char *p = line;
    while (count < WORDS_MAX) {
        p += strspn(p, " \t\n");
        if (*p == '\0' || (*p == '#' && count == 0)) {
            break;
        }
        const char *end = *p == '"' ? "\"" : *p == '\'' ? "'" : " \t\n";
        p += *end != ' ';
        words[count++] = p;
        p += strcspn(p, end);
        if (*p == '\0') {
            break;
        }
        *p++ = '\0';
    }
    return count;
}

static int
scenario_run(const char *path)
{
    struct scenario s = {.path = path, .now = TESTPKI_NOW, .monotonic_ms = 1000000};
    s.clock = (struct clock){.now = scripted_now, .monotonic_ms = scripted_ms, .self = &s};
    s.options = (struct cache_options){.mode = CACHE_MODE_LAZY,
                                       .upstream_version = 4,
                                       .memory_bytes = 8 << 20,
                                       .lazy_new_platforms_per_minute = 600};
    s.pki = testpki_new();
    scripted_pcs_init(&s);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, file) != NULL) {
        char *words[WORDS_MAX];
        s.line++;
        size_t count = split_words(line, words);
        if (count > 0) {
            do_words(&s, words, count);
        }
    }
    fclose(file);
    if (!s.has_title) {
        scenario_fail(&s, "a scenario begins with its title");
    }
    response_unref(s.answer);
    service_stop(&s);
    if (s.store != NULL) {
        store_close(s.store);
    }
    scripted_pcs_done(&s);
    testpki_free(s.pki);
    return s.failures;
}

int
main(int argc, char **argv)
{
    int failed = 0;
    const struct log_options log = {.level = LOG_ERROR, .path = "/dev/null"};
    cache_thread_start();
    must(log_open(&log, NULL) == 0);
    for (int i = 1; i < argc; i++) {
        failed += scenario_run(argv[i]) != 0;
    }
    printf("%d passed, %d failed\n", argc - 1 - failed, failed);
    cache_thread_stop();
    return failed != 0 || argc < 2;
}
