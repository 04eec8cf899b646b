/* SPDX-License-Identifier: BSD-3-Clause */
/* One request to a PCCS as the administrator: token, TLS trust, and words for what came of it. */
#ifndef PCCSADMIN_PCCS_CALL_H
#define PCCSADMIN_PCCS_CALL_H

#include "pccs_client/pccs_client.h"
#include "pccsadmin/admin.h"

struct pccs_call {
    const struct arguments *args;
    struct pccs_client *client;
    struct buf token; /* empty: none is sent */
    struct pccs_reply reply;
};

/* Reads the token (with_token) and makes the client. Says what is wrong and gives an exit status;
 * 0: go on. End with pccs_call_done, which may also follow a failure. */
int pccs_call_open(const struct arguments *args, bool with_token, struct pccs_call *ret_call);
void pccs_call_done(struct pccs_call *call);
/* The HTTP status; 0 if no answer came. Nothing is said. */
int pccs_call_ask(struct pccs_call *call, const struct pccs_request *request, struct fault *why);
/* As pccs_call_ask; what is not 200 is explained. True: a 200. */
bool pccs_call_ask_ok(struct pccs_call *call, const struct pccs_request *request);
/* Says what came of the last request, with what it means here. why: NULL if an answer came. */
void pccs_call_explain(const struct pccs_call *call, const struct pccs_request *request,
                       const struct fault *why);

/* Does the URL's path end so, a trailing slash and a query left aside? */
bool pccs_url_ends_in(const char *url, const char *end);
/* Appends url without query and trailing slash, then more. */
int pccs_url_add(struct buf *b, const char *url, const char *more);

#define PCCS_DEFAULT_BASE "https://localhost:8081/sgx/certification/v4"

#endif
