/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key of a cached item: its canonical text, and equality.
 * Takes keys whose members are in normal form, gives "tcb/SGX/4/STANDARD/00906EA10000": one text
 * per key and one key per text, fit for hashing, logs and the operator's eye.
 * Called by the core on any thread; no allocation and no printf, since it stands on the hit path.
 * Must never give two keys one text: the QE ID, which may be any characters, has its '/' and '%'
 * percent-encoded for that reason.
 * terms/terms.h; api.md, Endpoints (what each item is cached by).
 */
#include "base/mem.h"
#include "terms/terms.h"

/* The text in the making; every key fits, so running out of room is a fault of ours. */
struct key_text {
    char *out;
    size_t size;
};

static void
text_add_char(struct key_text *text, char c)
{
    must(text->size + 1 < ITEM_KEY_TEXT_SIZE);
    text->out[text->size++] = c;
}

static void
text_add(struct key_text *text, const char *word)
{
    size_t size = strlen(word);
    must(size < ITEM_KEY_TEXT_SIZE - text->size);
    memcpy(text->out + text->size, word, size);
    text->size += size;
}

static void
text_add_number(struct key_text *text, unsigned number)
{
    char digits[16] = "";
    size_t at = sizeof digits - 1;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_add(text, digits + at);
}

/* STANDARD and EARLY by their word, a number as itself. */
static void
text_add_update(struct key_text *text, const struct item_key *key)
{
    if (key->update == UPDATE_NUMBERED) {
        text_add_number(text, (unsigned)key->eval_number);
    } else {
        text_add(text, update_type_word(key->update));
    }
}

/* "tcb/SGX/4/STANDARD" and "identity/QE/4/EARLY". */
static void
text_add_edition(struct key_text *text, const struct item_key *key, const char *kind,
                 const char *of)
{
    text_add(text, kind);
    text_add(text, of);
    text_add_char(text, '/');
    text_add_number(text, key->api_version);
    text_add_char(text, '/');
    text_add_update(text, key);
}

static void
text_add_platform(struct key_text *text, const struct item_key *key)
{
    text_add(text, "pck/");
    for (const char *p = key->platform.qeid; *p != '\0'; p++) {
        if (*p == '/' || *p == '%') {
            text_add(text, *p == '/' ? "%2F" : "%25");
        } else {
            text_add_char(text, *p);
        }
    }
    text_add_char(text, '/');
    text_add(text, key->platform.pceid);
    if (key->raw.cpusvn[0] != '\0') {
        text_add_char(text, '/');
        text_add(text, key->raw.cpusvn);
        text_add_char(text, '/');
        text_add(text, key->raw.pcesvn);
    }
}

/* A kind of which each item is told apart by one word. */
static void
text_add_pair(struct key_text *text, const char *kind, const char *word)
{
    text_add(text, kind);
    text_add(text, word);
}

size_t
item_key_text(const struct item_key *key, char out[ITEM_KEY_TEXT_SIZE])
{
    struct key_text text = {.out = out};
    switch (key->kind) {
    case ITEM_TCBINFO:
        text_add_edition(&text, key, "tcb/", product_word(key->product));
        text_add_char(&text, '/');
        text_add(&text, key->fmspc.hex);
        break;
    case ITEM_IDENTITY:
        text_add_edition(&text, key, "identity/", enclave_word(key->enclave));
        break;
    case ITEM_PCK_CRL:
        text_add_pair(&text, "pckcrl/", pck_ca_word(key->ca));
        break;
    case ITEM_ROOT_CRL:
        text_add(&text, "rootcrl");
        break;
    case ITEM_CRL:
        text_add_pair(&text, "crl/", key->url);
        break;
    case ITEM_PCK:
        text_add_platform(&text, key);
        break;
    case ITEM_EVALNUMBERS:
        text_add_pair(&text, "evalnumbers/", product_word(key->product));
        break;
    case ITEM_FMSPCS:
        text_add_pair(&text, "fmspcs/", key->url);
        break;
    case ITEM_POLICIES:
        text_add_pair(&text, "policies/", key->fmspc.hex);
        break;
    }
    out[text.size] = '\0';
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
