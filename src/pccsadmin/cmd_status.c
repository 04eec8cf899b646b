/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin status: what a PCCS has: mode, version, store; platforms by FMSPC and TCB status; each
 * item with its freshness; the registration queue.
 * Takes the service's base address; asks what clients and administrators ask (api.md) and prints
 * it. In LAZY mode an item that is asked for and missing is thereby fetched.
 * Called by main.c. Must never change the queue: an Intel PCCS, which knows no peek, is not asked
 * for it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "collateral/tcbinfo.h"
#include "pccsadmin/pccs_call.h"
#include "x509/x509_crl.h"
#include "json/json_scan.h"

enum { URL_BYTES_MAX = 2 * LIMIT_URL_CHARS, FAMILIES_MAX = 4096, STATUSES_MAX = 16 };

/* Platforms of one FMSPC, counted by the status of the TCB that their certificate has. */
struct family {
    char fmspc[12 + 1];
    struct tcbinfo *tcbinfo; /* NULL: the PCCS has none */
    struct {
        char word[48];
        size_t count;
    } statuses[STATUSES_MAX];
    size_t status_count, platform_count;
};

struct status_run {
    struct pccs_call call;
    const struct arguments *args;
    struct buf origin; /* https://host:port */
    bool is_ours;      /* it has a health page: this project's */
    struct family *families;
    size_t family_count;
    size_t rows, unanswered;
    size_t expired, missing;
    json_t *json;
    int failed;
};

/* ---- asking ---- */

/* The status; 0 and a line on standard error if no answer came. */
static int
ask(struct status_run *run, const char *path, size_t body_max)
{
    auto_cleanup(buf_done) struct buf url = BUF_INIT(URL_BYTES_MAX);
    struct fault why;
    buf_add(&url, buf_span(&run->origin));
    if (buf_add_text(&url, path) != 0) {
        run->failed = ADMIN_FAILED;
        return 0;
    }
    struct pccs_request request = {.url = buf_text(&url), .body_max = body_max};
    int status = pccs_call_ask(&run->call, &request, &why);
    if (status == 0) {
        pccs_call_explain(&run->call, &request, &why);
        run->failed = ADMIN_FAILED;
    }
    return status;
}

static json_t *
answer_json(const struct status_run *run)
{
    const struct buf *body = &run->call.reply.body;
    return body->size > 0 ? json_loadb((const char *)body->data, body->size, 0, NULL) : NULL;
}

static const char *
text_of(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : otherwise;
}

/* ---- the service ---- */

/* What is in the database and not served, by the service's last look at all of it. */
static void
unserved_tell(const struct status_run *run, const json_t *health)
{
    long long count = json_integer_value(json_object_get(health, "unserved_rows"));
    if (count == 0) {
        return;
    }
    say(run->args, "database  %lld rows do not verify and are not served:", count);
    size_t index;
    json_t *name;
    json_array_foreach(json_object_get(health, "unserved"), index, name)
    {
        say(run->args, "          %s",
            json_string_value(name) != NULL ? json_string_value(name) : "?");
    }
}

static void
service_tell(struct status_run *run)
{
    int status = ask(run, "/healthz/ready", 0);
    json_t *health = answer_json(run);
    run->is_ours = json_object_get(health, "mode") != NULL;
    if (run->is_ours) {
        say(run->args, "service   %s, version %s, mode %s, store %s, running since %s",
            text_of(health, "status", "?"), text_of(health, "version", "?"),
            text_of(health, "mode", "?"), text_of(health, "store", "?"),
            text_of(health, "started_at", "?"));
        say(run->args, "          next refresh %s, TLS certificate until %s, trust anchor %s",
            text_of(health, "next_refresh_at", "none"),
            text_of(health, "tls_certificate_until", "?"), text_of(health, "trust_anchor", "?"));
        unserved_tell(run, health);
        json_object_set(run->json, "service", health);
    } else if (status != 0) {
        say(run->args, "service   answers, and has no health page: Intel's PCCS");
    }
    if (run->is_ours && status != 200) {
        say_error("the service is not ready: %s", text_of(health, "reason", "?"));
        run->failed = ADMIN_FAILED;
    }
    json_decref(health);
}

/* ---- platforms ---- */

static struct tcbinfo *
tcbinfo_get(struct status_run *run, const char *fmspc)
{
    char path[128];
    struct fault why;
    struct span inner;
    struct tcbinfo *tcbinfo = NULL;
    snprintf(path, sizeof path, "/sgx/certification/v4/tcb?fmspc=%s", fmspc);
    if (ask(run, path, 0) != 200) {
        return NULL;
    }
    struct span body = buf_span(&run->call.reply.body);
    if (json_check(body, &why) != 0 || json_find_member(body, "tcbInfo", &inner, &why) != 0 ||
        tcbinfo_parse(inner, &tcbinfo, &why) != 0) {
        return NULL;
    }
    return tcbinfo;
}

static struct family *
family_get(struct status_run *run, const char *fmspc)
{
    for (size_t i = 0; i < run->family_count; i++) {
        if (strcmp(run->families[i].fmspc, fmspc) == 0) {
            return &run->families[i];
        }
    }
    if (run->family_count == FAMILIES_MAX) {
        return NULL;
    }
    struct family *families =
        reallocarray(run->families, run->family_count + 1, sizeof families[0]);
    if (families == NULL) {
        return NULL;
    }
    run->families = families;
    struct family *family = &families[run->family_count++];
    *family = (struct family){0};
    memcpy(family->fmspc, fmspc, sizeof family->fmspc);
    family->tcbinfo = tcbinfo_get(run, fmspc);
    return family;
}

/* The first level that the certificate's TCB reaches in every component (selection.md 3). */
static const char *
tcb_status(const struct family *family, const uint8_t tcbm[18])
{
    unsigned pcesvn = tcbm[16] | (unsigned)tcbm[17] << 8;
    if (family->tcbinfo == NULL) {
        return "no TCB info";
    }
    for (size_t i = 0; i < family->tcbinfo->level_count; i++) {
        const struct tcb_level *level = &family->tcbinfo->levels[i];
        bool reaches = pcesvn >= level->pcesvn;
        for (size_t c = 0; c < sizeof level->components; c++) {
            reaches = reaches && tcbm[c] >= level->components[c];
        }
        if (reaches) {
            return level->status;
        }
    }
    return "below all TCB levels";
}

static void
family_count(struct family *family, const char *word)
{
    size_t i = 0;
    while (i < family->status_count && strcmp(family->statuses[i].word, word) != 0) {
        i++;
    }
    if (i == STATUSES_MAX) {
        return;
    }
    if (i == family->status_count) {
        snprintf(family->statuses[i].word, sizeof family->statuses[i].word, "%s", word);
        family->status_count++;
    }
    family->statuses[i].count++;
    family->platform_count++;
}

/* One row of the list: asks for its certificate, as the platform would. */
static void
platform_count(struct status_run *run, const json_t *row)
{
    auto_cleanup(buf_done) struct buf path = BUF_INIT(URL_BYTES_MAX);
    struct span fmspc_text;
    struct span tcbm_text;
    struct fmspc fmspc;
    uint8_t tcbm[18];
    buf_add_format(&path, "/sgx/certification/v4/pckcert?qeid=%s&cpusvn=%s&pcesvn=%s&pceid=%s",
                   text_of(row, "qe_id", ""), text_of(row, "cpu_svn", ""),
                   text_of(row, "pce_svn", ""), text_of(row, "pce_id", ""));
    run->rows++;
    if (path.failed != 0 || ask(run, buf_text(&path), 0) != 200 ||
        !pccs_reply_header(&run->call.reply, "SGX-FMSPC", &fmspc_text) ||
        !pccs_reply_header(&run->call.reply, "SGX-TCBm", &tcbm_text) ||
        !fmspc_parse(fmspc_text, &fmspc) || !hex_decode(tcbm_text, tcbm, sizeof tcbm)) {
        run->unanswered++;
        return;
    }
    struct family *family = family_get(run, fmspc.hex);
    if (family != NULL) {
        family_count(family, tcb_status(family, tcbm));
    }
}

static json_t *
family_tell(const struct status_run *run, const struct family *family)
{
    json_t *statuses = json_object();
    for (size_t i = 0; i < family->status_count; i++) {
        say(run->args, "          %s  %6zu  %s", i == 0 ? family->fmspc : "            ",
            family->statuses[i].count, family->statuses[i].word);
        json_object_set_new(statuses, family->statuses[i].word,
                            json_integer((json_int_t)family->statuses[i].count));
    }
    return json_pack("{s:s, s:i, s:o}", "fmspc", family->fmspc, "platforms",
                     (int)family->platform_count, "tcb_statuses", statuses);
}

static void
platforms_tell(struct status_run *run)
{
    if (ask(run, "/sgx/certification/v4/platforms?source=%5B%5D", LIMIT_QUEUE_LIST_BYTES) != 200) {
        if (run->failed == 0) {
            say_error("the PCCS does not list its platforms (%d): is PCCS_ADMIN_TOKEN right?",
                      run->call.reply.status);
        }
        run->failed = ADMIN_FAILED;
        return;
    }
    json_t *rows = answer_json(run);
    json_t *families = json_array();
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        if (run->failed == 0) {
            platform_count(run, row);
        }
    }
    say(run->args, "platforms %zu with a known TCB, of %zu FMSPCs%s", run->rows, run->family_count,
        run->family_count > 0 ? "; by the status of their certificate's TCB:" : "");
    for (size_t i = 0; i < run->family_count; i++) {
        json_array_append_new(families, family_tell(run, &run->families[i]));
    }
    if (run->unanswered > 0) {
        say(run->args, "          %zu have no certificate that suits them", run->unanswered);
    }
    json_object_set_new(run->json, "platforms",
                        json_pack("{s:i, s:i, s:o}", "count", (int)run->rows, "without_certificate",
                                  (int)run->unanswered, "fmspcs", families));
    json_decref(rows);
}

/* ---- items ---- */

static bool
json_until(struct span body, const char *member, int64_t *ret_at)
{
    struct fault why;
    struct span inner;
    struct span date;
    struct buf text = BUF_INIT(64);
    bool ok = json_check(body, &why) == 0 && json_find_member(body, member, &inner, &why) == 0 &&
              json_find_member(inner, "nextUpdate", &date, &why) == 0 &&
              json_add_string(&text, date) == 0 && clock_parse_iso8601(buf_span(&text), ret_at);
    buf_done(&text);
    return ok;
}

static bool
crl_until(struct span hex, int64_t *ret_at)
{
    struct buf der = BUF_INIT(LIMIT_CRL_BYTES);
    struct x509_crl *crl = NULL;
    bool ok = hex_add_decoded(&der, hex) == 0 && x509_crl_parse(buf_span(&der), &crl, NULL) == 0;
    if (ok) {
        *ret_at = x509_crl_next_update(crl);
    }
    x509_crl_free(crl);
    buf_done(&der);
    return ok;
}

/* member: of the signed JSON; NULL for a CRL. */
static void
item_tell(struct status_run *run, const char *name, const char *path, const char *member)
{
    char text[CLOCK_ISO8601_SIZE] = "-";
    int64_t until = 0;
    const char *state = "missing";
    int status = run->failed == 0 ? ask(run, path, LIMIT_UPSTREAM_BODY_BYTES) : 0;
    struct span body = buf_span(&run->call.reply.body);
    if (status == 200 &&
        (member != NULL ? json_until(body, member, &until) : crl_until(body, &until))) {
        bool is_fresh = clock_now(clock_system()) < until;
        clock_format_iso8601(until, text);
        state = is_fresh ? "fresh" : "EXPIRED";
        run->expired += !is_fresh;
    } else {
        run->missing++;
    }
    say(run->args, "          %-28s %-20s %s", name, text, state);
    json_array_append_new(
        json_object_get(run->json, "items"),
        json_pack("{s:s, s:s, s:s}", "item", name, "fresh_until", text, "state", state));
}

static void
items_tell(struct status_run *run)
{
    static const char base[] = "/sgx/certification/v4/tcb?fmspc=";
    json_object_set_new(run->json, "items", json_array());
    say(run->args, "items     %-28s %-20s", "", "fresh until");
    for (size_t i = 0; i < run->family_count; i++) {
        char path[128];
        char name[40];
        snprintf(path, sizeof path, "%s%s", base, run->families[i].fmspc);
        snprintf(name, sizeof name, "TCB info SGX %s", run->families[i].fmspc);
        item_tell(run, name, path, "tcbInfo");
    }
    item_tell(run, "identity QE", "/sgx/certification/v4/qe/identity", "enclaveIdentity");
    item_tell(run, "identity QvE", "/sgx/certification/v4/qve/identity", "enclaveIdentity");
    item_tell(run, "identity TD QE", "/tdx/certification/v4/qe/identity", "enclaveIdentity");
    item_tell(run, "PCK CRL, Processor CA", "/sgx/certification/v4/pckcrl?ca=processor", NULL);
    item_tell(run, "PCK CRL, Platform CA", "/sgx/certification/v4/pckcrl?ca=platform", NULL);
    item_tell(run, "root CA CRL", "/sgx/certification/v4/rootcacrl", NULL);
}

/* ---- the queue ---- */

static long
queue_count(struct status_run *run, const char *path)
{
    struct span value;
    char text[24];
    if (run->failed != 0 || ask(run, path, LIMIT_QUEUE_LIST_BYTES) != 200 ||
        !pccs_reply_header(&run->call.reply, "platform-count", &value) ||
        !span_to_text(value, text, sizeof text)) {
        return -1;
    }
    return strtol(text, NULL, 10);
}

static void
queue_tell(struct status_run *run)
{
    if (!run->is_ours) {
        say(run->args, "queue     not asked: an Intel PCCS would hand its rows out");
        return;
    }
    long waiting = queue_count(run, "/sgx/certification/v4/platforms?source=reg&peek=1");
    long missing = queue_count(run, "/sgx/certification/v4/platforms?source=reg_na&peek=1");
    long pending = queue_count(run, "/sgx/certification/v4/platforms?source=reg_pending");
    say(run->args,
        "queue     %ld wait for get, %ld with certificates not available, %ld handed out "
        "and not back yet",
        waiting, missing, pending);
    json_object_set_new(run->json, "queue",
                        json_pack("{s:i, s:i, s:i}", "reg", (int)waiting, "reg_na", (int)missing,
                                  "reg_pending", (int)pending));
}

/* ---- the command ---- */

/* Scheme, host and port of what -u says, whatever path follows. */
static int
origin_find(const char *url, struct buf *origin, struct fault *why)
{
    const char *host = strstr(url, "://");
    if (host == NULL) {
        return fault_set(why, FAULT_INPUT, "usage",
                         "-u: a URL is wanted, for instance https://localhost:8081");
    }
    host += 3;
    buf_add(origin, span_of(url, (size_t)(host - url)));
    buf_add(origin, span_of(host, strcspn(host, "/?")));
    return origin->failed != 0 ? fault_set(why, FAULT_INPUT, "usage", "-u: the URL is too long")
                               : 0;
}

static void
run_done(struct status_run *run)
{
    for (size_t i = 0; i < run->family_count; i++) {
        tcbinfo_free(run->families[i].tcbinfo);
    }
    free(run->families);
    buf_done(&run->origin);
    pccs_call_done(&run->call);
}

int
cmd_status(const struct arguments *args)
{
    auto_cleanup(run_done) struct status_run run = {
        .args = args, .origin = BUF_INIT(LIMIT_URL_CHARS), .json = NULL};
    struct fault why;
    if (origin_find(arguments_text(args, ADMIN_URL, PCCS_DEFAULT_BASE), &run.origin, &why) != 0) {
        return say_usage(args, &why);
    }
    int status = pccs_call_open(args, true, &run.call);
    if (status != 0) {
        return status;
    }
    run.json = json_object();
    service_tell(&run);
    if (run.failed == 0 || run.is_ours) {
        platforms_tell(&run);
    }
    if (run.failed == 0) {
        items_tell(&run);
        queue_tell(&run);
        say(args, "%zu items are expired, %zu missing", run.expired, run.missing);
    }
    json_object_set_new(run.json, "expired", json_integer((json_int_t)run.expired));
    json_object_set_new(run.json, "missing", json_integer((json_int_t)run.missing));
    json_object_set_new(run.json, "ok", json_boolean(run.failed == 0));
    if (run.failed == 0 || run.is_ours) {
        say_json(args, run.json);
    } else {
        json_decref(run.json);
    }
    return run.failed == 0 ? ADMIN_DONE : ADMIN_FAILED;
}
