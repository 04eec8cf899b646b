/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCS of a scenario: says what the script tells it to, signed by the scenario's own PKI, and
 * counts what it is asked. Platforms have names: P1's QE ID is "P1", its encrypted PPID and its
 * manifest repeat the hex of that name, so that a query can be told apart without a table.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/url.h"
#include "scenario/scenario.h"
#include "json/json_scan.h"

enum { NAME_MAX_BYTES = 24, MANIFEST_HEX = 64, DOCUMENT_MAX = 4 << 20 };

/* ---- names and numbers ---- */

static void
hex_of_name(const char *name, const char *prefix, size_t digits, char *out)
{
    char hex[2 * NAME_MAX_BYTES + 1];
    hex_encode_upper(span_of_text(name), hex);
    size_t size = strlen(prefix);
    memcpy(out, prefix, size);
    while (size < digits) {
        out[size] = hex[(size - strlen(prefix)) % strlen(hex)];
        size++;
    }
    out[digits] = '\0';
}

/* "5.5/10" -> components 5, 5, 0...; PCESVN 10 */
static void
parse_tcb(const char *text, struct testpki_sgx *sgx)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned pcesvn = 0;
    must(sscanf(text, "%u.%u/%u", &a, &b, &pcesvn) == 3);
    memset(sgx->components, 0, sizeof sgx->components);
    sgx->components[0] = (uint8_t)a;
    sgx->components[1] = (uint8_t)b;
    memcpy(sgx->cpusvn, sgx->components, sizeof sgx->cpusvn);
    sgx->pcesvn = pcesvn;
}

static struct saying *
find_saying(struct scenario *s, const char *item)
{
    for (size_t i = 0; i < s->saying_count; i++) {
        if (strcmp(s->sayings[i].item, item) == 0) {
            return &s->sayings[i];
        }
    }
    return NULL;
}

/* ---- documents ---- */

static void
format_time(int64_t at, char out[CLOCK_ISO8601_SIZE])
{
    clock_format_iso8601(at, out);
}

static char *
levels_json(const struct saying *saying, int version, bool is_tdx)
{
    struct buf json = BUF_INIT(DOCUMENT_MAX);
    char list[sizeof saying->levels];
    char *rest = list;
    memcpy(list, saying->levels, sizeof list);
    buf_add_text(&json, "[");
    for (char *one = strsep(&rest, ","); one != NULL; one = strsep(&rest, ",")) {
        struct testpki_sgx sgx = {0};
        parse_tcb(one, &sgx);
        auto_free char *level = testpki_tcb_level(version, is_tdx, sgx.components[0],
                                                  sgx.components[1], (int)sgx.pcesvn);
        buf_add_text(&json, json.size > 1 ? "," : "");
        buf_add_text(&json, level);
    }
    buf_add_text(&json, "]");
    return buf_take(&json, NULL);
}

static char *
tcbinfo_document(struct scenario *s, const struct saying *saying, const struct item_key *key)
{
    char issued[CLOCK_ISO8601_SIZE], next[CLOCK_ISO8601_SIZE];
    int version = key->api_version == 3 ? 2 : 3;
    bool is_tdx = key->product == PRODUCT_TDX;
    auto_free char *levels = levels_json(saying, version, is_tdx);
    format_time(saying->issued_at, issued);
    format_time(saying->next_at, next);
    return testpki_tcbinfo(s->pki, &(struct testpki_tcbinfo){.id = is_tdx ? "TDX" : "SGX",
                                                             .version = version,
                                                             .fmspc = key->fmspc.hex,
                                                             .issued = issued,
                                                             .next = next,
                                                             .number = saying->number,
                                                             .levels = levels});
}

static char *
identity_document(struct scenario *s, const struct saying *saying, const struct item_key *key)
{
    char issued[CLOCK_ISO8601_SIZE], next[CLOCK_ISO8601_SIZE];
    format_time(saying->issued_at, issued);
    format_time(saying->next_at, next);
    return testpki_identity(s->pki, &(struct testpki_identity){.id = enclave_word(key->enclave),
                                                               .issued = issued,
                                                               .next = next,
                                                               .number = saying->number});
}

static void
add_crl(struct scenario *s, const struct saying *saying, const struct item_key *key, struct buf *b)
{
    bool is_root = key->kind != ITEM_PCK_CRL;
    struct testpki_crl crl = {.issuer = is_root ? s->pki->root : s->pki->cas[key->ca],
                              .key = is_root ? s->pki->root_key : s->pki->ca_keys[key->ca],
                              .this_update = saying->issued_at,
                              .next_update = saying->next_at};
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(&crl, &size);
    buf_add(b, span_of(der, size));
}

static void
add_certs_json(struct scenario *s, const struct saying *saying, struct buf *json)
{
    char list[sizeof saying->certs];
    char *rest = list;
    memcpy(list, saying->certs, sizeof list);
    buf_add_text(json, "[");
    for (char *one = strsep(&rest, ","); one != NULL; one = strsep(&rest, ",")) {
        bool is_available = strncmp(one, "na:", 3) != 0;
        struct testpki_sgx sgx = testpki_sgx_plain();
        char tcbm[37];
        parse_tcb(is_available ? one : one + 3, &sgx);
        must(hex_decode(span_of_text(saying->fmspc), sgx.fmspc, sizeof sgx.fmspc));
        sgx.has_platform_part = saying->ca == TESTPKI_PLATFORM;
        testpki_tcbm(&sgx, tcbm);
        buf_add_text(json, json->size > 1 ? ",{\"tcb\":{" : "{\"tcb\":{");
        for (int i = 0; i < 16; i++) {
            buf_add_format(json, "\"sgxtcbcomp%02dsvn\":%u,", i + 1, sgx.components[i]);
        }
        buf_add_format(json, "\"pcesvn\":%u},\"tcbm\":\"%s\",\"cert\":\"", sgx.pcesvn, tcbm);
        if (is_available) {
            auto_free char *pem = testpki_leaf_pem(s->pki, saying->ca, &sgx, 0);
            auto_free char *encoded = testpki_percent_encode(pem);
            buf_add_text(json, encoded);
        } else {
            buf_add_text(json, "Not available");
        }
        buf_add_text(json, "\"}");
    }
    buf_add_text(json, "]");
}

static void
add_document(struct scenario *s, const struct saying *saying, const struct item_key *key,
             struct buf *b)
{
    auto_free char *json = NULL;
    if (key->kind == ITEM_TCBINFO) {
        json = tcbinfo_document(s, saying, key);
    } else if (key->kind == ITEM_IDENTITY) {
        json = identity_document(s, saying, key);
    } else {
        add_crl(s, saying, key, b);
    }
    if (json != NULL) {
        buf_add_text(b, json);
    }
    if (saying->is_forged && json != NULL) {
        char *number = strstr((char *)b->data, "tcbEvaluationDataNumber");
        number[strlen("tcbEvaluationDataNumber\":") + 1] ^= 1; /* 17 is 16, the old signature */
    } else if (saying->is_forged) {
        b->data[b->size - 1] ^= 1;
    }
}

static const char *
chain_of(struct scenario *s, const struct saying *saying, const struct item_key *key)
{
    if (key->kind == ITEM_PCK) {
        return s->pki->ca_chains[saying->ca];
    }
    return key->kind == ITEM_PCK_CRL ? s->pki->ca_chains[key->ca] : s->pki->signer_chain;
}

/* ---- the PCS is asked ---- */

static void
platform_item(const struct upstream_query *query, char out[256])
{
    /* P1, P2 ...: by the hex of the name at the start of what identifies it */
    char name[3] = "";
    struct span hex = query->manifest.size > 0 ? span_of(query->manifest.data + 4, 4)
                                               : span_of(query->encrypted_ppid.data, 4);
    must(hex_decode(hex, (uint8_t *)name, 2));
    snprintf(out, 256, "pck/%s", name);
}

static struct scenario *
scenario_of(struct upstream *upstream)
{
    return (struct scenario *)((char *)upstream - offsetof(struct scenario, upstream));
}

static int
scripted_fetch(struct upstream *self, const struct upstream_query *query, struct raw_reply *ret_raw,
               int *ret_retry_after_s, struct fault *why)
{
    struct scenario *s = scenario_of(self);
    char text[ITEM_KEY_TEXT_SIZE];
    item_key_text(query->key, text);
    if (query->key->kind == ITEM_PCK) {
        platform_item(query, text);
    }
    s->fetches++;
    size_t used = strlen(s->fetched);
    snprintf(s->fetched + used, sizeof s->fetched - used, " %s", text);
    const struct saying *saying = find_saying(s, "*");
    saying = saying != NULL ? saying : find_saying(s, text);
    if (saying == NULL || (saying->wants_manifest && query->manifest.size == 0)) {
        return fault_set_number(why, FAULT_NOT_FOUND, "upstream", 404, "the PCS does not know %s",
                                text);
    }
    if (saying->kind == SAYS_FAULT) {
        *ret_retry_after_s = saying->retry_after_s;
        return fault_set(why, saying->fault, "upstream", "scripted: %s", fault_word(saying->fault));
    }
    if (saying->kind == SAYS_PLATFORM) {
        add_certs_json(s, saying, &ret_raw->body);
        memcpy(ret_raw->fmspc, saying->fmspc, sizeof ret_raw->fmspc);
        snprintf(ret_raw->ca, sizeof ret_raw->ca, "%s",
                 saying->ca == TESTPKI_PLATFORM ? "platform" : "processor");
    } else {
        add_document(s, saying, query->key, &ret_raw->body);
    }
    ret_raw->issuer_chain = testpki_percent_encode(chain_of(s, saying, query->key));
    return 0;
}

void
scripted_pcs_init(struct scenario *s)
{
    s->upstream.fetch = scripted_fetch;
}

void
scripted_pcs_done(struct scenario *s)
{
    s->saying_count = 0;
}

/* ---- the script tells it what to say ---- */

static void
say_attribute(struct scenario *s, struct saying *saying, const char *name, const char *value)
{
    if (strcmp(name, "issued") == 0) {
        saying->issued_at = s->now + scenario_duration(s, value);
    } else if (strcmp(name, "next") == 0) {
        saying->next_at = s->now + scenario_duration(s, value);
    } else if (strcmp(name, "number") == 0) {
        saying->number = (int)strtol(value, NULL, 10);
    } else if (strcmp(name, "levels") == 0) {
        snprintf(saying->levels, sizeof saying->levels, "%s", value);
    } else if (strcmp(name, "certs") == 0) {
        snprintf(saying->certs, sizeof saying->certs, "%s", value);
    } else if (strcmp(name, "fmspc") == 0) {
        snprintf(saying->fmspc, sizeof saying->fmspc, "%s", value);
    } else if (strcmp(name, "ca") == 0) {
        saying->ca = strcmp(value, "platform") == 0 ? TESTPKI_PLATFORM : TESTPKI_PROCESSOR;
    } else if (strcmp(name, "retry-after") == 0) {
        saying->retry_after_s = (int)strtol(value, NULL, 10);
    } else {
        scenario_fail(s, "pcs does not know %s", name);
    }
}

/* pcs ITEM is|forged|unknown|down|refused|odd|silent [NAME VALUE]... [manifest] */
void
scripted_pcs_says(struct scenario *s, char **words, size_t count)
{
    struct saying *saying = find_saying(s, words[1]);
    if (saying == NULL) {
        must(s->saying_count < SAYINGS_MAX);
        saying = &s->sayings[s->saying_count++];
    }
    *saying = (struct saying){.issued_at = s->now - 86400,
                              .next_at = s->now + 29 * 86400,
                              .number = 17,
                              .levels = "5.5/10,3.3/10,3.3/7,1.1/5",
                              .fmspc = "00906EA10000"};
    snprintf(saying->item, sizeof saying->item, "%s", words[1]);
    const char *how = words[2];
    saying->is_forged = strcmp(how, "forged") == 0;
    if (strcmp(how, "as-before") == 0) { /* takes back what was said of "*" */
        *saying = s->sayings[--s->saying_count];
        return;
    } else if (strcmp(how, "unknown") == 0) {
        saying->kind = SAYS_FAULT;
        saying->fault = FAULT_NOT_FOUND;
    } else if (strcmp(how, "down") == 0) {
        saying->kind = SAYS_FAULT;
        saying->fault = FAULT_UPSTREAM_DOWN;
    } else if (strcmp(how, "refused") == 0) {
        saying->kind = SAYS_FAULT;
        saying->fault = FAULT_UPSTREAM_REFUSED;
    } else if (strcmp(how, "odd") == 0) {
        saying->kind = SAYS_FAULT;
        saying->fault = FAULT_UPSTREAM_ODD;
    } else if (strcmp(how, "is") != 0 && !saying->is_forged) {
        scenario_fail(s, "pcs does not know how to be %s", how);
    } else if (strncmp(words[1], "pck/", 4) == 0) {
        saying->kind = SAYS_PLATFORM;
    }
    for (size_t i = 3; i < count; i++) {
        if (strcmp(words[i], "manifest") == 0) {
            saying->wants_manifest = true;
        } else if (i + 1 < count) {
            say_attribute(s, saying, words[i], words[i + 1]);
            i++;
        }
    }
}

/* ---- clients of platforms ---- */

static void
raw_hex(const char *tcb, char cpusvn[33], char pcesvn[5])
{
    struct testpki_sgx sgx = {0};
    parse_tcb(tcb, &sgx);
    hex_encode_upper(span_of(sgx.cpusvn, 16), cpusvn);
    uint8_t le[2] = {(uint8_t)sgx.pcesvn, (uint8_t)(sgx.pcesvn >> 8)};
    hex_encode_upper(span_of(le, 2), pcesvn);
}

/* pckcert NAME TCB [no-ppid|zero-ppid|ppid-of NAME] */
void
scripted_pckcert(struct scenario *s, char **words, size_t count)
{
    char cpusvn[33], pcesvn[5], ppid[LIMIT_PPID_HEX + 1], target[2048];
    raw_hex(words[2], cpusvn, pcesvn);
    hex_of_name(words[1], "", LIMIT_PPID_HEX, ppid);
    if (count > 4 && strcmp(words[3], "ppid-of") == 0) {
        hex_of_name(words[4], "", LIMIT_PPID_HEX, ppid);
    } else if (count > 3 && strcmp(words[3], "zero-ppid") == 0) {
        memset(ppid, '0', LIMIT_PPID_HEX);
    }
    bool has_ppid = count <= 3 || strcmp(words[3], "no-ppid") != 0;
    snprintf(target, sizeof target,
             "/sgx/certification/v4/pckcert?qeid=%s%s%s&cpusvn=%s&pcesvn=%s&pceid=0000", words[1],
             has_ppid ? "&encrypted_ppid=" : "", has_ppid ? ppid : "", cpusvn, pcesvn);
    scenario_ask(s, "GET", target, NULL);
}

/* register NAME [TCB] [manifest] [early|all] [other-manifest] */
void
scripted_register(struct scenario *s, char **words, size_t count)
{
    char manifest[MANIFEST_HEX + 1] = "";
    char cpusvn[33], pcesvn[5], ppid[LIMIT_PPID_HEX + 1], body[4096];
    const char *update = "";
    const char *raw = NULL;
    for (size_t i = 2; i < count; i++) {
        if (strcmp(words[i], "manifest") == 0) {
            hex_of_name(words[1], "00AA", MANIFEST_HEX, manifest);
        } else if (strcmp(words[i], "other-manifest") == 0) {
            hex_of_name(words[1], "00BB", MANIFEST_HEX, manifest);
        } else if (strchr(words[i], '/') != NULL) {
            raw = words[i];
        } else {
            update = words[i];
        }
    }
    hex_of_name(words[1], "", LIMIT_PPID_HEX, ppid);
    if (raw != NULL) {
        raw_hex(raw, cpusvn, pcesvn);
        snprintf(body, sizeof body,
                 "{\"qe_id\":\"%s\",\"pce_id\":\"0000\",\"cpu_svn\":\"%s\",\"pce_svn\":\"%s\","
                 "\"enc_ppid\":\"%s\",\"platform_manifest\":\"%s\"}",
                 words[1], cpusvn, pcesvn, ppid, manifest);
    } else {
        snprintf(body, sizeof body,
                 "{\"qe_id\":\"%s\",\"pce_id\":\"0000\",\"platform_manifest\":\"%s\"}", words[1],
                 manifest);
    }
    char target[128];
    snprintf(target, sizeof target, "/sgx/certification/v4/platforms%s%s",
             update[0] != '\0' ? "?update=" : "", update);
    scenario_ask(s, "POST", target, body);
}

/* ---- an administrator uploads what the PCS says ---- */

static void
upload_add_string(struct buf *json, const char *name, struct span text)
{
    buf_add_format(json, ",\"%s\":", name);
    json_add_quoted(json, text);
}

/* The items of one kind, as members of the collaterals file. */
static void
upload_add_items(struct scenario *s, struct buf *json)
{
    static const struct {
        const char *item, *member;
        struct item_key key;
    } identities[] = {
        {"identity/QE/4/STANDARD", "qeidentity", {ITEM_IDENTITY, .enclave = ENCLAVE_QE}},
        {"identity/TD_QE/4/STANDARD", "tdqeidentity", {ITEM_IDENTITY, .enclave = ENCLAVE_TDQE}},
        {"identity/QVE/4/STANDARD", "qveidentity", {ITEM_IDENTITY, .enclave = ENCLAVE_QVE}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(identities); i++) {
        struct saying *saying = find_saying(s, identities[i].item);
        struct buf text = BUF_INIT(DOCUMENT_MAX);
        if (saying != NULL) {
            add_document(s, saying, &identities[i].key, &text);
        }
        upload_add_string(json, identities[i].member, buf_span(&text));
        buf_done(&text);
    }
    static const struct {
        const char *item;
        struct item_key key;
    } crls[] = {{"pckcrl/PROCESSOR", {ITEM_PCK_CRL, .ca = PCK_CA_PROCESSOR}},
                {"pckcrl/PLATFORM", {ITEM_PCK_CRL, .ca = PCK_CA_PLATFORM}},
                {"rootcrl", {ITEM_ROOT_CRL}}};
    for (size_t i = 0; i < ARRAY_COUNT(crls); i++) {
        struct buf hex = BUF_INIT(DOCUMENT_MAX);
        struct buf der = BUF_INIT(DOCUMENT_MAX);
        struct saying *saying = find_saying(s, crls[i].item);
        if (saying != NULL) {
            add_document(s, saying, &crls[i].key, &der);
        }
        hex_add_lower(&hex, buf_span(&der));
        buf_add_text(json, i == 0 ? ",\"pckcacrl\":{\"processorCrl\":\"" : "");
        buf_add_text(json, i == 1 ? ",\"platformCrl\":\"" : "");
        buf_add_text(json, i == 2 ? "},\"rootcacrl\":\"" : "");
        buf_add(json, buf_span(&hex));
        buf_add_text(json, "\"");
        buf_done(&hex);
        buf_done(&der);
    }
}

static void
upload_add_tcbinfos(struct scenario *s, struct buf *json)
{
    bool is_first = true;
    for (size_t i = 0; i < s->saying_count; i++) {
        const struct saying *saying = &s->sayings[i];
        const char *prefix = "tcb/SGX/4/STANDARD/";
        if (strncmp(saying->item, prefix, strlen(prefix)) != 0 || saying->kind != SAYS_ITEM) {
            continue;
        }
        struct item_key key = {.kind = ITEM_TCBINFO, .api_version = 4};
        must(fmspc_parse(span_of_text(saying->item + strlen(prefix)), &key.fmspc));
        struct buf text = BUF_INIT(DOCUMENT_MAX);
        add_document(s, saying, &key, &text);
        buf_add_format(json, "%s{\"fmspc\":\"%s\",\"sgx_tcbinfo\":%s}", is_first ? "" : ",",
                       key.fmspc.hex, buf_text(&text));
        buf_done(&text);
        is_first = false;
    }
}

/* upload [NAME TCB]...: everything that the PCS says now, and the platforms named with their raw
 * TCBs; as pccsadmin put does. */
void
scripted_upload(struct scenario *s, char **words, size_t count)
{
    struct buf json = BUF_INIT(DOCUMENT_MAX);
    buf_add_text(&json, "{\"platforms\":[");
    for (size_t i = 1; i + 1 < count; i += 2) {
        char cpusvn[33], pcesvn[5];
        raw_hex(words[i + 1], cpusvn, pcesvn);
        buf_add_format(&json,
                       "%s{\"qe_id\":\"%s\",\"pce_id\":\"0000\",\"cpu_svn\":\"%s\",\"pce_svn\":"
                       "\"%s\",\"enc_ppid\":\"\",\"platform_manifest\":\"\"}",
                       i > 1 ? "," : "", words[i], cpusvn, pcesvn);
    }
    buf_add_text(&json, "],\"collaterals\":{\"version\":4,\"pck_certs\":[");
    for (size_t i = 1; i + 1 < count; i += 2) {
        char item[64];
        snprintf(item, sizeof item, "pck/%s", words[i]);
        struct saying *saying = find_saying(s, item);
        must(saying != NULL);
        buf_add_format(&json,
                       "%s{\"qe_id\":\"%s\",\"pce_id\":\"0000\",\"enc_ppid\":\"\","
                       "\"platform_manifest\":\"\",\"certs\":",
                       i > 1 ? "," : "", words[i]);
        struct buf certs = BUF_INIT(DOCUMENT_MAX);
        add_certs_json(s, saying, &certs);
        buf_add(&json, buf_span(&certs));
        buf_add_text(&json, "}");
        buf_done(&certs);
    }
    buf_add_text(&json, "],\"tcbinfos\":[");
    upload_add_tcbinfos(s, &json);
    buf_add_text(&json, "]");
    upload_add_items(s, &json);
    auto_free char *processor = testpki_percent_encode(s->pki->ca_chains[TESTPKI_PROCESSOR]);
    auto_free char *platform = testpki_percent_encode(s->pki->ca_chains[TESTPKI_PLATFORM]);
    auto_free char *signer = testpki_percent_encode(s->pki->signer_chain);
    buf_add_format(&json,
                   ",\"certificates\":{\"SGX-PCK-Certificate-Issuer-Chain\":{\"PROCESSOR\":\"%s\","
                   "\"PLATFORM\":\"%s\"},\"TCB-Info-Issuer-Chain\":\"%s\","
                   "\"SGX-Enclave-Identity-Issuer-Chain\":\"%s\"}}}",
                   processor, platform, signer, signer);
    must(!json.failed);
    scenario_ask(s, "PUT", "/sgx/certification/v4/platformcollateral", buf_text(&json));
    buf_done(&json);
}
