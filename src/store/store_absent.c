/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The drivers that this build was made without: they say so.
 * Takes and gives what store.h says of them. Called instead of the real ones.
 */
#include "store/store.h"

#if !defined(STORE_HAS_POSTGRES) || !defined(STORE_HAS_MARIADB)
static int
absent(const char *name, struct fault *why)
{
    return fault_set(why, FAULT_CONFIG, "store", "this build has no driver for %s", name);
}
#endif

#ifndef STORE_HAS_POSTGRES
int
store_open_postgres(const struct store_options *options, struct store **ret_store,
                    struct fault *why)
{
    (void)options;
    (void)ret_store;
    return absent("postgres", why);
}

int
store_check_postgres(const struct store_options *options, struct fault *why)
{
    (void)options;
    return absent("postgres", why);
}
#endif

#ifndef STORE_HAS_MARIADB
int
store_open_mariadb(const struct store_options *options, struct store **ret_store, struct fault *why)
{
    (void)options;
    (void)ret_store;
    return absent("mariadb", why);
}

int
store_check_mariadb(const struct store_options *options, struct fault *why)
{
    (void)options;
    return absent("mariadb", why);
}
#endif
