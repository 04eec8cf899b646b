/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share: the client, and how TLS is told whom to trust. */
#ifndef PCCS_CLIENT_PCCS_CLIENT_PRIV_H
#define PCCS_CLIENT_PCCS_CLIENT_PRIV_H

#include <curl/curl.h>

#include "pccs_client/pccs_client.h"

struct pccs_client {
    CURL *easy;
    char *ca; /* file or folder; NULL: the system's */
    bool ca_is_folder;
    bool is_unverified;
    enum pccs_proxy proxy;
    char *proxy_url;
    char *user_agent;
    long timeout_ms;
};

/* Finds out whom to trust, from the option or the environment, and whether it can be read. */
int pccs_trust_choose(struct pccs_client *client, const char *option, struct fault *why) must_check;
/* Tells libcurl, and notes in the reply what the server showed. */
bool pccs_trust_set(struct pccs_client *client, struct pccs_reply *reply) must_check;

/* The word of a method: "POST". */
const char *pccs_method_word(enum pccs_method method);

#endif
