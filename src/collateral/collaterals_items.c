/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The signed items of a platform collaterals file: TCB infos, identities, CRLs, and the issuer
 * chains that belong to them.
 *
 * Takes the text of "collaterals" after json_check; gives raw items with the key of their place.
 * TCB infos stand as JSON objects, possibly with blanks, and identities as JSON strings; both are
 * kept in the compact form that Intel signed, CRLs as DER, chains as they are. Called by
 * collaterals_file.c; pure. Must never change signed bytes otherwise, and never judge them.
 *
 * clients.md 5.2; wire_details.md 1; trust.md, The shapes.
 */
#include "collateral/collaterals_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"

enum { CHAIN_TEXT_BYTES = 3 * LIMIT_CHAIN_PEM_BYTES /* every byte may be a percent escape */ };

static const struct tcbinfo_part {
    const char *name;
    unsigned version;
    enum product product;
    enum update_type update;
} tcbinfo_parts[] = {
    {"tcbinfo", 3, PRODUCT_SGX, UPDATE_STANDARD},
    {"tcbinfo_early", 3, PRODUCT_SGX, UPDATE_EARLY},
    {"sgx_tcbinfo", 4, PRODUCT_SGX, UPDATE_STANDARD},
    {"sgx_tcbinfo_early", 4, PRODUCT_SGX, UPDATE_EARLY},
    {"tdx_tcbinfo", 4, PRODUCT_TDX, UPDATE_STANDARD},
    {"tdx_tcbinfo_early", 4, PRODUCT_TDX, UPDATE_EARLY},
};

static const struct identity_part {
    const char *name;
    enum enclave enclave;
    enum update_type update;
} identity_parts[] = {
    {"qeidentity", ENCLAVE_QE, UPDATE_STANDARD},
    {"qeidentity_early", ENCLAVE_QE, UPDATE_EARLY},
    {"qveidentity", ENCLAVE_QVE, UPDATE_STANDARD},
    {"qveidentity_early", ENCLAVE_QVE, UPDATE_EARLY},
    {"tdqeidentity", ENCLAVE_TDQE, UPDATE_STANDARD},
    {"tdqeidentity_early", ENCLAVE_TDQE, UPDATE_EARLY},
};

struct chains {
    char *tcbinfo;
    char *identity;
};

/* An issuer chain as it stands; NULL where it is absent or empty. */
static int
chain_get(const struct member *member, const char *place, char **ret_chain, struct fault *why)
{
    auto_free char *chain = NULL;
    int rc = member_get_text(member, place, CHAIN_TEXT_BYTES, &chain, why);
    if (rc != 0) {
        return rc;
    }
    if (!percent_escapes_are_whole(chain)) {
        return fault_set(why, FAULT_INPUT, "parse", "%s.%s: a broken percent escape", place,
                         member->name);
    }
    *ret_chain = chain[0] != '\0' ? take(&chain) : NULL;
    return 0;
}

static int
certificates_parse(struct span object, struct collaterals_file *file, struct chains *chains,
                   struct fault *why)
{
    static const char place[] = "collaterals.certificates";
    static const char pck_place[] = "certificates.SGX-PCK-Certificate-Issuer-Chain";
    struct member members[] = {
        {.name = "SGX-PCK-Certificate-Issuer-Chain"},
        {.name = file->version == 3 ? "SGX-TCB-Info-Issuer-Chain" : "TCB-Info-Issuer-Chain"},
        {.name = "SGX-Enclave-Identity-Issuer-Chain"},
    };
    struct member cas[] = {{.name = "PROCESSOR"}, {.name = "PLATFORM"}};
    int rc = members_find(object, place, members, ARRAY_COUNT(members), why);
    members[1].found = members[1].found && !span_is(members[1].value, "null");
    rc = rc != 0 ? rc : member_require(&members[0], place, why);
    rc = rc != 0 ? rc : members_find(members[0].value, pck_place, cas, ARRAY_COUNT(cas), why);
    rc = rc != 0 ? rc : chain_get(&cas[0], pck_place, &file->pck_chains[PCK_CA_PROCESSOR], why);
    rc = rc != 0 ? rc : chain_get(&cas[1], pck_place, &file->pck_chains[PCK_CA_PLATFORM], why);
    rc = rc != 0 ? rc : chain_get(&members[1], place, &chains->tcbinfo, why);
    rc = rc != 0 ? rc : chain_get(&members[2], place, &chains->identity, why);
    return rc;
}

/* A new item of key with a copy of chain (may be NULL). *ret_item is good until the next one. */
static int
item_add(struct collaterals_file *file, const struct item_key *key, const char *chain,
         struct collaterals_item **ret_item, struct fault *why)
{
    struct collaterals_item *items =
        array_room(file->items, file->item_count, sizeof file->items[0]);
    if (items == NULL) {
        return collaterals_out_of_memory(why);
    }
    file->items = items;
    struct collaterals_item *item = &items[file->item_count++];
    item->key = *key;
    raw_reply_init(&item->raw);
    if (chain != NULL) {
        item->raw.issuer_chain = span_dup_text(span_of_text(chain));
        if (item->raw.issuer_chain == NULL) {
            return collaterals_out_of_memory(why);
        }
    }
    *ret_item = item;
    return 0;
}

void
collaterals_item_done(struct collaterals_item *item)
{
    raw_reply_done(&item->raw);
}

/* White space outside strings dropped and nothing else changed: the signature is over that. */
static int
item_add_json(struct collaterals_file *file, const struct item_key *key, const char *chain,
              struct span text, struct fault *why)
{
    struct collaterals_item *item = NULL;
    int rc = item_add(file, key, chain, &item, why);
    if (rc != 0) {
        return rc;
    }
    rc = json_add_compact(&item->raw.body, text);
    if (rc == FAULT_TOO_LARGE) {
        char key_text[ITEM_KEY_TEXT_SIZE];
        item_key_text(key, key_text);
        return fault_set(why, FAULT_INPUT, "parse", "%s: longer than %zu bytes", key_text,
                         item->raw.body.size_max);
    }
    return rc != 0 ? collaterals_out_of_memory(why) : 0;
}

/* Intel's service looks at the _early members only where they hold something: null and an empty
 * text are as good as absent. */
static bool
is_left_out(const struct member *member, enum update_type update)
{
    return !member->found || (update == UPDATE_EARLY &&
                              (span_is(member->value, "null") || span_is(member->value, "\"\"")));
}

static int
tcbinfo_entry_parse(struct span object, const char *place, struct collaterals_file *file,
                    const char *chain, struct fault *why)
{
    enum { FMSPC = ARRAY_COUNT(tcbinfo_parts), COUNT };
    struct member members[COUNT] = {[FMSPC] = {.name = "fmspc"}};
    for (size_t i = 0; i < FMSPC; i++) {
        members[i].name = tcbinfo_parts[i].name;
    }
    auto_free char *fmspc = NULL;
    int rc = members_find(object, place, members, COUNT, why);
    rc = rc != 0 ? rc : member_require(&members[FMSPC], place, why);
    rc = rc != 0 ? rc : member_get_text(&members[FMSPC], place, 64, &fmspc, why);
    if (rc != 0) {
        return rc;
    }
    struct item_key key = {.kind = ITEM_TCBINFO, .api_version = file->version};
    if (!fmspc_parse(span_of_text(fmspc), &key.fmspc)) {
        return fault_set(why, FAULT_INPUT, "parse", "%s.fmspc: expected 12 hex digits", place);
    }
    for (size_t i = 0; rc == 0 && i < FMSPC; i++) {
        if (is_left_out(&members[i], tcbinfo_parts[i].update) ||
            tcbinfo_parts[i].version != file->version) {
            continue;
        }
        if (members[i].value.data[0] != '{') {
            return fault_set(why, FAULT_INPUT, "parse", "%s.%s: expected an object", place,
                             members[i].name);
        }
        key.product = tcbinfo_parts[i].product;
        key.update = tcbinfo_parts[i].update;
        rc = item_add_json(file, &key, chain, members[i].value, why);
    }
    return rc;
}

static int
tcbinfos_parse(struct span array, struct collaterals_file *file, const char *chain,
               struct fault *why)
{
    struct json_walk walk;
    int rc = array_open(array, "collaterals.tcbinfos", &walk, why);
    size_t index = 0;
    struct span name, value;
    while (rc == 0 && json_walk_next(&walk, &name, &value) == 0) {
        char place[PLACE_SIZE];
        snprintf(place, sizeof place, "collaterals.tcbinfos[%zu]", index++);
        rc = tcbinfo_entry_parse(value, place, file, chain, why);
    }
    return rc;
}

/* An identity is a JSON string that holds JSON; empty: the file has none. */
static int
identity_parse(const struct member *member, const struct item_key *key,
               struct collaterals_file *file, const char *chain, struct fault *why)
{
    char place[PLACE_SIZE];
    snprintf(place, sizeof place, "collaterals.%s", member->name);
    auto_cleanup(buf_done) struct buf text = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES);
    int rc = string_get(member->value, place, &text, why);
    if (rc != 0 || text.size == 0) {
        return rc;
    }
    struct fault inner = {0};
    rc = json_check(buf_span(&text), &inner);
    if (rc != 0) {
        return fault_set(why, rc, "parse", "%s: %s", place, inner.text);
    }
    return item_add_json(file, key, chain, buf_span(&text), why);
}

static int
identities_parse(struct span collaterals, struct collaterals_file *file, const char *chain,
                 struct fault *why)
{
    struct member members[ARRAY_COUNT(identity_parts)] = {0};
    for (size_t i = 0; i < ARRAY_COUNT(identity_parts); i++) {
        members[i].name = identity_parts[i].name;
    }
    int rc = members_find(collaterals, "collaterals", members, ARRAY_COUNT(members), why);
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(identity_parts); i++) {
        const struct identity_part *part = &identity_parts[i];
        /* API version 3 knows no TDX */
        bool has_place = file->version == 4 || part->enclave != ENCLAVE_TDQE;
        if (!is_left_out(&members[i], part->update) && has_place) {
            struct item_key key = {.kind = ITEM_IDENTITY,
                                   .api_version = file->version,
                                   .enclave = part->enclave,
                                   .update = part->update};
            rc = identity_parse(&members[i], &key, file, chain, why);
        }
    }
    return rc;
}

/* A CRL is hex of DER; absent or empty: the file has none. */
static int
crl_parse(const struct member *member, const struct item_key *key, const char *chain,
          struct collaterals_file *file, struct fault *why)
{
    auto_free char *hex = NULL;
    int rc = member_get_text(member, "collaterals", 2 * LIMIT_CRL_BYTES, &hex, why);
    if (rc != 0 || hex[0] == '\0') {
        return rc;
    }
    struct collaterals_item *item = NULL;
    rc = item_add(file, key, chain, &item, why);
    if (rc != 0) {
        return rc;
    }
    rc = hex_add_decoded(&item->raw.body, span_of_text(hex));
    if (rc == FAULT_MEMORY) {
        return collaterals_out_of_memory(why);
    }
    if (rc != 0) {
        return fault_set(why, FAULT_INPUT, "parse", "collaterals.%s: expected hex digits",
                         member->name);
    }
    return 0;
}

static int
crls_parse(const struct member *pck, const struct member *root, struct collaterals_file *file,
           struct fault *why)
{
    struct member cas[] = {
        [PCK_CA_PROCESSOR] = {.name = "processorCrl"}, [PCK_CA_PLATFORM] = {.name = "platformCrl"}};
    int rc = 0;
    if (pck->found) {
        rc = members_find(pck->value, "collaterals.pckcacrl", cas, ARRAY_COUNT(cas), why);
    }
    for (int ca = PCK_CA_PROCESSOR; rc == 0 && ca <= PCK_CA_PLATFORM; ca++) {
        struct item_key key = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = (enum pck_ca)ca};
        rc = crl_parse(&cas[ca], &key, file->pck_chains[ca], file, why);
    }
    struct item_key key = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    return rc != 0 ? rc : crl_parse(root, &key, NULL, file, why);
}

int
collaterals_items_parse(struct span collaterals, struct collaterals_file *file, struct fault *why)
{
    static const char place[] = "collaterals";
    struct member members[] = {{.name = "certificates"},
                               {.name = "tcbinfos"},
                               {.name = "pckcacrl"},
                               {.name = "rootcacrl"}};
    struct chains chains = {0};
    int rc = members_find(collaterals, place, members, ARRAY_COUNT(members), why);
    rc = rc != 0 ? rc : member_require(&members[0], place, why);
    rc = rc != 0 ? rc : member_require(&members[1], place, why);
    rc = rc != 0 ? rc : certificates_parse(members[0].value, file, &chains, why);
    rc = rc != 0 ? rc : tcbinfos_parse(members[1].value, file, chains.tcbinfo, why);
    rc = rc != 0 ? rc : identities_parse(collaterals, file, chains.identity, why);
    rc = rc != 0 ? rc : crls_parse(&members[2], &members[3], file, why);
    free(chains.tcbinfo);
    free(chains.identity);
    return rc;
}
