/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rig of the PCS client's tests: a scripted server on loopback, a client that asks it, and what
 * became of it. See pcs_rig.h.
 */
#include "pcs_rig.h"

#include <stdio.h>
#include <string.h>

static void
on_exchange(void *self, const char *endpoint, int status, long milliseconds)
{
    struct rig *rig = self;
    rig->exchanges++;
    rig->last_status = status;
    snprintf(rig->last_endpoint, sizeof rig->last_endpoint, "%s", endpoint);
    assert_true(milliseconds >= 0);
}

void
rig_serve(struct rig *rig, const struct script_answer *answers, size_t count)
{
    *rig = (struct rig){.server = script_server_start(answers, count, false)};
    snprintf(rig->uri, sizeof rig->uri, "http://127.0.0.1:%d/sgx/certification/v4/",
             script_server_port(rig->server));
    rig->options = (struct pcs_options){
        .uri = rig->uri,
        .api_key = "hush",
        .timeout_s = 10,
        .retries = 2,
        .first_wait_ms = 1,
        .on_exchange = on_exchange,
        .self = rig,
    };
    raw_reply_init(&rig->raw);
}

void
rig_client(struct rig *rig)
{
    struct fault why = {0};
    if (pcs_client_new(&rig->options, &rig->upstream, &why) != 0) {
        fail_msg("%s", why.text);
    }
}

void
rig_ask(struct rig *rig, const struct upstream_query *query)
{
    if (rig->upstream == NULL) {
        rig_client(rig);
    }
    raw_reply_done(&rig->raw);
    raw_reply_init(&rig->raw);
    rig->why = (struct fault){0};
    rig->retry_after_s = -1;
    rig->rc = rig->upstream->fetch(rig->upstream, query, &rig->raw, &rig->retry_after_s, &rig->why);
    assert_true(rig->rc == 0 || (int)rig->why.code == rig->rc);
    assert_null(strstr(rig->why.text, "hush"));
}

void
rig_ask_tcb(struct rig *rig)
{
    struct item_key key = {.kind = ITEM_TCBINFO, .api_version = 4, .fmspc = {"00A067110000"}};
    rig_ask(rig, &(struct upstream_query){.key = &key});
}

/* Serves one answer over and over and asks for a TCB info. */
void
rig_tcb(struct rig *rig, const char *answer)
{
    static struct script_answer answers[1];
    answers[0] = (struct script_answer){.bytes = answer};
    rig_serve(rig, answers, 1);
    rig_ask_tcb(rig);
}

/* Stops the server first: then its requests may be read. */
size_t
rig_requests(struct rig *rig)
{
    script_server_stop(rig->server);
    return script_server_request_count(rig->server);
}

void
rig_done(struct rig *rig)
{
    pcs_client_free(rig->upstream);
    script_server_free(rig->server);
    raw_reply_done(&rig->raw);
}

void
rig_expect(struct rig *rig, int rc, long number, size_t requests)
{
    if (rig->rc != rc || rig->why.number != number) {
        fail_msg("fault %d number %ld: %s", rig->rc, rig->why.number, rig->why.text);
    }
    assert_int_equal(rig_requests(rig), requests);
    rig_done(rig);
}
