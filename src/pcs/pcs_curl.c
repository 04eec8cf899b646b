/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads libcurl when the first fetch needs it, and hands out its functions.
 * Takes nothing; gives the table pcs_curl, or a fault that names the library.
 * Called by workers, any number at once (pthread_once lets one of them load); the library stays
 * until the process ends. OpenSSL is the same for both: libcurl.so.4 is linked with the libssl that
 * this program already has, which on_ssl_ctx in pcs_exchange.c relies on.
 * Must never be called on the way of a hit: loading takes some 20 ms.
 * docs/decisions/0001-curl-on-demand.md.
 */
#include "pcs/pcs_curl.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/mem.h"

static const char library_name[] = "libcurl.so.4";

struct pcs_curl pcs_curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault load_fault; /* written once, by load */

static const struct {
    void **function;
    const char *name;
} functions[] = {
#define FUNCTION(member, name) {(void **)&pcs_curl.member, #name},
    PCS_CURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static void
load(void)
{
    void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        (void)fault_set(&load_fault, FAULT_UPSTREAM_DOWN, "upstream",
                        "libcurl cannot be loaded: %.110s", reason != NULL ? reason : "?");
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(functions); i++) {
        *functions[i].function = dlsym(library, functions[i].name);
        if (*functions[i].function == NULL) {
            (void)fault_set(&load_fault, FAULT_UPSTREAM_DOWN, "upstream",
                            "%s is too old: it has no %s", library_name, functions[i].name);
            return;
        }
    }
    CURLcode started = pcs_curl.global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) {
        (void)fault_set_number(&load_fault, FAULT_UPSTREAM_DOWN, "upstream", started,
                               "libcurl does not start: %s", pcs_curl.easy_strerror(started));
    }
}

int
pcs_curl_load(struct fault *why)
{
    pthread_once(&once, load);
    if (load_fault.code != FAULT_NONE && why != NULL) {
        *why = load_fault;
    }
    return (int)load_fault.code;
}
