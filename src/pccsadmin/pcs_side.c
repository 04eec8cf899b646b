/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fetches from the PCS and verifies at once, with the revocation lists at hand (trust.md): nothing
 * unproven reaches a file. Takes the command line and queries; gives proven items or faults.
 * Opened and closed on the main thread; pcs_side_get is called by the threads of parallel_run,
 * which share the client (it may be), the lists (immutable) and two atomics.
 * Must never fall back to the built-in root where anchors are named, nor go on asking a PCS that
 * is not there: a thousand platforms would wait for a thousand time-outs.
 */
#include "pccsadmin/pcs_side.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pcs/pcs.h"

enum { UPSTREAM_TIMEOUT_S = 120, DOWNS_MAX = 16, API_URL_BYTES_MAX = LIMIT_URL_CHARS };

static const char DEFAULT_URI[] = "https://api.trustedservices.intel.com/sgx/certification/v4/";

/* ---- anchors ---- */

static int
anchors_read(const char *const *paths, size_t count, struct trust_anchors **ret_anchors,
             struct fault *why)
{
    struct buf texts[LIMIT_TRUST_ANCHORS] = {0};
    struct span pems[LIMIT_TRUST_ANCHORS] = {0};
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        texts[i] = BUF_INIT(LIMIT_PEM_FILE_BYTES);
        failed = failed != 0 ? failed : file_read(paths[i], &texts[i], why);
        pems[i] = buf_span(&texts[i]);
    }
    if (failed == 0) {
        struct fault cause;
        failed = trust_anchors_from_pem(pems, count, ret_anchors, &cause);
        failed = failed == 0 ? 0
                             : fault_set(why, FAULT_CONFIG, "config", "trust anchor %s: %s",
                                         paths[0], cause.text);
    }
    for (size_t i = 0; i < count; i++) {
        buf_done(&texts[i]);
    }
    return failed;
}

int
admin_anchors(const struct arguments *args, struct trust_anchors **ret_anchors, struct fault *why)
{
    const char *variable = getenv("PCCS_TRUST_ANCHORS");
    const char *paths[LIMIT_TRUST_ANCHORS];
    size_t count = 0;
    if (arguments_have(args, ADMIN_TRUST_ANCHOR)) {
        return anchors_read(args->repeated, args->repeated_count, ret_anchors, why);
    }
    auto_free char *copy = strdup(variable != NULL ? variable : "");
    char *rest = copy;
    for (char *path; rest != NULL && (path = strsep(&rest, ":")) != NULL;) {
        if (path[0] != '\0' && count == LIMIT_TRUST_ANCHORS) {
            return fault_set(why, FAULT_CONFIG, "config", "PCCS_TRUST_ANCHORS names more than %d",
                             LIMIT_TRUST_ANCHORS);
        }
        if (path[0] != '\0') {
            paths[count++] = path;
        }
    }
    return count > 0 ? anchors_read(paths, count, ret_anchors, why)
                     : trust_anchors_builtin(ret_anchors, why);
}

/* ---- the client ---- */

/* What people write for the base: with and without the slash, the host alone. */
static int
uri_normalise(const char *given, struct buf *uri, struct fault *why)
{
    size_t size = strlen(given);
    while (size > 0 && given[size - 1] == '/') {
        size--;
    }
    buf_add(uri, span_of(given, size));
    if (strstr(given, "/certification/") == NULL) {
        buf_add_text(uri, "/sgx/certification/v4");
    }
    if (buf_add_text(uri, "/") != 0) {
        return fault_set(why, FAULT_CONFIG, "config", "-u: the URL is too long");
    }
    return 0;
}

static unsigned
version_of(const char *uri)
{
    return strstr(uri, "/certification/v3/") != NULL ? 3 : 4;
}

static int
client_make(const struct arguments *args, struct pcs_side *side, long retries, struct fault *why)
{
    auto_cleanup(buf_done) struct buf uri = BUF_INIT(API_URL_BYTES_MAX);
    auto_cleanup(buf_done_secret) struct buf key = secret_buf();
    const char *ca = getenv("PCCS_UPSTREAM_CA_FILE");
    int failed = uri_normalise(arguments_text(args, ADMIN_URL, DEFAULT_URI), &uri, why);
    failed = failed != 0 ? failed : secret_get(SECRET_API_KEY, &key, why);
    if (failed != 0) {
        return failed;
    }
    struct pcs_options options = {
        .uri = buf_text(&uri),
        .api_key = buf_text(&key),
        .proxy = arguments_text(args, ADMIN_PROXY, ""),
        .ca_file = arguments_text(args, ADMIN_UPSTREAM_CA, ca != NULL ? ca : ""),
        .timeout_s = UPSTREAM_TIMEOUT_S,
        .retries = (unsigned)retries,
    };
    side->version = version_of(buf_text(&uri));
    return pcs_client_new(&options, &side->upstream, why);
}

int
pcs_side_open(const struct arguments *args, struct pcs_side *ret_side)
{
    static const long jobs_range[] = {1, 64, 8};
    static const long retries_range[] = {0, 20, 3};
    struct fault why;
    long jobs = 0;
    long retries = 0;
    *ret_side = (struct pcs_side){.now = clock_now(clock_system())};
    if (arguments_number(args, ADMIN_JOBS, jobs_range, &jobs, &why) != 0 ||
        arguments_number(args, ADMIN_RETRIES, retries_range, &retries, &why) != 0) {
        return say_usage(args, &why);
    }
    ret_side->jobs = (unsigned)jobs;
    if (admin_anchors(args, &ret_side->anchors, &why) != 0 ||
        client_make(args, ret_side, retries, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    if (!trust_anchors_are_builtin(ret_side->anchors)) {
        say_warning("Intel's root key is replaced: what is called verified here is not what Intel "
                    "signed");
    }
    return 0;
}

void
pcs_side_done(struct pcs_side *side)
{
    pcs_client_free(side->upstream);
    trust_anchors_free(side->anchors);
    proven_unref(side->root_crl);
    proven_unref(side->pck_crls[0]);
    proven_unref(side->pck_crls[1]);
    *side = (struct pcs_side){0};
}

/* ---- one item ---- */

static void
count_down(struct pcs_side *side, int failed)
{
    if (failed != FAULT_UPSTREAM_DOWN) {
        atomic_store(&side->downs, 0);
    } else if (atomic_fetch_add(&side->downs, 1) + 1 >= DOWNS_MAX) {
        atomic_store(&side->is_given_up, true);
    }
}

static struct x509_crl *
crl_of(const struct proven *proven)
{
    return proven != NULL ? proven->crl : NULL;
}

int
pcs_side_get(struct pcs_side *side, const struct upstream_query *query, struct raw_reply *ret_raw,
             struct proven **ret_proven, struct fault *why)
{
    struct raw_reply raw;
    int retry_after_s = 0;
    if (atomic_load(&side->is_given_up)) {
        return fault_set(why, FAULT_UPSTREAM_DOWN, "upstream",
                         "not asked: the PCS could not be reached %d times in a row", DOWNS_MAX);
    }
    int failed = side->upstream->fetch(side->upstream, query, &raw, &retry_after_s, why);
    count_down(side, failed);
    if (failed != 0) {
        return failed;
    }
    struct verify_context context = {
        .anchors = side->anchors,
        .now = side->now,
        .origin = VERIFY_UPSTREAM,
        .root_crl = crl_of(side->root_crl),
        .pck_crls = {crl_of(side->pck_crls[0]), crl_of(side->pck_crls[1])},
    };
    if (query->key->kind == ITEM_PCK) {
        failed = raw_reply_parse_pcks(&raw, why);
    }
    if (failed == 0) {
        failed = verify(&context, query->key, &raw, ret_proven, why);
    }
    bool is_wanted = ret_raw != NULL &&
                     (failed == 0 || (query->key->kind == ITEM_PCK && failed == FAULT_NOT_FOUND));
    if (is_wanted) {
        *ret_raw = raw;
    } else {
        raw_reply_done(&raw);
    }
    return failed;
}

/* The root certificate says where its list is. */
static void
root_crl_url_learn(struct pcs_side *side, const struct proven *crl)
{
    struct x509_chain *chain = NULL;
    if (side->root_crl_url[0] == '\0' && crl->root_pem != NULL &&
        x509_chain_parse(span_of_text(crl->root_pem), &chain, NULL) == 0) {
        char url[LIMIT_URL_CHARS + 1];
        if (x509_crl_url(x509_chain_get(chain, 0), url)) {
            memcpy(side->root_crl_url, url, sizeof url);
        }
    }
    x509_chain_free(chain);
}

/* The CAs' lists came before the root's: now it can be said whether a CA is revoked (trust.md, rule
 * 1). */
static bool
drop_revoked(struct pcs_side *side, enum pck_ca ca)
{
    struct x509_chain *chain = NULL;
    struct proven *crl = side->pck_crls[ca];
    bool is_revoked = crl != NULL && side->root_crl != NULL &&
                      x509_chain_parse(span_of_text(crl->signer_pem), &chain, NULL) == 0 &&
                      x509_crl_revokes(side->root_crl->crl, x509_chain_get(chain, 0));
    x509_chain_free(chain);
    if (is_revoked) {
        fault_set(&side->crl_why[ca], FAULT_REVOKED, "chain", "the %s CA is revoked by the root",
                  pck_ca_word(ca));
        proven_unref(crl);
        side->pck_crls[ca] = NULL;
    }
    return is_revoked;
}

bool
pcs_side_get_crls(struct pcs_side *side)
{
    static const enum pck_ca cas[] = {PCK_CA_PROCESSOR, PCK_CA_PLATFORM};
    bool has_all = true;
    for (size_t i = 0; i < ARRAY_COUNT(cas); i++) {
        struct item_key key = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = cas[i]};
        struct upstream_query query = {.key = &key};
        int failed =
            pcs_side_get(side, &query, NULL, &side->pck_crls[cas[i]], &side->crl_why[cas[i]]);
        if (failed == 0) {
            root_crl_url_learn(side, side->pck_crls[cas[i]]);
        }
        has_all = has_all && failed == 0;
    }
    if (side->root_crl_url[0] == '\0') {
        snprintf(side->root_crl_url, sizeof side->root_crl_url, "%s",
                 trust_anchors_crl_url(side->anchors, 0));
    }
    struct item_key key = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    struct upstream_query query = {.key = &key, .crl_url = side->root_crl_url};
    has_all = pcs_side_get(side, &query, NULL, &side->root_crl, &side->crl_why[2]) == 0 && has_all;
    bool is_revoked = drop_revoked(side, PCK_CA_PROCESSOR);
    return !drop_revoked(side, PCK_CA_PLATFORM) && !is_revoked && has_all;
}

/* ---- troubles ---- */

enum trouble
trouble_of(const struct fault *why, bool has_manifest)
{
    static const long curl_certificate = -60; /* CURLE_PEER_FAILED_VERIFICATION, negated */
    if (why->code == FAULT_NONE) {
        return TROUBLE_NONE;
    }
    if (why->code == FAULT_NOT_FOUND) {
        return has_manifest ? TROUBLE_UNKNOWN : TROUBLE_UNREGISTERED;
    }
    if (why->code == FAULT_UPSTREAM_REFUSED) {
        return why->number == 400 ? TROUBLE_BAD_REQUEST : TROUBLE_REFUSED;
    }
    if (why->code == FAULT_UPSTREAM_DOWN || why->code == FAULT_UPSTREAM_ODD) {
        return why->number == curl_certificate ? TROUBLE_TLS : TROUBLE_DOWN;
    }
    return why->code == FAULT_INPUT && strcmp(why->stage, "parse") == 0 ? TROUBLE_BAD_REQUEST
                                                                        : TROUBLE_FORGED;
}

void
trouble_explain(enum trouble trouble)
{
    static const char *const texts[TROUBLE_COUNT] = {
        [TROUBLE_UNREGISTERED] =
            "  404 for a platform without a manifest: the platform is not registered with Intel. A "
            "server with\n  more than one package must be registered once by its manifest, and the "
            "manifest can be read only\n  once after a factory reset of SGX. What to do: set SGX "
            "Factory Reset in the BIOS (menu names vary\n  by vendor; for instance Advanced > "
            "Socket Configuration > Processor Configuration > SGX Factory\n  Reset), boot, run "
            "PCKIDRetrievalTool once and keep what it wrote, then fetch again.\n",
        [TROUBLE_UNKNOWN] =
            "  404 for a platform with a manifest: Intel does not take this manifest, or has no "
            "certificates\n  for the platform. If the platform was reset since, its old manifest "
            "is void: read the new one\n  with PCKIDRetrievalTool. Development parts are not "
            "served.\n",
        [TROUBLE_REFUSED] =
            "  The PCS refused: the API key is not valid for this address. Set PCS_API_KEY to a "
            "key of the\n  subscription, or unset it: Intel asks none for these requests.\n",
        [TROUBLE_BAD_REQUEST] =
            "  A request was refused as malformed: the platform's values are damaged, or not of "
            "this machine.\n  Compare them with the CSV file of PCKIDRetrievalTool.\n",
        [TROUBLE_TLS] =
            "  The TLS certificate of the PCS is not trusted here. If a proxy inspects TLS, name "
            "its CA with\n  --upstream-ca FILE or PCCS_UPSTREAM_CA_FILE (PEM).\n",
        [TROUBLE_DOWN] =
            "  The PCS could not be reached, or failed: check network, name service and proxy "
            "(https_proxy,\n  --proxy), and Intel's status; then fetch again. -i with the list of "
            "failed platforms asks only\n  for those.\n",
        [TROUBLE_FORGED] =
            "  SECURITY: an answer is not what Intel signed, or is meant for something else. "
            "Nothing of it was\n  written. Find out what lies between here and Intel.\n",
    };
    if (texts[trouble] != NULL) {
        fputs(texts[trouble], stderr);
    }
}
