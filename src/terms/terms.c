/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The field's words as types, and the normal forms of its values.
 * Takes spans as clients, files and rows spell them, gives values in one spelling each, so that
 * everything behind the door may compare bytes.
 * Called wherever a value enters (request, collateral, store), on any thread.
 * Must never give out a value that is not in normal form: cache keys are made of them.
 * api.md, Values and their normal form.
 */
#include "terms/terms.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/utf8.h"

static const char *const product_words[] = {[PRODUCT_SGX] = "SGX", [PRODUCT_TDX] = "TDX"};
static const char *const enclave_words[] = {
    [ENCLAVE_QE] = "QE", [ENCLAVE_QVE] = "QVE", [ENCLAVE_TDQE] = "TD_QE", [ENCLAVE_QAE] = "QAE"};
static const char *const update_type_words[] = {[UPDATE_STANDARD] = "STANDARD",
                                                [UPDATE_EARLY] = "EARLY",
                                                [UPDATE_ALL] = "ALL",
                                                [UPDATE_NUMBERED] = "NUMBERED"};
static const char *const pck_ca_words[] = {
    [PCK_CA_PROCESSOR] = "PROCESSOR", [PCK_CA_PLATFORM] = "PLATFORM"};
static const char *const cache_mode_words[] = {
    [CACHE_MODE_LAZY] = "LAZY", [CACHE_MODE_REQ] = "REQ", [CACHE_MODE_OFFLINE] = "OFFLINE"};

/* A value outside its enum is a fault of ours: outside bytes become enums in the parsers below. */
static const char *
word_at(const char *const *words, size_t count, unsigned index)
{
    must(index < count && words[index] != NULL);
    return words[index];
}

const char *
product_word(enum product product)
{
    return word_at(product_words, ARRAY_COUNT(product_words), product);
}

const char *
enclave_word(enum enclave enclave)
{
    return word_at(enclave_words, ARRAY_COUNT(enclave_words), enclave);
}

const char *
update_type_word(enum update_type type)
{
    return word_at(update_type_words, ARRAY_COUNT(update_type_words), type);
}

const char *
pck_ca_word(enum pck_ca ca)
{
    return word_at(pck_ca_words, ARRAY_COUNT(pck_ca_words), ca);
}

const char *
cache_mode_word(enum cache_mode mode)
{
    return word_at(cache_mode_words, ARRAY_COUNT(cache_mode_words), mode);
}

/* The index of word among the first count words, in any case; false if it is none of them. */
static bool
word_find(struct span word, const char *const *words, unsigned count, unsigned *ret_index)
{
    for (unsigned i = 0; i < count; i++) {
        if (span_is_nocase(word, words[i])) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

bool
update_type_parse(struct span word, enum update_type *ret_type)
{
    unsigned index;
    /* NUMBERED is no word of the wire: it comes from tcbEvaluationDataNumber */
    if (!word_find(word, update_type_words, UPDATE_NUMBERED, &index)) {
        return false;
    }
    *ret_type = (enum update_type)index;
    return true;
}

bool
pck_ca_parse(struct span word, enum pck_ca *ret_ca)
{
    unsigned index;
    if (!word_find(word, pck_ca_words, ARRAY_COUNT(pck_ca_words), &index)) {
        return false;
    }
    *ret_ca = (enum pck_ca)index;
    return true;
}

bool
cache_mode_parse(struct span word, enum cache_mode *ret_mode)
{
    unsigned index;
    if (!word_find(word, cache_mode_words, ARRAY_COUNT(cache_mode_words), &index)) {
        return false;
    }
    *ret_mode = (enum cache_mode)index;
    return true;
}

/* Copies text and a NUL to out, the letters a-z as A-Z; out has the room. */
static void
copy_upper(struct span text, char *out)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        out[i] = (char)(byte >= 'a' && byte <= 'z' ? byte - 'a' + 'A' : byte);
    }
    out[text.size] = '\0';
}

/* out_size is that of the normal form with its NUL: exactly one hex digit less is taken. */
static bool
hex_value_parse(struct span text, char *out, size_t out_size)
{
    if (!hex_is_sized(text, out_size - 1)) {
        return false;
    }
    copy_upper(text, out);
    return true;
}

bool
fmspc_parse(struct span text, struct fmspc *ret_fmspc)
{
    return hex_value_parse(text, ret_fmspc->hex, sizeof ret_fmspc->hex);
}

bool
qeid_parse(struct span text, struct platform_id *ret_id)
{
    size_t characters;
    if (text.size == 0 || text.size >= sizeof ret_id->qeid || !utf8_count(text, &characters) ||
        characters > LIMIT_QEID_CHARS || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    copy_upper(text, ret_id->qeid);
    return true;
}

bool
pceid_parse(struct span text, struct platform_id *ret_id)
{
    return hex_value_parse(text, ret_id->pceid, sizeof ret_id->pceid);
}

bool
raw_tcb_parse(struct span cpusvn, struct span pcesvn, struct raw_tcb *ret_tcb)
{
    struct raw_tcb tcb;
    if (!hex_value_parse(cpusvn, tcb.cpusvn, sizeof tcb.cpusvn) ||
        !hex_value_parse(pcesvn, tcb.pcesvn, sizeof tcb.pcesvn)) {
        return false;
    }
    *ret_tcb = tcb;
    return true;
}

uint16_t
raw_tcb_pcesvn(const struct raw_tcb *tcb)
{
    uint8_t bytes[2];
    must(hex_decode(span_of_text(tcb->pcesvn), bytes, sizeof bytes));
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

void
raw_tcb_cpusvn(const struct raw_tcb *tcb, uint8_t out[16])
{
    must(hex_decode(span_of_text(tcb->cpusvn), out, 16));
}
