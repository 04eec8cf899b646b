/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does the target of a copy have what the source has, something newer, or something else?
 * Takes a thing as each store gave it, raw or proven; gives a verdict. Pure; called by
 * store_copy_*.c.
 * Must never let an older thing take a newer one's place (trust.md, rule 6): items say when they
 * were issued; of PCK certificates the set with the later end, or with more of the same, is newer.
 */
#include "pccsadmin/store_copy.h"

static bool
text_is(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* ---- raw ---- */

static bool
pck_is(const struct raw_pck *a, const struct raw_pck *b)
{
    return a->available == b->available && strcmp(a->tcbm, b->tcbm) == 0 &&
           text_is(a->cert, b->cert);
}

/* Mostly it stands in the same place. */
static bool
pck_is_among(const struct raw_pck *pck, size_t place, const struct raw_reply *raw)
{
    if (place < raw->pck_count && pck_is(pck, &raw->pcks[place])) {
        return true;
    }
    size_t i = 0;
    while (i < raw->pck_count && !pck_is(pck, &raw->pcks[i])) {
        i++;
    }
    return i < raw->pck_count;
}

bool
copy_raw_is_equal(const struct raw_reply *a, const struct raw_reply *b)
{
    if (!span_equal(buf_span(&a->body), buf_span(&b->body)) ||
        !text_is(a->issuer_chain, b->issuer_chain) || a->pck_count != b->pck_count) {
        return false;
    }
    size_t i = 0;
    while (i < a->pck_count && pck_is_among(&a->pcks[i], i, b)) {
        i++;
    }
    return i == a->pck_count;
}

static bool
mapping_is(const struct store_mapping *a, const struct store_mapping *b)
{
    return strcmp(a->raw.cpusvn, b->raw.cpusvn) == 0 && strcmp(a->raw.pcesvn, b->raw.pcesvn) == 0 &&
           strcmp(a->tcbm, b->tcbm) == 0;
}

static bool
mappings_are_among(const struct store_platform *few, const struct store_platform *many)
{
    for (size_t i = 0; i < few->mapping_count; i++) {
        size_t at = 0;
        while (at < many->mapping_count && !mapping_is(&few->mappings[i], &many->mappings[at])) {
            at++;
        }
        if (at == many->mapping_count) {
            return false;
        }
    }
    return true;
}

static bool
identity_is(const struct store_platform *a, const struct store_platform *b)
{
    return text_is(a->manifest, b->manifest) && text_is(a->enc_ppid, b->enc_ppid) &&
           a->not_available_at == b->not_available_at;
}

bool
copy_platform_is_equal(const struct store_platform *a, const struct store_platform *b)
{
    return identity_is(a, b) && strcmp(a->fmspc, b->fmspc) == 0 && strcmp(a->ca, b->ca) == 0 &&
           a->mapping_count == b->mapping_count && mappings_are_among(a, b) &&
           copy_raw_is_equal(&a->certs, &b->certs);
}

bool
copy_queue_row_is_equal(const struct queue_row *a, const struct queue_row *b)
{
    return a->state == b->state && text_is(a->manifest, b->manifest) &&
           text_is(a->enc_ppid, b->enc_ppid);
}

/* ---- proven ---- */

enum copy_verdict
copy_item_judge(const struct proven *from, const struct proven *to)
{
    if (span_equal(buf_span(&from->body), buf_span(&to->body)) &&
        text_is(from->chain_pem, to->chain_pem)) {
        return COPY_SAME;
    }
    return proven_is_older(from, to) ? COPY_NEWER : COPY_DIFFERS;
}

static bool
certs_are_among(const struct proven *few, const struct proven *many)
{
    for (size_t i = 0; i < few->pck_count; i++) {
        const struct proven_pck *pck = &few->pcks[i];
        size_t at = 0;
        while (at < many->pck_count && (strcmp(pck->tcbm, many->pcks[at].tcbm) != 0 ||
                                        strcmp(pck->pem, many->pcks[at].pem) != 0)) {
            at++;
        }
        if (at == many->pck_count) {
            return false;
        }
    }
    return true;
}

static int64_t
latest_end(const struct proven *certs)
{
    int64_t latest = 0;
    for (size_t i = 0; i < certs->pck_count; i++) {
        latest = certs->pcks[i].not_after > latest ? certs->pcks[i].not_after : latest;
    }
    return latest;
}

enum copy_verdict
copy_platform_judge(const struct copy_platform *from, const struct copy_platform *to)
{
    const struct proven *ours = from->certs;
    const struct proven *theirs = to->certs;
    if (latest_end(theirs) != latest_end(ours)) {
        return latest_end(theirs) > latest_end(ours) ? COPY_NEWER : COPY_DIFFERS;
    }
    if (!certs_are_among(ours, theirs)) {
        return COPY_DIFFERS;
    }
    if (theirs->pck_count > ours->pck_count) {
        return COPY_NEWER;
    }
    if (!text_is(ours->chain_pem, theirs->chain_pem) || !identity_is(&from->row, &to->row) ||
        !mappings_are_among(&from->row, &to->row)) {
        return COPY_DIFFERS;
    }
    return to->row.mapping_count > from->row.mapping_count ? COPY_NEWER : COPY_SAME;
}

static bool
put_is_among(const struct proven_pck *pck, const struct raw_reply *raw)
{
    size_t i = 0;
    while (i < raw->pck_count &&
           (strcmp(pck->tcbm, raw->pcks[i].tcbm) != 0 || !text_is(pck->pem, raw->pcks[i].cert))) {
        i++;
    }
    return i < raw->pck_count;
}

bool
copy_platform_is_put(const struct copy_platform *put, const struct store_platform *there)
{
    const struct proven *certs = put->certs;
    size_t i = 0;
    while (i < certs->pck_count && put_is_among(&certs->pcks[i], &there->certs)) {
        i++;
    }
    return i == certs->pck_count && i == there->certs.pck_count &&
           text_is(certs->chain_pem, there->certs.issuer_chain) &&
           strcmp(certs->fmspc.hex, there->fmspc) == 0 &&
           strcmp(pck_ca_word(certs->ca), there->ca) == 0 && identity_is(&put->row, there) &&
           put->row.mapping_count == there->mapping_count && mappings_are_among(&put->row, there);
}

/* A row that was handed out there must not wait again. */
enum copy_verdict
copy_queue_row_judge(const struct queue_row *from, const struct queue_row *to)
{
    if (copy_queue_row_is_equal(from, to)) {
        return COPY_SAME;
    }
    bool is_as_much =
        text_is(from->manifest, to->manifest) && text_is(from->enc_ppid, to->enc_ppid);
    bool is_more = text_is(from->manifest, "") && !text_is(to->manifest, "");
    return is_more || (is_as_much && to->state > from->state) ? COPY_NEWER : COPY_DIFFERS;
}
