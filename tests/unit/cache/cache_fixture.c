/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fixture of the cache's tests: real store (in memory), verification and selection; clock and
 * PCS are the test's. The PCS answers whatever it is asked from a few members of the fixture,
 * signed by the fixture's own PKI, and can be made to fail, or to let something happen while it is
 * asked.
 */
#include "cache_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

const char TCB_TARGET[] = "/sgx/certification/v4/tcb?fmspc=" FIXTURE_FMSPC;

/* ---- the PCS ---- */

static char *
tcbinfo_text(struct fixture *f, const struct item_key *key)
{
    char issued[CLOCK_ISO8601_SIZE], next[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(f->issued_at, issued);
    clock_format_iso8601(f->next_at, next);
    return testpki_tcbinfo(f->pki,
                           &(struct testpki_tcbinfo){.id = product_word(key->product),
                                                     .version = key->api_version == 3 ? 2 : 3,
                                                     .fmspc = key->fmspc.hex,
                                                     .issued = issued,
                                                     .next = next,
                                                     .number = f->number});
}

static char *
identity_text(struct fixture *f, const struct item_key *key)
{
    char issued[CLOCK_ISO8601_SIZE], next[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(f->issued_at, issued);
    clock_format_iso8601(f->next_at, next);
    return testpki_identity(f->pki, &(struct testpki_identity){.id = enclave_word(key->enclave),
                                                               .issued = issued,
                                                               .next = next,
                                                               .number = f->number});
}

static void
crl_add(struct fixture *f, const struct item_key *key, struct buf *der)
{
    bool is_pck = key->kind == ITEM_PCK_CRL;
    struct testpki_crl crl = {.issuer = is_pck ? f->pki->cas[key->ca] : f->pki->root,
                              .key = is_pck ? f->pki->ca_keys[key->ca] : f->pki->root_key,
                              .this_update = f->issued_at,
                              .next_update = f->next_at,
                              .serials = &f->revoked_by_root,
                              .serial_count = !is_pck && f->revoked_by_root != 0};
    size_t size = 0;
    uint8_t *bytes = testpki_crl_der(&crl, &size);
    assert_int_equal(buf_add(der, span_of(bytes, size)), 0);
    free(bytes);
}

static void
pck_add(struct fixture *f, int first, int pcesvn, bool is_available, struct buf *json)
{
    struct testpki_sgx sgx = testpki_sgx_plain();
    memset(sgx.components, 0, sizeof sgx.components);
    sgx.components[0] = (uint8_t)first;
    memcpy(sgx.cpusvn, sgx.components, sizeof sgx.cpusvn);
    sgx.pcesvn = (unsigned)pcesvn;
    char tcbm[37];
    testpki_tcbm(&sgx, tcbm);
    char *pem = testpki_leaf_pem(f->pki, TESTPKI_PROCESSOR, &sgx, 0);
    char *encoded = testpki_percent_encode(pem);
    buf_add_format(json, "%s{\"tcbm\":\"%s\",\"cert\":\"", json->size > 1 ? "," : "", tcbm);
    buf_add_text(json, is_available ? encoded : "Not available");
    buf_add_text(json, "\"}");
    free(pem);
    free(encoded);
}

static void
pcks_add(struct fixture *f, struct raw_reply *raw)
{
    buf_add_text(&raw->body, "[");
    pck_add(f, f->pck_first, f->pck_pcesvn, true, &raw->body);
    if (f->pck_misses_one) {
        pck_add(f, f->pck_first + 1, f->pck_pcesvn, false, &raw->body);
    }
    buf_add_text(&raw->body, "]");
    memcpy(raw->fmspc, FIXTURE_FMSPC, sizeof FIXTURE_FMSPC);
    memcpy(raw->ca, "processor", sizeof "processor");
}

static void
answer(struct fixture *f, const struct item_key *key, struct raw_reply *raw)
{
    char *text = NULL;
    const char *chain = f->pki->signer_chain;
    switch ((int)key->kind) {
    case ITEM_TCBINFO:
        text = tcbinfo_text(f, key);
        break;
    case ITEM_IDENTITY:
        text = identity_text(f, key);
        break;
    case ITEM_PCK:
        pcks_add(f, raw);
        chain = f->pki->ca_chains[TESTPKI_PROCESSOR];
        break;
    default:
        crl_add(f, key, &raw->body);
        chain = key->kind == ITEM_PCK_CRL ? f->pki->ca_chains[key->ca] : NULL;
    }
    if (text != NULL) {
        buf_add_text(&raw->body, text);
        free(text);
    }
    raw->issuer_chain = chain != NULL ? testpki_percent_encode(chain) : NULL;
}

static int
fetch(struct upstream *self, const struct upstream_query *query, struct raw_reply *ret_raw,
      int *ret_retry_after_s, struct fault *why)
{
    struct fixture *f = (struct fixture *)((char *)self - offsetof(struct fixture, upstream));
    f->fetches++;
    void (*meanwhile)(struct fixture *) = f->meanwhile;
    enum fault_code fault = f->fault;
    bool is_faulty = fault != 0 && (!f->has_faulty || f->faulty == query->key->kind);
    if (!is_faulty) {
        answer(f, query->key, ret_raw);
    }
    if (meanwhile != NULL) {
        f->meanwhile = NULL;
        meanwhile(f);
    }
    return is_faulty ? fault_set(why, fault, "upstream", "scripted") : 0;
}

/* ---- life ---- */

static int64_t
fixture_now(void *self)
{
    return ((struct fixture *)self)->now;
}

static int64_t
fixture_ms(void *self)
{
    return ((struct fixture *)self)->monotonic_ms;
}

void
fixture_restart(struct fixture *f, enum cache_mode mode, unsigned upstream_workers,
                unsigned local_workers)
{
    struct fault why = {0};
    cache_free(f->cache);
    f->options.mode = mode;
    f->options.upstream_workers = upstream_workers;
    f->options.local_workers = local_workers;
    assert_int_equal(cache_new(&f->options, &f->cache, &why), 0);
}

int
fixture_setup(void **state)
{
    static bool is_quiet;
    const struct log_options quiet = {.level = LOG_ERROR, .path = "/dev/null"};
    struct fixture *f = calloc(1, sizeof *f);
    struct fault why = {0};
    assert_non_null(f);
    if (!is_quiet) {
        is_quiet = true;
        assert_int_equal(log_open(&quiet, &why), 0);
    }
    f->now = TESTPKI_NOW;
    f->monotonic_ms = 1000000;
    f->clock = (struct clock){.now = fixture_now, .monotonic_ms = fixture_ms, .self = f};
    f->pki = testpki_new();
    f->issued_at = TESTPKI_NOW - TESTPKI_DAY;
    f->next_at = TESTPKI_NOW + 29 * TESTPKI_DAY;
    f->number = 17;
    f->pck_first = 5;
    f->pck_pcesvn = 10;
    f->upstream.fetch = fetch;
    struct span anchor = span_of_text(f->pki->root_pem);
    assert_int_equal(trust_anchors_from_pem(&anchor, 1, &f->anchors, &why), 0);
    struct store_options store = {.path = ":memory:",
                                  .server_addr = "api.trustedservices.intel.com",
                                  .api_version = 4,
                                  .init_db = true,
                                  .clock = &f->clock};
    assert_int_equal(store_open_sqlite(&store, &f->store, &why), 0);
    f->options = (struct cache_options){.upstream_version = 4,
                                        .memory_bytes = 8 << 20,
                                        .lazy_new_platforms_per_minute = 600,
                                        .anchors = f->anchors,
                                        .policy = &f->policy,
                                        .clock = &f->clock,
                                        .store = f->store,
                                        .upstream = &f->upstream};
    cache_thread_start();
    fixture_restart(f, CACHE_MODE_LAZY, 0, 0);
    *state = f;
    return 0;
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    cache_free(f->cache);
    store_close(f->store);
    trust_anchors_free(f->anchors);
    testpki_free(f->pki);
    free(f);
    cache_thread_stop();
    return 0;
}

/* ---- clients ---- */

static void
client_done(struct ask *ask, struct response *response)
{
    struct client *client = (struct client *)ask;
    client->response = response;
    client->answers++;
}

struct client *
client_new(struct fixture *f, const char *method, const char *target, const char *body)
{
    struct client *client = calloc(1, sizeof *client);
    struct route_match match = {0};
    struct fault why = {0};
    const char *mark = strchr(target, '?');
    size_t path_size = mark != NULL ? (size_t)(mark - target) : strlen(target);
    assert_non_null(client);
    client->ask.done = client_done;
    client->ask.body = BUF_INIT(1 << 20);
    memcpy(client->ask.request_id, "unit", sizeof "unit");
    buf_add_text(&client->ask.body, body != NULL ? body : "");
    assert_int_equal(route_find(span_of_text(method), span_of(target, path_size), 4, &match), 0);
    assert_int_equal(request_parse(&match, span_of_text(mark != NULL ? mark + 1 : ""), &f->policy,
                                   &client->ask.request, &why),
                     0);
    return client;
}

void
client_send(struct fixture *f, struct client *client)
{
    struct response *hit = cache_lookup(f->cache, &client->ask.request);
    if (hit != NULL) {
        client_done(&client->ask, hit);
    } else {
        cache_ask(f->cache, &client->ask);
    }
}

void
client_free(struct client *client)
{
    response_unref(client->response);
    buf_done(&client->ask.body);
    free(client);
}

struct response *
fixture_ask(struct fixture *f, const char *method, const char *target)
{
    struct client *client = client_new(f, method, target, NULL);
    client_send(f, client);
    cache_run_jobs(f->cache);
    assert_int_equal(client->answers, 1);
    struct response *response = response_ref(client->response);
    client_free(client);
    return response;
}

struct response *
fixture_look(struct fixture *f, const char *target)
{
    struct client *client = client_new(f, "GET", target, NULL);
    struct response *response = cache_lookup(f->cache, &client->ask.request);
    client_free(client);
    return response;
}

void
pckcert_target(const char *qeid, int first, char out[2048])
{
    char ppid[LIMIT_PPID_HEX + 1], hex[2 * 64 + 1];
    hex_encode_upper(span_of_text(qeid), hex);
    for (size_t i = 0; i < LIMIT_PPID_HEX; i++) {
        ppid[i] = hex[i % strlen(hex)];
    }
    ppid[LIMIT_PPID_HEX] = '\0';
    snprintf(out, 2048,
             "/sgx/certification/v4/pckcert?qeid=%s&encrypted_ppid=%s&cpusvn=%02X%030d&"
             "pcesvn=0A00&pceid=0000",
             qeid, ppid, (unsigned)first, 0);
}

struct item_key
tcb_key(void)
{
    struct item_key key = {.kind = ITEM_TCBINFO, .api_version = 4, .update = UPDATE_STANDARD};
    memcpy(key.fmspc.hex, FIXTURE_FMSPC, sizeof FIXTURE_FMSPC);
    return key;
}

struct proven *
fixture_proven(struct fixture *f, const struct item_key *key)
{
    struct raw_reply raw;
    struct proven *proven = NULL;
    struct fault why = {0};
    raw_reply_init(&raw);
    answer(f, key, &raw);
    if (key->kind == ITEM_PCK) {
        assert_int_equal(raw_reply_parse_pcks(&raw, &why), 0);
    }
    if (fill_verify(f->cache, key, &raw, "unit", &proven, &why) != 0) {
        fail_msg("%s", why.text);
    }
    raw_reply_done(&raw);
    return proven;
}

void
fixture_put(struct fixture *f, const struct item_key *key)
{
    struct fault why = {0};
    uint32_t epoch = publish_epoch(f->cache);
    struct proven *proven = fixture_proven(f, key);
    const struct proven *items[] = {proven};
    const struct store_batch batch = {.items = items, .item_count = 1};
    pthread_mutex_lock(&f->cache->write_mutex);
    assert_int_equal(store_put(f->store, &batch, &why), 0);
    publish_item(f->cache, proven, epoch);
    pthread_mutex_unlock(&f->cache->write_mutex);
    proven_unref(proven);
}
