/* SPDX-License-Identifier: BSD-3-Clause */
/* A server, a client that asks it, and what became of it: what the PCS client's tests share. */
#ifndef PCS_RIG_H
#define PCS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pcs/pcs.h"
#include "script_server.h"

#define HEADERS_ALL                                                                                \
    "SGX-PCK-Certificate-Issuer-Chain: pck%0A\r\nTCB-Info-Issuer-Chain: tcb%0A\r\n"                \
    "SGX-Enclave-Identity-Issuer-Chain: id%0A\r\nSGX-PCK-CRL-Issuer-Chain: crl%0A\r\n"             \
    "TCB-Evaluation-Data-Numbers-Issuer-Chain: numbers%0A\r\nSGX-FMSPC: 00a067110000\r\n"          \
    "SGX-PCK-Certificate-CA-Type: platform\r\nRequest-ID: abc123\r\n"
/* A 200 with ten bytes of body. */
#define OK(headers) "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n" headers "\r\n0123456789"
#define STATUS(line, headers) "HTTP/1.1 " line "\r\nContent-Length: 4\r\n" headers "\r\noops"
#define PPID_4 "ABCD"

/* A server, a client that asks it, and what became of it. */
struct rig {
    struct script_server *server;
    struct upstream *upstream;
    struct pcs_options options;
    char uri[128];
    struct raw_reply raw;
    int rc, retry_after_s;
    struct fault why;
    int exchanges, last_status;
    char last_endpoint[32];
};

#define GOOD OK(HEADERS_ALL)

void rig_serve(struct rig *rig, const struct script_answer *answers, size_t count);
void rig_client(struct rig *rig);
void rig_ask(struct rig *rig, const struct upstream_query *query);
void rig_ask_tcb(struct rig *rig);
/* Serves one answer over and over and asks for a TCB info. */
void rig_tcb(struct rig *rig, const char *answer);
/* Stops the server first: then its requests may be read. */
size_t rig_requests(struct rig *rig);
void rig_done(struct rig *rig);
/* The fault, its number, how many requests there were; ends the rig. */
void rig_expect(struct rig *rig, int rc, long number, size_t requests);

#endif
