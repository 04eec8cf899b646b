/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the answer to what was asked: headers, content types, bodies as Intel's.
 *
 * Takes a struct sim_ask and the effect of a fault, gives 200 with the item, or 404, 410. Called on
 * the server's loop. Must never be blocked: every item is made on the spot and forgotten; issued at
 * midnight with signatures that are the same every time, so that asking twice gives the same bytes.
 * Follows pcs.md; clients.md 5.6 (what Intel's own tools need from a PCS).
 */
#include <stdio.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/url.h"
#include "pcssim/sim.h"

static int
header_text(struct sim_answer *answer, const char *name, const char *value)
{
    return sim_answer_header(answer, name, span_of_text(value));
}

static struct sim_issue
issue_of(const struct sim *sim, uint32_t number, const struct sim_effect *effect)
{
    return (struct sim_issue){.at = sim_issued_at(sim), .number = number, .twist = effect->twist};
}

static bool
is_mismatch(const struct sim_effect *effect)
{
    return effect->active && effect->fault.kind == SIM_FAULT_MISMATCH;
}

/* 404 or 410 for a number that is not served, true if it is. Numbers run from one below standard.
 */
static bool
number_check(const struct sim *sim, const struct sim_ask *ask, struct sim_answer *answer)
{
    if (ask->update != UPDATE_NUMBERED) {
        return true;
    }
    if (ask->number + 1 < sim->standard) {
        sim_answer_refuse(answer, 410, NULL, NULL);
        return false;
    }
    if (ask->number > sim->early) {
        sim_answer_refuse(answer, 404, NULL, NULL);
        return false;
    }
    return true;
}

static int
tcb_render(const struct sim *sim, const struct sim_ask *ask, const struct sim_effect *effect,
           struct sim_answer *answer)
{
    const struct sim_family *family = ask->family;
    enum product product = ask->endpoint == SIM_TCB_TDX ? PRODUCT_TDX : PRODUCT_SGX;
    if (family == NULL || (product == PRODUCT_TDX && !family->tdx) ||
        (!family->early && (ask->update == UPDATE_EARLY || ask->number > sim->standard))) {
        sim_answer_refuse(answer, 404, NULL, NULL);
        return 0;
    }
    if (!number_check(sim, ask, answer)) {
        return 0;
    }
    if (is_mismatch(effect)) {
        size_t index = (size_t)(family - sim->fleet->families);
        family = &sim->fleet->families[(index + 1) % sim->fleet->family_count];
    }
    struct sim_issue issue = issue_of(sim, ask->number, effect);
    header_text(answer, "Content-Type", "application/json");
    sim_answer_header(answer,
                      ask->api_version == 3 ? "SGX-TCB-Info-Issuer-Chain" : "TCB-Info-Issuer-Chain",
                      sim_pki_tcb_chain(sim->pki));
    return sim_tcbinfo_add(&answer->body, sim->pki, family, &issue, product, ask->api_version);
}

static enum enclave
enclave_of(enum sim_endpoint endpoint)
{
    return endpoint == SIM_QVE    ? ENCLAVE_QVE
           : endpoint == SIM_QAE  ? ENCLAVE_QAE
           : endpoint == SIM_TDQE ? ENCLAVE_TDQE
                                  : ENCLAVE_QE;
}

static int
identity_render(const struct sim *sim, const struct sim_ask *ask, const struct sim_effect *effect,
                struct sim_answer *answer)
{
    if (!number_check(sim, ask, answer)) {
        return 0;
    }
    enum enclave enclave = enclave_of(ask->endpoint);
    if (is_mismatch(effect)) {
        enclave = enclave == ENCLAVE_QE ? ENCLAVE_QVE : ENCLAVE_QE;
    }
    struct sim_issue issue = issue_of(sim, ask->number, effect);
    header_text(answer, "Content-Type", "application/json");
    sim_answer_header(answer, "SGX-Enclave-Identity-Issuer-Chain", sim_pki_tcb_chain(sim->pki));
    return sim_identity_add(&answer->body, sim->pki, enclave, &issue);
}

static int
evalnumbers_render(const struct sim *sim, const struct sim_ask *ask,
                   const struct sim_effect *effect, struct sim_answer *answer)
{
    bool tdx = (ask->endpoint == SIM_EVALNUMBERS_TDX) != is_mismatch(effect);
    struct sim_issue issue = issue_of(sim, sim->standard - 1, effect);
    header_text(answer, "Content-Type", "application/json");
    sim_answer_header(answer, "TCB-Evaluation-Data-Numbers-Issuer-Chain",
                      sim_pki_tcb_chain(sim->pki));
    return sim_evalnumbers_add(&answer->body, sim->pki, tdx ? PRODUCT_TDX : PRODUCT_SGX, &issue,
                               sim->early);
}

static int
crl_render(const struct sim *sim, const struct sim_ask *ask, const struct sim_effect *effect,
           struct sim_answer *answer)
{
    const int64_t issued_valid[2] = {sim_issued_at(sim), SIM_VALID_S};
    enum sim_crl which = SIM_CRL_ROOT;
    if (ask->endpoint == SIM_PCKCRL) {
        sim_answer_header(answer, "SGX-PCK-CRL-Issuer-Chain", sim_pki_pck_chain(sim->pki, ask->ca));
        bool platform = (ask->ca == PCK_CA_PLATFORM) != is_mismatch(effect);
        which = platform ? SIM_CRL_PLATFORM : SIM_CRL_PROCESSOR;
    } else if (is_mismatch(effect)) {
        which = SIM_CRL_PLATFORM;
    }
    if (ask->endpoint == SIM_ROOT_CRL || ask->der) {
        header_text(answer, "Content-Type", "application/pkix-crl");
        return sim_pki_add_crl(&answer->body, sim->pki, which, issued_valid, &effect->twist);
    }
    auto_cleanup(buf_done) struct buf der = BUF_INIT(LIMIT_CRL_BYTES);
    int code = sim_pki_add_crl(&der, sim->pki, which, issued_valid, &effect->twist);
    header_text(answer, "Content-Type", "application/x-pem-file");
    return code != 0 ? code : sim_pem_add(&answer->body, "X509 CRL", buf_span(&der));
}

static int
fmspcs_render(const struct sim *sim, const struct sim_ask *ask, struct sim_answer *answer)
{
    const char *separator = "";
    header_text(answer, "Content-Type", "application/json");
    buf_add_text(&answer->body, "[");
    for (size_t i = 0; i < sim->fleet->family_count; i++) {
        const struct sim_family *family = &sim->fleet->families[i];
        if (strcmp(ask->word, "all") == 0 || strcmp(ask->word, family->platform) == 0) {
            buf_add_format(&answer->body, "%s{\"fmspc\":\"%s\",\"platform\":\"%s\"}", separator,
                           family->fmspc.hex, family->platform);
            separator = ",";
        }
    }
    return buf_add_text(&answer->body, "]");
}

static int
pck_pem_add(struct buf *b, const struct sim *sim, const struct sim_platform *platform,
            const struct sim_pck *pck, const struct sim_effect *effect)
{
    const struct sim_family *family = &sim->fleet->families[platform->family];
    struct sim_sgx_values values = {
        .pcesvn = pck->tcb.pcesvn,
        .platform_ca = family->ca == PCK_CA_PLATFORM,
        .dynamic_platform = platform->manifest_bytes > 0,
        .cached_keys = platform->direct,
        .smt_enabled = true,
    };
    char label[160], tcbm[37];
    memcpy(values.ppid, platform->ppid, 16);
    memcpy(values.cpusvn, pck->tcb.components, 16);
    memcpy(values.components, pck->tcb.components, 16);
    must(hex_decode(span_of_text(family->fmspc.hex), values.fmspc, 6));
    sim_derive(sim->fleet->seed, platform->name, "instance", values.instance_id, 16);
    sim_tcb_hex(&pck->tcb, tcbm);
    snprintf(label, sizeof(label), "pck/%s/%s", platform->name, tcbm);
    return sim_pki_add_pck(b, sim->pki, &values, label, &effect->twist);
}

static int
pckcerts_entry_add(struct buf *b, const struct sim *sim, const struct sim_platform *platform,
                   const struct sim_pck *pck, const struct sim_effect *effect)
{
    char tcbm[37];
    buf_add_text(b, "{\"tcb\":{");
    for (size_t i = 0; i < 16; i++) {
        buf_add_format(b, "\"sgxtcbcomp%02zusvn\":%u,", i + 1, pck->tcb.components[i]);
    }
    sim_tcb_hex(&pck->tcb, tcbm);
    buf_add_format(b, "\"pcesvn\":%u},\"tcbm\":\"%s\",\"cert\":\"", pck->tcb.pcesvn, tcbm);
    if (!pck->available) {
        return buf_add_text(b, "Not available\"}");
    }
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CERT_PEM_BYTES);
    int code = pck_pem_add(&pem, sim, platform, pck, effect);
    if (code != 0) {
        return code;
    }
    url_add_encoded(b, buf_span(&pem));
    return buf_add_text(b, "\"}");
}

static void
pck_headers_add(const struct sim *sim, const struct sim_platform *platform,
                struct sim_answer *answer)
{
    const struct sim_family *family = &sim->fleet->families[platform->family];
    sim_answer_header(answer, "SGX-PCK-Certificate-Issuer-Chain",
                      sim_pki_pck_chain(sim->pki, family->ca));
    header_text(answer, "SGX-FMSPC", family->fmspc.hex);
    header_text(answer, "SGX-PCK-Certificate-CA-Type",
                family->ca == PCK_CA_PLATFORM ? "platform" : "processor");
}

/* pckcerts/config: only certificates of the configuration that the raw CPUSVN shows in component 7,
 * which are those whose own stays within it. */
static size_t
pcks_of_configuration(struct sim_pck *pcks, size_t count, uint8_t configuration)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (pcks[i].tcb.components[6] <= configuration) {
            pcks[kept++] = pcks[i];
        }
    }
    return kept;
}

static int
pckcerts_render(const struct sim *sim, const struct sim_ask *ask,
                const struct sim_platform *platform, const struct sim_effect *effect,
                struct sim_answer *answer)
{
    struct sim_pck pcks[SIM_LEVELS_MAX];
    size_t count = sim_platform_pcks(sim->fleet, platform, sim->early, pcks);
    if (ask->endpoint == SIM_PCKCERTS_CONFIG) {
        count = pcks_of_configuration(pcks, count, ask->raw.components[6]);
    }
    if (count == 0) {
        sim_answer_refuse(answer, 404, NULL, NULL);
        return 0;
    }
    header_text(answer, "Content-Type", "application/json");
    pck_headers_add(sim, platform, answer);
    int code = buf_add_text(&answer->body, "[");
    for (size_t i = 0; i < count && code == 0; i++) {
        buf_add_text(&answer->body, i == 0 ? "" : ",");
        code = pckcerts_entry_add(&answer->body, sim, platform, &pcks[i], effect);
    }
    return code != 0 ? code : buf_add_text(&answer->body, "]");
}

static int
pckcert_render(const struct sim *sim, const struct sim_ask *ask,
               const struct sim_platform *platform, const struct sim_effect *effect,
               struct sim_answer *answer)
{
    const struct sim_family *family = &sim->fleet->families[platform->family];
    uint32_t number = family->early ? sim->early : sim->standard;
    struct sim_level levels[SIM_LEVELS_MAX];
    struct sim_pck pcks[SIM_LEVELS_MAX];
    size_t level_count = sim_family_levels(family, number, levels);
    size_t count = sim_platform_pcks(sim->fleet, platform, number, pcks);
    int chosen = sim_select(levels, level_count, pcks, count, &ask->raw);
    char tcbm[37];
    if (chosen < 0) {
        sim_answer_refuse(answer, 404, NULL, NULL);
        return 0;
    }
    sim_tcb_hex(&pcks[chosen].tcb, tcbm);
    header_text(answer, "Content-Type", "application/x-pem-file");
    header_text(answer, "SGX-TCBm", tcbm);
    pck_headers_add(sim, platform, answer);
    return pck_pem_add(&answer->body, sim, platform, &pcks[chosen], effect);
}

/* A platform of several packages is known to Intel only by its manifest: sent along each time, or
 * registered directly before (pcs.md). */
static int
pck_render(struct sim *sim, const struct sim_ask *ask, const struct sim_effect *effect,
           struct sim_answer *answer)
{
    struct sim_platform platform;
    if (!ask->platform_known) {
        sim_answer_refuse(answer, 404, NULL, NULL);
        return 0;
    }
    sim_fleet_platform(sim->fleet, ask->platform, &platform);
    if (platform.manifest_bytes > 0 && !ask->by_manifest && !platform.direct) {
        sim_answer_refuse(answer, 404, NULL, NULL);
        return 0;
    }
    if (ask->by_manifest && !platform.direct) {
        sim->fleet->platforms[ask->platform].indirect = true; /* only written ones have manifests */
    }
    if (is_mismatch(effect)) {
        size_t family = platform.family;
        for (size_t i = 0; i < sim_fleet_size(sim->fleet) && platform.family == family; i++) {
            sim_fleet_platform(sim->fleet, i, &platform);
        }
    }
    return ask->endpoint == SIM_PCKCERT ? pckcert_render(sim, ask, &platform, effect, answer)
                                        : pckcerts_render(sim, ask, &platform, effect, answer);
}

static int
registration_render(struct sim *sim, const struct sim_ask *ask, struct sim_answer *answer)
{
    if (ask->endpoint == SIM_REGISTER_PACKAGE) {
        sim_answer_refuse(answer, 400, "PlatformNotFound", "No such platform is registered");
        return 0;
    }
    if (!ask->platform_known) {
        sim_answer_refuse(answer, 400, "InvalidPlatformManifest", "The manifest is not known");
        return 0;
    }
    struct sim_platform *platform = &sim->fleet->platforms[ask->platform];
    if (platform->indirect) {
        sim_answer_refuse(answer, 400, "CachedKeysPolicyViolation",
                          "The platform was registered indirectly before");
        return 0;
    }
    platform->direct = true;
    answer->status = 201;
    header_text(answer, "Content-Type", "text/plain");
    return hex_add_lower(&answer->body, span_of(platform->ppid, sizeof(platform->ppid)));
}

int
sim_render(struct sim *sim, const struct sim_ask *ask, const struct sim_effect *effect,
           struct sim_answer *answer)
{
    switch (ask->endpoint) {
    case SIM_PCKCERT:
    case SIM_PCKCERTS:
    case SIM_PCKCERTS_CONFIG:
        return pck_render(sim, ask, effect, answer);
    case SIM_PCKCRL:
    case SIM_ROOT_CRL:
        return crl_render(sim, ask, effect, answer);
    case SIM_TCB_SGX:
    case SIM_TCB_TDX:
        return tcb_render(sim, ask, effect, answer);
    case SIM_QE:
    case SIM_QVE:
    case SIM_QAE:
    case SIM_TDQE:
        return identity_render(sim, ask, effect, answer);
    case SIM_EVALNUMBERS_SGX:
    case SIM_EVALNUMBERS_TDX:
        return evalnumbers_render(sim, ask, effect, answer);
    case SIM_FMSPCS:
        return fmspcs_render(sim, ask, answer);
    case SIM_REGISTER_PLATFORM:
    case SIM_REGISTER_PACKAGE:
        return registration_render(sim, ask, answer);
    case SIM_ENDPOINT_COUNT:
        break;
    }
    return FAULT_INTERNAL;
}
