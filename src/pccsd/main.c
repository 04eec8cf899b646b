/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsd: reads the configuration, plugs store, PCS client, cache and HTTP server together, starts
 * all threads, waits for signals, and takes everything apart in reverse.
 * Threads: this one (signals, reload, watchdog); the server's loops; the cache's workers; one
 * timer. start_steps is the order in which things come to life, stop() the order in which they end.
 * Must never run half: whatever cannot be opened ends the program with one line that says why.
 * config.md, Programs.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "metrics/metrics.h"
#include "pccsd/access_log.h"
#include "pccsd/activation.h"
#include "pccsd/arguments.h"
#include "pccsd/check.h"
#include "pccsd/daemon.h"
#include "pccsd/harden.h"
#include "pccsd/notify.h"
#include "pccsd/origins.h"
#include "pccsd/reload.h"
#include "pccsd/serve.h"
#include "pccsd/syscall_filter.h"
#include "pccsd/test_clock.h"
#include "pccsd/upstream_open.h"
#include "pcs/pcs.h"
#include "setup/store_open.h"
#include "setup/tls_files.h"
#include "setup/tls_init.h"
#include "setup/trust_files.h"

enum {
    HOSTS_MAX = 32,
    LOCAL_WORKERS_MIN = 2,
    LOCAL_WORKERS_MAX = 8,
    STORE_WAIT_S = 1,      /* between two tries to reach a database server */
    STORE_TRY_S_MAX = 30,  /* one of them may take so long */
    STORE_TOLD_EVERY = 10, /* tries */
};

static unsigned
core_count(void)
{
    cpu_set_t cores;
    int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
    return count > 0 ? (unsigned)count : 1;
}

/* ---- start: each step either gives its part to the daemon or a fault ---- */

/* Makes the folder of the log file, but not its parents: those are the operator's. */
static void
make_log_folder(const char *path)
{
    auto_free char *folder = strdup(path);
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    if (slash != NULL && slash != folder) {
        *slash = '\0';
        mkdir(folder, 0750); /* if it fails, log_open says what is wrong */
    }
}

static int
start_log(struct daemon *daemon, struct fault *why)
{
    const struct config *config = &daemon->config;
    bool to_file = strcmp(config->log_file, "-") != 0;
    if (to_file) {
        make_log_folder(config->log_file);
    }
    struct log_options options = {
        .level = config->log_level,
        .json = config->log_json,
        .path = config->log_file,
    };
    int failed = log_open(&options, why);
    if (failed == 0) {
        daemon->logs_to_file = to_file;
        log_event(LOG_EVENT_START, NULL, LOG_TEXT("version", PCCS_VERSION),
                  LOG_TEXT("config", daemon->options.config_path),
                  LOG_TEXT("mode", cache_mode_word(config->mode)), LOG_TEXT("uri", config->uri));
        if (test_clock_offset(daemon->clock) != 0) {
            log_event(LOG_EVENT_TEST_CLOCK, NULL,
                      LOG_NUMBER("seconds", test_clock_offset(daemon->clock)));
        }
    }
    return failed;
}

static int
start_anchors(struct daemon *daemon, struct fault *why)
{
    int failed = trust_files_read(&daemon->config, &daemon->anchors, why);
    if (failed == 0) {
        trust_files_log(daemon->anchors);
        daemon->policy = origins_of(&daemon->config, daemon->anchors);
    }
    return failed;
}

/* Waits until a database server is there. A signal ends the wait and the program. */
static int
start_store(struct daemon *daemon, struct fault *why)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    for (unsigned tries = 0;; tries++) {
        int failed = store_open(&daemon->config, daemon->clock, &daemon->store, why);
        if (failed != FAULT_STORE) {
            return failed;
        }
        if (tries % STORE_TOLD_EVERY == 0) {
            log_event(LOG_EVENT_STORE_WAITING, NULL, LOG_FAULT(why));
        }
        notify_waiting("waits for the database", 3 * STORE_WAIT_S + STORE_TRY_S_MAX);
        struct timespec wait = {.tv_sec = STORE_WAIT_S};
        if (sigtimedwait(&ends, NULL, &wait) > 0) {
            daemon->is_ended = true;
            return failed;
        }
    }
}

static int
start_upstream(struct daemon *daemon, struct fault *why)
{
    if (daemon->config.mode == CACHE_MODE_OFFLINE) {
        return 0;
    }
    return upstream_open(&daemon->config, &daemon->upstream, why);
}

static int
start_cache(struct daemon *daemon, struct fault *why)
{
    const struct config *config = &daemon->config;
    unsigned local = core_count();
    local = local < LOCAL_WORKERS_MIN ? LOCAL_WORKERS_MIN : local;
    local = local > LOCAL_WORKERS_MAX ? LOCAL_WORKERS_MAX : local;
    struct cache_options options = {
        .mode = config->mode,
        .upstream_version = config->upstream_version,
        .stale_reject = config->stale_reject,
        .refresh_before_s = config->refresh_before_s,
        .memory_bytes = config->memory_cache_bytes,
        .upstream_workers =
            config->mode == CACHE_MODE_OFFLINE ? 1 : (unsigned)config->upstream_concurrency,
        .local_workers = local,
        .lazy_new_platforms_per_minute = config->lazy_new_platforms_per_minute,
        .anchors = daemon->anchors,
        .policy = &daemon->policy,
        .clock = daemon->clock,
        .store = daemon->store,
        .upstream = daemon->upstream,
    };
    return cache_new(&options, &daemon->cache, why);
}

static int
start_own_state(struct daemon *daemon, struct fault *why)
{
    access_log_init();
    metrics_name_label1(METRIC_BUILD, 0, PCCS_VERSION);
    metrics_name_label2(METRIC_BUILD, 0, cache_mode_word(daemon->config.mode));
    metric_set(METRIC_BUILD, 0, 0, 1);
    metric_set(METRIC_STARTED, 0, 0, daemon->started_at);
    tokens_init(&daemon->tokens, &daemon->config);
    health_init(&daemon->health);
    int per_second = daemon->config.requests_per_second;
    return per_second > 0 ? client_rate_new((unsigned)per_second, &daemon->client_rate, why) : 0;
}

static void
on_trouble(void *self, const char *what, int number)
{
    (void)self;
    log_event(LOG_EVENT_SERVER, NULL, LOG_TEXT("reason", what), LOG_NUMBER("number", number));
}

/* Splits "127.0.0.1, ::1" in place. */
static size_t
split_hosts(char *text, const char *hosts[HOSTS_MAX])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *host = strtok_r(text, ", ", &rest); host != NULL && count < HOSTS_MAX;
         host = strtok_r(NULL, ", ", &rest)) {
        hosts[count++] = host;
    }
    return count;
}

static int
make_server(struct daemon *daemon, SSL_CTX *tls, struct fault *why)
{
    const struct config *config = &daemon->config;
    const char *hosts[HOSTS_MAX];
    auto_free char *host_list = strdup(config->hosts);
    if (host_list == NULL) {
        return fault_set(why, FAULT_MEMORY, "start", "no memory for the list of hosts");
    }
    unsigned loops = config->workers > 0 ? (unsigned)config->workers : core_count();
    daemon->health.loop_count = loops < HEALTH_LOOPS_MAX ? loops : HEALTH_LOOPS_MAX;
    struct http_server_options options = {
        .hosts = hosts,
        .host_count = split_hosts(host_list, hosts),
        .port = (uint16_t)config->https_port,
        .listeners = daemon->passed,
        .listener_count = daemon->passed_count,
        .loops = daemon->health.loop_count,
        .tls = tls,
        .headers_timeout_ms = config->headers_timeout_s * 1000,
        .request_timeout_ms = config->request_timeout_s * 1000,
        .keep_alive_timeout_ms = config->keep_alive_timeout_s * 1000,
        .handler = serve_handler(daemon),
        .on_trouble = on_trouble,
        .on_loop_start = health_on_loop_start,
        .on_loop_stop = health_on_loop_stop,
        .on_idle = health_on_idle,
        .on_busy = health_on_busy,
    };
    return http_server_new(&options, &daemon->server, why);
}

static int
start_server(struct daemon *daemon, struct fault *why)
{
    SSL_CTX *tls = NULL;
    int64_t not_after = 0;
    int failed = tls_files_load(&daemon->config, &tls, &not_after, why);
    if (failed == 0) {
        failed = make_server(daemon, tls, why);
    }
    SSL_CTX_free(tls); /* the server holds its own reference */
    if (failed == 0) {
        health_set_tls_end(&daemon->health, daemon->config.tls_certificate, not_after);
    }
    return failed;
}

static int
start_threads(struct daemon *daemon, struct fault *why)
{
    health_ask_store(daemon);
    health_ask_counts(daemon);
    int failed = follower_start(&daemon->follower, daemon, why);
    failed = failed != 0 ? failed : timer_start(&daemon->timer, daemon, why);
    return failed != 0 ? failed : http_server_start(daemon->server, why);
}

/* Looks at the TLS files before the store is created, so that a first start without them leaves
 * nothing behind. */
static int
start_files(struct daemon *daemon, struct fault *why)
{
    SSL_CTX *tls = NULL;
    int64_t not_after;
    int failed = tls_files_load(&daemon->config, &tls, &not_after, why);
    SSL_CTX_free(tls);
    return failed;
}

typedef int start_step_fn(struct daemon *daemon, struct fault *why);

static start_step_fn *const start_steps[] = {
    start_files, start_log,       start_anchors, start_store,   start_upstream,
    start_cache, start_own_state, start_server,  start_threads,
};

/* ---- stop: in reverse, whatever there is ---- */

struct let_go {
    struct upstream *upstream;
    struct cache *cache;
    sem_t drained;
};

/* Runs beside the drain. Whoever still waits for the PCS a second before its end is let go, and
 * hears 503 instead of nothing. */
static void *
let_go_run(void *self)
{
    struct let_go *let_go = self;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += DAEMON_DRAIN_MS / 1000 - 1;
    while (sem_clockwait(&let_go->drained, CLOCK_MONOTONIC, &end) != 0) {
        if (errno == ETIMEDOUT) {
            pcs_client_stop(let_go->upstream);
            cache_stop_waiting(let_go->cache);
            break;
        }
    }
    return NULL;
}

static void
drain(struct daemon *daemon)
{
    struct let_go let_go = {.upstream = daemon->upstream, .cache = daemon->cache};
    pthread_t thread;
    bool is_running = false;
    sem_init(&let_go.drained, 0, 0);
    if (daemon->upstream != NULL) {
        is_running = pthread_create(&thread, NULL, let_go_run, &let_go) == 0;
    }
    http_server_drain(daemon->server, DAEMON_DRAIN_MS);
    sem_post(&let_go.drained);
    if (is_running) {
        pthread_join(thread, NULL);
    }
    sem_destroy(&let_go.drained);
}

static void
stop(struct daemon *daemon)
{
    timer_stop(&daemon->timer);
    follower_stop(&daemon->follower);
    if (daemon->server != NULL) {
        drain(daemon);
    }
    if (daemon->upstream != NULL) {
        pcs_client_stop(daemon->upstream);
    }
    if (daemon->cache != NULL) {
        cache_stop_waiting(daemon->cache);
    }
    cache_thread_start();
    cache_free(daemon->cache); /* answers what still waits, so the server must be there */
    cache_thread_stop();
    http_server_free(daemon->server);
    pcs_client_free(daemon->upstream);
    if (daemon->store != NULL) {
        store_close(daemon->store);
    }
    client_rate_free(daemon->client_rate);
    trust_anchors_free(daemon->anchors);
}

/* ---- run ---- */

/* When everything is open: what only a start needs is no longer there for anybody. */
static void
narrow_system_calls(const struct daemon *daemon)
{
    struct fault why;
    if (!daemon->config.system_call_filter) {
        log_event(LOG_EVENT_SYSCALLS_OPEN, NULL, LOG_TEXT("reason", "SystemCallFilter is false"));
    } else if (syscall_filter_install(&why) != 0) {
        log_event(LOG_EVENT_SYSCALLS_OPEN, NULL, LOG_FAULT(&why));
    } else {
        log_event(LOG_EVENT_SYSCALLS_NARROWED, NULL);
    }
}

static void
say_ready(struct daemon *daemon)
{
    unsigned port = http_server_port(daemon->server);
    bool is_passed = daemon->passed_count > 0;
    const char *hosts = is_passed ? "localhost" : daemon->config.hosts;
    int first = (int)strcspn(hosts, ", ");
    bool is_ipv6 = memchr(hosts, ':', (size_t)first) != NULL;
    atomic_store(&daemon->health.started, true); /* before anybody is told */
    log_event(LOG_EVENT_READY, NULL, LOG_TEXT("hosts", is_passed ? "systemd" : hosts),
              LOG_NUMBER("port", port), LOG_NUMBER("loops", daemon->health.loop_count));
    printf("pccsd ready on https://%s%.*s%s:%u\n", is_ipv6 ? "[" : "", first, hosts,
           is_ipv6 ? "]" : "", port);
    fflush(stdout);
    notify_ready();
}

/* Signals are handled here and nowhere else; once a second the watchdog hears that the loops turn.
 */
static void
wait_for_end(struct daemon *daemon, const sigset_t *signals)
{
    int number;
    do {
        struct timespec second = {.tv_sec = 1};
        number = sigtimedwait(signals, NULL, &second);
        if (number == SIGHUP) {
            reload(daemon);
        }
        if (health_stuck_loops(&daemon->health, clock_monotonic_ms(daemon->clock)) == 0) {
            notify_watchdog();
        }
    } while (number != SIGTERM && number != SIGINT);
    notify_stopping();
    log_event(LOG_EVENT_STOP, NULL, LOG_TEXT("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
}

static int
start(struct daemon *daemon, struct fault *why)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < ARRAY_COUNT(start_steps); i++) {
        failed = start_steps[i](daemon, why);
    }
    return failed;
}

static int
serve(struct daemon *daemon, const struct buf *warnings, struct fault *why)
{
    /* before any thread exists, so that all inherit it */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    umask(027);

    daemon->started_at = clock_now(daemon->clock);
    int failed = start(daemon, why);
    options_log_warnings(warnings);
    if (failed == 0) {
        narrow_system_calls(daemon);
        say_ready(daemon);
        wait_for_end(daemon, &signals);
    } else if (daemon->is_ended) {
        log_event(LOG_EVENT_STOP, NULL, LOG_TEXT("reason", "stopped while it waited"));
        failed = 0;
    } else if (daemon->logs_to_file) { /* main tells standard error */
        log_event(LOG_EVENT_START_FAILED, NULL, LOG_FAULT(why));
    }
    stop(daemon);
    log_close();
    return failed;
}

static int
init_tls(const struct config *config, struct fault *why)
{
    int failed = tls_init(config->tls_key, config->tls_certificate, why);
    if (failed == 0) {
        printf("made %s, %s and ca.crt beside it; clients trust ca.crt\n", config->tls_key,
               config->tls_certificate);
    }
    return failed;
}

static int
run(struct daemon *daemon, const struct arguments *arguments, struct fault *why)
{
    auto_cleanup(buf_done) struct buf warnings = BUF_INIT(OPTIONS_WARNINGS_BYTES_MAX);
    int failed = activation_take(daemon->passed, &daemon->passed_count, why);
    if (failed == 0) {
        failed = options_find(arguments->config_path, &daemon->options, why);
    }
    if (failed == 0) {
        failed = test_clock_pick(&daemon->clock, why);
    }
    if (failed == 0) {
        failed = options_read(&daemon->options, &daemon->config, &warnings, why);
    }
    if (failed == 0) {
        failed = harden_fips(daemon->config.openssl_fips_mode, why);
    }
    if (failed != 0) {
        return failed;
    }
    switch (arguments->mode) {
    case RUN_SERVE:
        return serve(daemon, &warnings, why);
    case RUN_CHECK:
        return check_configuration(&daemon->config, &warnings, daemon->clock, why);
    case RUN_INIT_TLS:
        return init_tls(&daemon->config, why);
    case RUN_DONE:
    case RUN_WRONG:
        break;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    static struct daemon daemon;
    struct fault why = {0};
    harden_process();
    struct arguments arguments = arguments_parse(argc, argv);
    if (arguments.mode == RUN_DONE || arguments.mode == RUN_WRONG) {
        return arguments.mode == RUN_WRONG ? 2 : 0;
    }
    int failed = run(&daemon, &arguments, &why);
    if (failed != 0) {
        fprintf(stderr, "pccsd: %s\n", why.text);
    }
    config_done(&daemon.config);
    options_done(&daemon.options);
    return failed != 0;
}
