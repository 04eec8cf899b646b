/* SPDX-License-Identifier: BSD-3-Clause */
/* What is wanted: the command line over the environment over network_setting.conf. */
#ifndef PCKID_PCKID_SETTINGS_H
#define PCKID_PCKID_SETTINGS_H

#include "base/buf.h"
#include "pckid/network_setting.h"
#include "pckid/pckid_options.h"
#include "pckid/pckid_report.h"

enum { PCKID_TOKEN_BYTES_MAX = 4096, PCKID_PATH_SIZE = 4096 };

struct pckid_settings {
    const struct pckid_options *options; /* paths and switches that nothing else decides */
    const char *csv_path;                /* NULL: no CSV is asked for */
    struct buf endpoint;                 /* complete URL; empty: no registration is asked for */
    struct buf token;                    /* secret */
    bool has_token;
    struct buf platform_id; /* of platform-id mode */
    bool is_platform_id;
    bool is_unverified;
    enum pckid_proxy_type proxy_type;
    char proxy_url[NETWORK_VALUE_SIZE];
    const char *efivars;
    char program_dir[PCKID_PATH_SIZE];
    char state_dir[PCKID_PATH_SIZE];
};

/* Fills settings; asks a human for what is missing and can be asked. Returns PCKID_DONE, or the
 * exit status after having said what is wrong. The caller ends settings in every case. */
int pckid_settings_load(const struct pckid_options *options, struct pckid_report *report,
                        struct pckid_settings *settings) must_check;
void pckid_settings_done(struct pckid_settings *settings);

#endif
