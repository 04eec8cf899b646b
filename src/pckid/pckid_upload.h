/* SPDX-License-Identifier: BSD-3-Clause */
/* Registration with a PCCS: the question whether it would be taken, then the registration. */
#ifndef PCKID_PCKID_UPLOAD_H
#define PCKID_PCKID_UPLOAD_H

#include "pccs_client/pccs_client.h"
#include "pckid/pckid_record.h"
#include "pckid/pckid_report.h"
#include "pckid/pckid_settings.h"

/* A client for the PCCS of the settings. PCKID_DONE, or the exit status after having said why. */
int upload_open(const struct pckid_settings *settings, struct pckid_report *report,
                struct pccs_client **ret_client) must_check;

/* Asks with an empty registration, which no PCCS takes: 400 means that address and token are right.
 * False after having said what is wrong. */
bool upload_probe(struct pccs_client *client, const struct pckid_settings *settings,
                  struct pckid_report *report);

enum upload_result {
    UPLOAD_TAKEN,
    UPLOAD_REFUSED, /* this record; another one may be taken */
    UPLOAD_STOPPED, /* no PCCS, or not this token: no use to go on */
};
/* Says what came back unless it was taken. */
enum upload_result upload_send(struct pccs_client *client, const struct pckid_settings *settings,
                               const struct pckid_record *record, struct pckid_report *report);

/* What an answer's status means to a registration, and what to do. */
const char *upload_status_words(int status, struct span body);

#endif
