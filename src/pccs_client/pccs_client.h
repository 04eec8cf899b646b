/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tools' client of a PCCS: one request, one answer, nothing followed, nothing tried again; and
 * an explanation that a human can act upon.
 *
 * A client is for one thread. It keeps its connection between requests.
 */
#ifndef PCCS_CLIENT_PCCS_CLIENT_H
#define PCCS_CLIENT_PCCS_CLIENT_H

#include "base/buf.h"
#include "base/header.h"

struct pccs_client;

enum pccs_proxy {
    PCCS_PROXY_ENVIRONMENT, /* https_proxy, no_proxy...; loopback is never proxied */
    PCCS_PROXY_DIRECT,      /* none for any host */
    PCCS_PROXY_GIVEN,       /* proxy_url, for every host */
};

struct pccs_client_options {
    const char *ca;     /* --ca: a PEM file or a c_rehash folder, then the only trust; NULL:
                           CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE, SSL_CERT_FILE, else the system's */
    bool is_unverified; /* takes any certificate, and plain HTTP to any host */
    enum pccs_proxy proxy;
    const char *proxy_url; /* of PCCS_PROXY_GIVEN */
    const char *program;   /* for User-Agent: "pccsadmin" */
    long timeout_ms;       /* for a whole exchange; 0: 300,000 (the PCCS may have to ask the PCS) */
};

/* The options' texts are copied. FAULT_CONFIG names the option or variable that is wrong. */
int pccs_client_new(const struct pccs_client_options *options, struct pccs_client **ret_client,
                    struct fault *why) must_check;
void pccs_client_free(struct pccs_client *client); /* NULL is fine */

enum pccs_method { PCCS_GET, PCCS_POST, PCCS_PUT };

struct pccs_request {
    enum pccs_method method;
    const char *url;         /* complete */
    const char *user_token;  /* NULL: no such header */
    const char *admin_token; /* NULL: no such header */
    struct span body;        /* sent as application/json if not empty */
    size_t body_max;         /* of the answer; 0: 1 MiB */
};

/* What came back. Zero-initialise before the first use; may be used again. */
struct pccs_reply {
    int status; /* 0 if no HTTP answer came */
    struct buf body;
    struct buf head;       /* the header lines, NUL-terminated each */
    bool is_untrusted;     /* TLS: the server's certificate was not trusted */
    bool is_misnamed;      /* TLS: trusted, but for other names */
    char tls_subject[256]; /* of the server's certificate, when TLS showed one */
    char tls_issuer[256];
    char tls_names[256];  /* its subjectAltNames, separated by ", " */
    char tls_reason[128]; /* OpenSSL's words, if not trusted */
};

/* 0: an HTTP answer of whatever status. Else FAULT_UPSTREAM_DOWN (no connection, no name),
 * FAULT_TIMEOUT, FAULT_CHAIN (TLS trust), FAULT_UPSTREAM_ODD (no HTTP, cut short), FAULT_TOO_LARGE,
 * FAULT_CONFIG (URL), FAULT_MEMORY; the reply then says what is known. Tokens appear nowhere. */
int pccs_client_ask(struct pccs_client *client, const struct pccs_request *request,
                    struct pccs_reply *reply, struct fault *why) must_check;
void pccs_reply_done(struct pccs_reply *reply);

/* The first header of that name, any case; false if there is none. Owned by the reply. */
bool pccs_reply_header(const struct pccs_reply *reply, const char *name, struct span *ret_value);

/* Appends lines for a human: what was tried (method and URL), what came back (status, body,
 * PCCS-Error-Detail, Request-ID) or why nothing did (why, of a failed pccs_client_ask; NULL after
 * one that gave 0). For a TLS trust failure: subject, issuer and what --ca wants; for what never
 * reached a PCCS: what to look at. What a status means to the caller's request is the caller's to
 * add. Foreign bytes are made printable. */
int pccs_reply_explain(const struct pccs_request *request, const struct pccs_reply *reply,
                       const struct fault *why, struct buf *out);

#endif
