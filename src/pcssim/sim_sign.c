/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys and deterministic ECDSA signatures of the simulated PKI.
 *
 * Takes a key and bytes, gives r||s or DER. Called by the certificate, CRL and collateral makers,
 * on whatever thread they run. The nonce follows RFC 6979 3.2 with HMAC-SHA-256; OpenSSL before 3.2
 * cannot do that itself. Must never be used outside a simulator: the arithmetic takes no care of
 * timing, since nothing that it signs protects anything.
 */
#include "pcssim/sim_sign.h"

#include <errno.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "base/file.h"
#include "base/mem.h"

enum { WORD = 32, KEY_PEM_BYTES_MAX = 4096 };

struct sim_key {
    EVP_PKEY *pkey;
    BIGNUM *secret;
    EC_GROUP *group;
};

static int
key_adopt(EVP_PKEY *pkey, struct sim_key **ret_key, struct fault *why)
{
    struct sim_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return fault_set(why, FAULT_MEMORY, "key", "no memory for a key");
    }
    key->pkey = pkey;
    key->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    char curve[32] = "";
    if (key->group == NULL ||
        EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve),
                                       NULL) != 1 ||
        strcmp(curve, "prime256v1") != 0 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &key->secret) != 1) {
        sim_key_free(key);
        return fault_set(why, FAULT_INPUT, "key", "not a P-256 private key");
    }
    *ret_key = key;
    return 0;
}

int
sim_key_new(struct sim_key **ret_key, struct fault *why)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    if (pkey == NULL) {
        return fault_set(why, FAULT_INTERNAL, "key", "OpenSSL made no P-256 key");
    }
    return key_adopt(pkey, ret_key, why);
}

static int
key_save(const struct sim_key *key, const char *path, struct fault *why)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    int code = FAULT_MEMORY;
    if (memory != NULL &&
        PEM_write_bio_PKCS8PrivateKey(memory, key->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        long size = BIO_get_mem_data(memory, &text);
        code = file_write_atomic(path, span_of(text, (size_t)size), 0600, why);
    } else {
        fault_set(why, FAULT_MEMORY, "key", "no memory to write a key");
    }
    BIO_free(memory);
    return code;
}

static int
key_read(const char *path, struct sim_key **ret_key, struct fault *why)
{
    auto_cleanup(buf_done_secret) struct buf text = BUF_INIT(KEY_PEM_BYTES_MAX);
    int code = file_read(path, &text, why);
    if (code != 0) {
        return code;
    }
    BIO *memory = BIO_new_mem_buf(text.data, (int)text.size);
    EVP_PKEY *pkey = memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL) : NULL;
    BIO_free(memory);
    if (pkey == NULL) {
        return fault_set(why, FAULT_INPUT, "key", "%s holds no private key", path);
    }
    return key_adopt(pkey, ret_key, why);
}

int
sim_key_load_or_make(const char *path, struct sim_key **ret_key, struct fault *why)
{
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        return key_read(path, ret_key, why);
    }
    struct sim_key *key = NULL;
    int code = sim_key_new(&key, why);
    if (code == 0) {
        code = key_save(key, path, why);
    }
    if (code != 0) {
        sim_key_free(key);
        return code;
    }
    *ret_key = key;
    return 0;
}

void
sim_key_free(struct sim_key *key)
{
    if (key == NULL) {
        return;
    }
    EVP_PKEY_free(key->pkey);
    BN_clear_free(key->secret);
    EC_GROUP_free(key->group);
    free(key);
}

EVP_PKEY *
sim_key_pkey(const struct sim_key *key)
{
    return key->pkey;
}

/* The generator of RFC 6979 3.2: K and V are its state. */
struct nonce_source {
    uint8_t k[WORD], v[WORD];
};

static bool
nonce_stir(struct nonce_source *source, uint8_t mark, const uint8_t *seed, size_t seed_size)
{
    uint8_t message[WORD + 1 + 2 * WORD];
    must(seed_size <= 2 * WORD);
    memcpy(message, source->v, WORD);
    message[WORD] = mark;
    if (seed_size > 0) {
        memcpy(message + WORD + 1, seed, seed_size);
    }
    return HMAC(EVP_sha256(), source->k, WORD, message, WORD + 1 + seed_size, source->k, NULL) &&
           HMAC(EVP_sha256(), source->k, WORD, source->v, WORD, source->v, NULL);
}

static bool
nonce_init(struct nonce_source *source, const BIGNUM *secret, const BIGNUM *digest)
{
    uint8_t seed[2 * WORD];
    memset(source->k, 0x00, WORD);
    memset(source->v, 0x01, WORD);
    return BN_bn2binpad(secret, seed, WORD) == WORD &&
           BN_bn2binpad(digest, seed + WORD, WORD) == WORD &&
           nonce_stir(source, 0x00, seed, sizeof(seed)) &&
           nonce_stir(source, 0x01, seed, sizeof(seed));
}

static bool
nonce_next(struct nonce_source *source, BIGNUM *nonce)
{
    return HMAC(EVP_sha256(), source->k, WORD, source->v, WORD, source->v, NULL) &&
           BN_bin2bn(source->v, WORD, nonce) != NULL;
}

struct signing {
    BN_CTX *ctx;
    BIGNUM *digest, *nonce, *r, *s, *work;
    const BIGNUM *order;
    EC_POINT *point;
};

/* r and s for one nonce; false if OpenSSL fails, r or s zero if the nonce does not do. */
static bool
sign_with_nonce(const struct sim_key *key, struct signing *g)
{
    return EC_POINT_mul(key->group, g->point, g->nonce, NULL, NULL, g->ctx) == 1 &&
           EC_POINT_get_affine_coordinates(key->group, g->point, g->work, NULL, g->ctx) == 1 &&
           BN_nnmod(g->r, g->work, g->order, g->ctx) == 1 &&
           BN_mod_mul(g->s, g->r, key->secret, g->order, g->ctx) == 1 &&
           BN_mod_add(g->s, g->s, g->digest, g->order, g->ctx) == 1 &&
           BN_mod_inverse(g->work, g->nonce, g->order, g->ctx) != NULL &&
           BN_mod_mul(g->s, g->s, g->work, g->order, g->ctx) == 1;
}

static bool
sign_digest(const struct sim_key *key, struct signing *g)
{
    struct nonce_source source;
    if (!nonce_init(&source, key->secret, g->digest)) {
        return false;
    }
    for (int attempt = 0; attempt < 100; attempt++) {
        if (!nonce_next(&source, g->nonce)) {
            return false;
        }
        if (!BN_is_zero(g->nonce) && BN_cmp(g->nonce, g->order) < 0) {
            if (!sign_with_nonce(key, g)) {
                return false;
            }
            if (!BN_is_zero(g->r) && !BN_is_zero(g->s)) {
                return true;
            }
        }
        if (!nonce_stir(&source, 0x00, NULL, 0)) {
            return false;
        }
    }
    return false;
}

int
sim_sign_raw(const struct sim_key *key, struct span message, uint8_t out[SIM_SIGNATURE_SIZE],
             struct fault *why)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256(message.data, message.size, hash);
    struct signing g = {.ctx = BN_CTX_new(), .point = EC_POINT_new(key->group)};
    bool done = false;
    if (g.ctx != NULL && g.point != NULL) {
        BN_CTX_start(g.ctx);
        g.order = EC_GROUP_get0_order(key->group);
        g.digest = BN_CTX_get(g.ctx);
        g.nonce = BN_CTX_get(g.ctx);
        g.r = BN_CTX_get(g.ctx);
        g.s = BN_CTX_get(g.ctx);
        g.work = BN_CTX_get(g.ctx);
        done = g.work != NULL && BN_bin2bn(hash, sizeof(hash), g.work) != NULL &&
               BN_nnmod(g.digest, g.work, g.order, g.ctx) == 1 && sign_digest(key, &g) &&
               BN_bn2binpad(g.r, out, WORD) == WORD && BN_bn2binpad(g.s, out + WORD, WORD) == WORD;
        BN_CTX_end(g.ctx);
    }
    EC_POINT_free(g.point);
    BN_CTX_free(g.ctx);
    return done ? 0 : fault_set(why, FAULT_INTERNAL, "sign", "signing failed");
}

int
sim_sign_der(const struct sim_key *key, struct span message,
             uint8_t out[SIM_SIGNATURE_DER_SIZE_MAX], size_t *ret_size, struct fault *why)
{
    uint8_t raw[SIM_SIGNATURE_SIZE];
    int code = sim_sign_raw(key, message, raw, why);
    if (code != 0) {
        return code;
    }
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, WORD, NULL);
    BIGNUM *s = BN_bin2bn(raw + WORD, WORD, NULL);
    if (signature == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(signature, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(signature);
        return fault_set(why, FAULT_MEMORY, "sign", "no memory for a signature");
    }
    uint8_t *at = out;
    int size = i2d_ECDSA_SIG(signature, &at); /* at most 72 bytes for P-256 */
    ECDSA_SIG_free(signature);
    must(size > 0 && size <= SIM_SIGNATURE_DER_SIZE_MAX);
    *ret_size = (size_t)size;
    return 0;
}
