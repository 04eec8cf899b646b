/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCKIDRetrievalTool: reads what identifies this SGX or TDX server, saves it, registers it.
 *
 * Takes the command line; gives the exit status of tools.md: 0 all done, 1 failed, 2 wrong usage,
 * 3 saved but not taken by the PCCS. One thread. Must never end by a signal of a closed pipe.
 */
#include <signal.h>

#include "pckid/pckid_run.h"

int
main(int argc, char **argv)
{
    struct pckid_options options = {.is_given = {false}};
    struct pckid_report report;
    struct pckid_settings settings;
    struct fault why = {.number = 0};
    (void)signal(SIGPIPE, SIG_IGN);
    if (pckid_options_parse(argc, argv, &options, &why) != 0) {
        fprintf(stderr, "PCKIDRetrievalTool: %s; --help tells the usage\n", why.text);
        return PCKID_WRONG_USAGE;
    }
    if (options.is_given[PCKID_HELP]) {
        pckid_options_help(stdout);
        return PCKID_DONE;
    }
    if (options.is_given[PCKID_VERSION]) {
        puts("PCKIDRetrievalTool " PCCS_VERSION);
        return PCKID_DONE;
    }
    report_init(&report, options.is_given[PCKID_QUIET], options.is_given[PCKID_JSON]);
    int status = pckid_settings_load(&options, &report, &settings);
    if (status == PCKID_DONE) {
        status = options.is_given[PCKID_SEND] ? run_send(&settings, &report)
                                              : run_collect(&settings, &report);
    }
    pckid_settings_done(&settings);
    return report_finish(&report, (enum pckid_exit)status);
}
