/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounds the process: memory holds the TLS key and the API key, so it is never dumped; a service
 * of a few megabytes needs neither an arena nor 8 MB of stack per thread.
 * Called by main before threads and before secrets are read.
 */
#include "pccsd/harden.h"

#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HARDEN_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HARDEN_SANITIZED 1
#endif
#endif

enum {
    ARENAS_MAX = 2,
    MMAP_FROM_BYTES = 256 * 1024, /* request bodies go back to the system when freed */
    TRIM_ABOVE_BYTES = 512 * 1024,
    /* No recursion on input, no frame above some 20 KB; the rest is for the system's name
     * services. Counts where memory is not overcommitted. */
    STACK_BYTES = 1024 * 1024
};

static void
bound_stacks(void)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
        (void)pthread_setattr_default_np(&attributes);
        pthread_attr_destroy(&attributes);
    }
}

void
harden_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef HARDEN_SANITIZED
    /* the leak sanitizer attaches to its own process */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES);
    mallopt(M_TRIM_THRESHOLD, TRIM_ABOVE_BYTES);
    bound_stacks(); /* the sanitizers need more */
#endif
}

int
harden_fips(bool wanted, struct fault *why)
{
    if (!wanted) {
        return 0;
    }
    if (OSSL_PROVIDER_load(NULL, "fips") == NULL || OSSL_PROVIDER_load(NULL, "base") == NULL ||
        EVP_default_properties_enable_fips(NULL, 1) != 1) {
        return fault_set(why, FAULT_CONFIG, "fips",
                         "OPENSSL_FIPS_MODE is true, but OpenSSL's FIPS provider cannot be loaded");
    }
    return 0;
}
