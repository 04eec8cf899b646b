/* SPDX-License-Identifier: BSD-3-Clause */
/* pccsd [-c FILE] [--check] [--init-tls] [--help] [--version] (config.md, Programs). */
#ifndef PCCSD_ARGUMENTS_H
#define PCCSD_ARGUMENTS_H

enum run_mode { RUN_SERVE, RUN_CHECK, RUN_INIT_TLS, RUN_DONE, RUN_WRONG };

struct arguments {
    enum run_mode mode;
    const char *config_path; /* NULL: the default places */
};

/* Prints help or version itself (RUN_DONE), or what is wrong (RUN_WRONG). */
struct arguments arguments_parse(int argc, char **argv);

#endif
