/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of pccsd: config.md, Programs.
 * Takes argv; gives what to do. Prints help, version and complaints itself.
 * Called once, by main.
 * Must never take a secret: what stands here is in ps.
 */
#include "pccsd/arguments.h"

#include <getopt.h>
#include <stdio.h>

static const char help_text[] =
    "usage: pccsd [-c FILE] [--check | --init-tls]\n"
    "\n"
    "The caching service for SGX and TDX provisioning certificates and collateral.\n"
    "\n"
    "  -c, --config FILE  the configuration (default: config/default.json, then\n"
    "                     /etc/pccs/pccs.json)\n"
    "      --check        check configuration, TLS files and store, print the effective\n"
    "                     values, exit\n"
    "      --init-tls     make a development CA and a TLS key pair where the configuration\n"
    "                     wants it, exit; never overwrites\n"
    "  -h, --help         print this\n"
    "      --version      print the version\n"
    "\n"
    "Signals: SIGTERM and SIGINT end the service after what is in flight (10 s at most);\n"
    "SIGHUP reads tokens, TLS key pair, log level and refresh schedule again.\n"
    "Exit status: 0 done, 1 failed (one line on standard error), 2 wrong usage.\n";

enum { OPTION_CHECK = 256, OPTION_INIT_TLS, OPTION_VERSION };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},         {"check", no_argument, NULL, OPTION_CHECK},
    {"init-tls", no_argument, NULL, OPTION_INIT_TLS}, {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},   {NULL, 0, NULL, 0},
};

static struct arguments
wrong(const char *what)
{
    fprintf(stderr, "pccsd: %s; pccsd --help tells the usage\n", what);
    return (struct arguments){.mode = RUN_WRONG};
}

struct arguments
arguments_parse(int argc, char **argv)
{
    struct arguments arguments = {.mode = RUN_SERVE};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments.config_path = optarg;
            break;
        case OPTION_CHECK:
        case OPTION_INIT_TLS:
            if (arguments.mode != RUN_SERVE) {
                return wrong("--check and --init-tls exclude each other");
            }
            arguments.mode = option == OPTION_CHECK ? RUN_CHECK : RUN_INIT_TLS;
            break;
        case 'h':
            fputs(help_text, stdout);
            return (struct arguments){.mode = RUN_DONE};
        case OPTION_VERSION:
            puts("pccsd " PCCS_VERSION);
            return (struct arguments){.mode = RUN_DONE};
        default:
            return wrong("wrong option");
        }
    }
    return optind < argc ? wrong("an argument too many") : arguments;
}
