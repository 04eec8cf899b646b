/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcs-sim: starts the simulator, says where it is, stops it on SIGTERM.
 *
 * Takes the command line; gives exit code 0 (ended by a signal), 1 (failed), 2 (wrong usage). The
 * main thread makes everything, then only waits for the signal. The server binds before the PKI is
 * made, because the certificates carry the port.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/url.h"
#include "pcssim/sim.h"
#include "pcssim/sim_options.h"
#include "pcssim/sim_serve.h"
#include "pcssim/sim_tls.h"

struct program {
    struct sim_options options;
    struct sim sim;
    struct sim_serve *serve;
    SSL_CTX *tls;
};

static int
fleet_make(const struct sim_options *options, struct sim_fleet **ret_fleet, struct fault *why)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT(LIMIT_SIM_FLEET_BYTES);
    int code = options->fleet != NULL ? file_read(options->fleet, &text, why)
                                      : buf_add_text(&text, sim_fleet_default_text());
    struct sim_fleet *fleet = NULL;
    if (code == 0) {
        code = sim_fleet_parse(buf_span(&text), options->seed, &fleet, why);
    }
    if (code == 0 && options->generate > 0) {
        code = sim_fleet_generate(fleet, options->generate, options->generate_fmspcs, why);
    }
    if (code != 0) {
        sim_fleet_free(fleet);
        return code;
    }
    *ret_fleet = fleet;
    return 0;
}

static int
fleet_print(const struct sim_fleet *fleet, struct fault *why)
{
    auto_cleanup(buf_done) struct buf text = BUF_INIT((size_t)4 * 1024 * 1024 * 1024);
    int code = sim_fleet_add_json(&text, fleet, SIM_NUMBER_EARLY);
    if (code != 0) {
        return fault_set(why, code, "fleet", "the fleet is too large to be printed");
    }
    if (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout) != 0) {
        return fault_set(why, FAULT_IO, "fleet", "standard output cannot be written");
    }
    return 0;
}

/* The address as clients are to use it: an address that means "all" is nobody's. */
static void
url_make(const struct sim_options *options, uint16_t port, char *out, size_t out_size)
{
    const char *host = options->name != NULL ? options->name : options->host;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
        host = "localhost";
    }
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(out, out_size, "%s://%s%s%s:%u", options->tls ? "https" : "http", is_v6 ? "[" : "",
             host, is_v6 ? "]" : "", port);
}

static int
program_start(struct program *program, struct fault *why)
{
    struct sim_options *options = &program->options;
    struct sim *sim = &program->sim;
    *sim = (struct sim){
        .fleet = sim->fleet,
        .clock = clock_system(),
        .stats = sim_stats_new(),
        .key_required = options->key_required,
        .delay_start_ms = options->delay_ms,
        .time_shift_start_s = options->time_shift_s,
        .faults_start = options->faults,
    };
    int code = sim->stats != NULL ? 0 : fault_set(why, FAULT_MEMORY, "start", "no memory");
    if (code == 0 && options->tls) {
        code = sim_tls_open(options->state, options->name, &program->tls, why);
    }
    if (code == 0) {
        const struct sim_serve_options serve_options = {
            .host = options->host, .port = options->port, .tls = program->tls};
        code = sim_serve_new(&serve_options, &program->serve, why);
    }
    if (code == 0) {
        url_make(options, sim_serve_port(program->serve), sim->url, sizeof(sim->url));
        code = sim_pki_open(options->state, sim->url, &sim->pki, why);
    }
    if (code == 0) {
        code = sim_reset(sim, why);
    }
    return code != 0 ? code : sim_serve_start(program->serve, sim, why);
}

static void
program_announce(const struct program *program)
{
    const struct sim *sim = &program->sim;
    auto_free char *folder = realpath(program->options.state, NULL);
    const char *state = folder != NULL ? folder : program->options.state;
    printf("pcs-sim " PCCS_VERSION ": a stand-in for Intel's PCS; what it signs proves nothing\n"
           "root certificate: %s/root.pem\n",
           state);
    if (program->options.tls) {
        printf("development CA of its TLS: %s/tls_ca.pem\n", state);
    }
    printf("fleet: %zu platforms, %zu FMSPCs\n"
           "configuration for pccsd:\n"
           "{\n"
           "  \"uri\": \"%s/sgx/certification/v4/\",\n",
           sim_fleet_size(sim->fleet), sim->fleet->family_count, sim->url);
    if (program->options.tls) {
        printf("  \"UpstreamCaFile\": \"%s/tls_ca.pem\",\n", state);
    }
    printf("  \"TrustAnchors\": [\"%s/root.pem\"]\n"
           "}\n"
           "pcs-sim ready on %s\n",
           state, sim->url);
    fflush(stdout);
}

static void
program_stop(struct program *program)
{
    sim_serve_free(program->serve);
    sim_pki_free(program->sim.pki);
    sim_stats_free(program->sim.stats);
    sim_fleet_free(program->sim.fleet);
    SSL_CTX_free(program->tls);
}

static int
program_run(struct program *program, struct fault *why)
{
    sigset_t signals;
    int signal_number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by every thread */
    signal(SIGPIPE, SIG_IGN);
    int code = fleet_make(&program->options, &program->sim.fleet, why);
    if (code != 0) {
        return code;
    }
    if (program->options.print_fleet) {
        return fleet_print(program->sim.fleet, why);
    }
    code = program_start(program, why);
    if (code == 0) {
        program_announce(program);
        sigwait(&signals, &signal_number);
    }
    return code;
}

int
main(int argc, char **argv)
{
    static struct program program;
    struct fault why = {0};
    if (sim_options_parse(argc, argv, &program.options, &why) != 0) {
        fprintf(stderr, "pcs-sim: %s (--help lists the options)\n", why.text);
        return 2;
    }
    if (program.options.help) {
        sim_options_help(stdout);
        return 0;
    }
    if (program.options.version) {
        puts("pcs-sim " PCCS_VERSION);
        return 0;
    }
    int code = program_run(&program, &why);
    program_stop(&program);
    if (code != 0) {
        fprintf(stderr, "pcs-sim: %s\n", why.text);
        return 1;
    }
    return 0;
}
