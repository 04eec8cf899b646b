/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads libmariadb when DB_CONFIG names it, and hands out its functions.
 * Takes nothing; gives the table maria, or a fault that names the library.
 * Called by whoever opens the store (pthread_once lets one of them load); the library stays until
 * the process ends.
 * Must never be needed by a build's other stores: only its headers are.
 * docs/decisions/0001-curl-on-demand.md, 0007-several-instances.md.
 */
#include "store/mariadb_library.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/mem.h"

static const char library_name[] = "libmariadb.so.3";

struct maria_library maria;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault load_fault; /* written once, by load */

static const struct {
    void **function;
    const char *name;
} functions[] = {
#define FUNCTION(member, name) {(void **)&maria.member, #name},
    MARIADB_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static void
load(void)
{
    void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        (void)fault_set(&load_fault, FAULT_CONFIG, "store",
                        "libmariadb cannot be loaded, install it (libmariadb3): %.110s",
                        reason != NULL ? reason : "?");
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(functions); i++) {
        *functions[i].function = dlsym(library, functions[i].name);
        if (*functions[i].function == NULL) {
            (void)fault_set(&load_fault, FAULT_CONFIG, "store", "%s is too old: it has no %s",
                            library_name, functions[i].name);
            return;
        }
    }
    if (maria.start(0, NULL, NULL) != 0) {
        (void)fault_set(&load_fault, FAULT_CONFIG, "store", "libmariadb does not start");
    }
}

int
maria_load(struct fault *why)
{
    pthread_once(&once, load);
    if (load_fault.code != FAULT_NONE && why != NULL) {
        *why = load_fault;
    }
    return (int)load_fault.code;
}
