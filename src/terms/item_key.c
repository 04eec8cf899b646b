/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key of a cached item: its canonical text, and equality.
 * Takes keys whose members are in normal form, gives "tcb/SGX/4/STANDARD/00906EA10000": one text
 * per key and one key per text, fit for hashing, logs and the operator's eye.
 * Called by the core on any thread; no allocation, since it stands on the hit path.
 * Must never give two keys one text: the QE ID, which may be any characters, has its '/' and '%'
 * percent-encoded for that reason.
 * terms/terms.h; api.md, Endpoints (what each item is cached by).
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "terms/terms.h"

/* The text in the making; every key fits, so running out of room is a fault of ours. */
struct key_text {
    char *out;
    size_t size;
};

static void __attribute__((format(printf, 2, 3)))
text_add(struct key_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = ITEM_KEY_TEXT_SIZE - text->size;
    int size = vsnprintf(text->out + text->size, room, format, arguments);
    va_end(arguments);
    must(size >= 0 && (size_t)size < room);
    text->size += (size_t)size;
}

/* STANDARD and EARLY by their word, a number as itself. */
static void
text_add_update(struct key_text *text, const struct item_key *key)
{
    if (key->update == UPDATE_NUMBERED) {
        text_add(text, "%u", (unsigned)key->eval_number);
    } else {
        text_add(text, "%s", update_type_word(key->update));
    }
}

static void
text_add_platform(struct key_text *text, const struct item_key *key)
{
    text_add(text, "pck/");
    for (const char *p = key->platform.qeid; *p != '\0'; p++) {
        if (*p == '/' || *p == '%') {
            text_add(text, *p == '/' ? "%%2F" : "%%25");
        } else {
            must(text->size + 1 < ITEM_KEY_TEXT_SIZE);
            text->out[text->size++] = *p;
        }
    }
    text_add(text, "/%s", key->platform.pceid);
    if (key->raw.cpusvn[0] != '\0') {
        text_add(text, "/%s/%s", key->raw.cpusvn, key->raw.pcesvn);
    }
}

size_t
item_key_text(const struct item_key *key, char out[ITEM_KEY_TEXT_SIZE])
{
    struct key_text text = {.out = out};
    switch (key->kind) {
    case ITEM_TCBINFO:
        text_add(&text, "tcb/%s/%u/", product_word(key->product), key->api_version);
        text_add_update(&text, key);
        text_add(&text, "/%s", key->fmspc.hex);
        break;
    case ITEM_IDENTITY:
        text_add(&text, "identity/%s/%u/", enclave_word(key->enclave), key->api_version);
        text_add_update(&text, key);
        break;
    case ITEM_PCK_CRL:
        text_add(&text, "pckcrl/%s", pck_ca_word(key->ca));
        break;
    case ITEM_ROOT_CRL:
        text_add(&text, "rootcrl");
        break;
    case ITEM_CRL:
        text_add(&text, "crl/%s", key->url);
        break;
    case ITEM_PCK:
        text_add_platform(&text, key);
        break;
    case ITEM_EVALNUMBERS:
        text_add(&text, "evalnumbers/%s", product_word(key->product));
        break;
    case ITEM_FMSPCS:
        text_add(&text, "fmspcs/%s", key->url);
        break;
    case ITEM_POLICIES:
        text_add(&text, "policies/%s", key->fmspc.hex);
        break;
    }
    return text.size;
}

/* Member by member: the bytes between members are not part of a key. */
bool
item_key_equal(const struct item_key *a, const struct item_key *b)
{
    return a->kind == b->kind && a->api_version == b->api_version && a->product == b->product &&
           a->enclave == b->enclave && a->update == b->update && a->eval_number == b->eval_number &&
           a->ca == b->ca && strcmp(a->fmspc.hex, b->fmspc.hex) == 0 &&
           strcmp(a->platform.qeid, b->platform.qeid) == 0 &&
           strcmp(a->platform.pceid, b->platform.pceid) == 0 &&
           strcmp(a->raw.cpusvn, b->raw.cpusvn) == 0 && strcmp(a->raw.pcesvn, b->raw.pcesvn) == 0 &&
           strcmp(a->url, b->url) == 0;
}
