/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts the collaterals file together (clients.md 5.2): Intel's members in Intel's order and
 * Python's style, then one of our own, "pccsadmin", that says when it was made and until when each
 * part is fresh. The platforms stand in the file already; certificates and TCB infos come from
 * their parts. Takes the state of a fetch; gives the file in its place.
 * Called by cmd_fetch.c on the main thread.
 * Must never change a byte of what Intel signed but the blanks of TCB infos.
 */
#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/url.h"
#include "pccsadmin/fetch.h"
#include "pccsadmin/json_style.h"

enum { MEMBERS_BYTES_MAX = 8 * LIMIT_CRL_BYTES };

static void
add_crl(struct buf *b, const char *name, const struct proven *crl)
{
    if (crl != NULL) {
        buf_add_format(b, "\"%s\": \"", name);
        hex_add_lower(b, buf_span(&crl->body));
        buf_add_byte(b, '"');
    }
}

static void
add_pck_crls(struct buf *b, const struct fetch *fetch)
{
    const struct proven *const *crls = (const struct proven *const *)fetch->side.pck_crls;
    buf_add_text(b, ", \"pckcacrl\": {");
    add_crl(b, "processorCrl", crls[PCK_CA_PROCESSOR]);
    if (crls[PCK_CA_PROCESSOR] != NULL && crls[PCK_CA_PLATFORM] != NULL) {
        buf_add_text(b, ", ");
    }
    add_crl(b, "platformCrl", crls[PCK_CA_PLATFORM]);
    buf_add_byte(b, '}');
}

static const struct proven *
identity_named(const struct fetch *fetch, const char *name)
{
    for (size_t i = 0; i < fetch->identity_count; i++) {
        if (strcmp(fetch->identities[i].name, name) == 0 && fetch->identities[i].failed == 0) {
            return fetch->identities[i].proven;
        }
    }
    return NULL;
}

/* Intel's skeleton has the standard ones in any case, empty if need be. */
static void
add_identities(struct buf *b, const struct fetch *fetch)
{
    static const char *const names[] = {"qeidentity", "tdqeidentity", "qveidentity"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct proven *proven = identity_named(fetch, names[i]);
        buf_add_format(b, ", \"%s\": ", names[i]);
        json_style_add_text(b, proven != NULL ? buf_span(&proven->body) : span_of("", 0));
    }
}

static void
add_early_identities(struct buf *b, const struct fetch *fetch)
{
    static const char *const names[] = {"qeidentity_early", "tdqeidentity_early",
                                        "qveidentity_early"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct proven *proven = identity_named(fetch, names[i]);
        if (proven != NULL) {
            buf_add_format(b, ", \"%s\": ", names[i]);
            json_style_add_text(b, buf_span(&proven->body));
        }
    }
}

static void
add_chain(struct buf *b, const char *name, const char *pem)
{
    buf_add_format(b, "\"%s\": \"", name);
    url_add_encoded(b, span_of_text(pem));
    buf_add_byte(b, '"');
}

/* Both CAs' chains, whether a platform has met them or not: their CRLs need them (trust.md 8). */
static void
add_chains(struct buf *b, const struct fetch *fetch)
{
    static const enum pck_ca cas[] = {PCK_CA_PROCESSOR, PCK_CA_PLATFORM};
    const char *separator = "";
    const struct proven *identity = NULL;
    buf_add_text(b, ", \"certificates\": {\"SGX-PCK-Certificate-Issuer-Chain\": {");
    for (size_t i = 0; i < ARRAY_COUNT(cas); i++) {
        const struct proven *crl = fetch->side.pck_crls[cas[i]];
        if (crl != NULL) {
            buf_add_text(b, separator);
            add_chain(b, pck_ca_word(cas[i]), crl->chain_pem);
            separator = ", ";
        }
    }
    for (size_t i = 0; i < fetch->identity_count && identity == NULL; i++) {
        identity = fetch->identities[i].failed == 0 ? fetch->identities[i].proven : NULL;
    }
    buf_add_format(b, "}, \"%s\": \"%s\", ",
                   fetch->side.version == 3 ? "SGX-TCB-Info-Issuer-Chain" : "TCB-Info-Issuer-Chain",
                   fetch->tcb_chain != NULL ? fetch->tcb_chain : "");
    add_chain(b, "SGX-Enclave-Identity-Issuer-Chain", identity != NULL ? identity->chain_pem : "");
    buf_add_byte(b, '}');
}

static void
add_root_crl(struct buf *b, const struct fetch *fetch)
{
    buf_add_text(b, ", ");
    if (fetch->side.root_crl == NULL) {
        buf_add_text(b, "\"rootcacrl\": \"\"");
        return;
    }
    add_crl(b, "rootcacrl", fetch->side.root_crl);
    buf_add_text(b, ", \"rootcacrl_cdp\": ");
    json_style_add_text(b, span_of_text(fetch->side.root_crl_url));
}

static void
add_until(struct buf *b, const char *name, const struct proven *proven)
{
    char text[CLOCK_ISO8601_SIZE];
    if (proven != NULL && proven->fresh_until < INT64_MAX) {
        clock_format_iso8601(proven->fresh_until, text);
        buf_add_format(b, ", \"%s\": \"%s\"", name, text);
    }
}

/* Ours: others do not look at it. */
static void
add_about(struct buf *b, const struct fetch *fetch)
{
    char text[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(fetch->side.now, text);
    buf_add_format(b,
                   "}, \"pccsadmin\": {\"version\": \"%s\", \"made_at\": \"%s\", \"platforms\": "
                   "%zu, \"fresh_until\": {\"pck_certs\": \"no expiry\"",
                   PCCS_VERSION, text, fetch->pck_count);
    if (fetch->tcb_count > 0) {
        clock_format_iso8601(fetch->tcb_fresh_until, text);
        buf_add_format(b, ", \"tcbinfos\": \"%s\"", text);
    }
    add_until(b, "pckcacrl.processorCrl", fetch->side.pck_crls[PCK_CA_PROCESSOR]);
    add_until(b, "pckcacrl.platformCrl", fetch->side.pck_crls[PCK_CA_PLATFORM]);
    add_until(b, "rootcacrl", fetch->side.root_crl);
    for (size_t i = 0; i < fetch->identity_count; i++) {
        if (fetch->identities[i].failed == 0) {
            add_until(b, fetch->identities[i].name, fetch->identities[i].proven);
        }
    }
    buf_add_text(b, "}}}");
}

int
fetch_file_finish(struct fetch *fetch, struct fault *why)
{
    auto_cleanup(buf_done) struct buf rest = BUF_INIT(MEMBERS_BYTES_MAX);
    add_pck_crls(&rest, fetch);
    add_identities(&rest, fetch);
    add_chains(&rest, fetch);
    add_root_crl(&rest, fetch);
    add_early_identities(&rest, fetch);
    add_about(&rest, fetch);
    if (rest.failed != 0) {
        return fault_set(why, FAULT_MEMORY, "file", "memory ran out");
    }
    fprintf(fetch->file.stream, "], \"collaterals\": {\"version\": %u, \"pck_certs\": [",
            fetch->side.version);
    int failed = out_file_append(&fetch->file, &fetch->pck_part, why);
    out_file_write_text(&fetch->file, "], \"tcbinfos\": [");
    failed = failed != 0 ? failed : out_file_append(&fetch->file, &fetch->tcb_part, why);
    out_file_write_text(&fetch->file, "]");
    out_file_write(&fetch->file, buf_span(&rest));
    return failed != 0 ? failed : out_file_commit(&fetch->file, why);
}
