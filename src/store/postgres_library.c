/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads libpq when the configuration names PostgreSQL, and hands out its functions.
 * Takes nothing; gives the table pq, or a fault that names the library.
 * Called when the store is opened, before there are threads that read the environment; the library
 * stays until the process ends. OpenSSL is the same for both: libpq.so.5 is linked with the libssl
 * that this program already has, which postgres_exchange.c relies on.
 * Must never let a variable of the environment choose a server, a user or a password: the
 * configuration does.
 * docs/decisions/0007.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "store/postgres_priv.h"

static const char library_name[] = "libpq.so.5";

struct postgres_library pq;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault load_fault; /* written once, by load */

static const struct {
    void **function;
    const char *name;
} functions[] = {
#define FUNCTION(member, name) {(void **)&pq.member, #name},
    POSTGRES_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/* PGPASSWORD, PGSERVICE, PGOPTIONS and the like: libpq takes them wherever a parameter is empty. */
static void
forget_environment(void)
{
    PQconninfoOption *options = pq.conndefaults();
    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (o->envvar != NULL) {
            (void)unsetenv(o->envvar);
        }
    }
    pq.conninfo_free(options);
    static const char *const others[] = {"PGSERVICE",   "PGSERVICEFILE", "PGSYSCONFDIR",
                                         "PGLOCALEDIR", "PGREQUIRESSL",  "PGDATESTYLE",
                                         "PGTZ",        "PGGEQO",        "PGPASSFILE"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        (void)unsetenv(others[i]);
    }
}

static void
load(void)
{
    void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        (void)fault_set(&load_fault, FAULT_CONFIG, "store",
                        "PostgreSQL needs the package libpq5: %.150s",
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
    forget_environment();
}

int
postgres_library_load(struct fault *why)
{
    pthread_once(&once, load);
    if (load_fault.code != FAULT_NONE && why != NULL) {
        *why = load_fault;
    }
    return (int)load_fault.code;
}
