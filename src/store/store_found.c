/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a database that was found may be used, whatever engine it is.
 * Takes what was seen of it and the options, gives 0 or the reason why not, with the way out.
 * Called while a store is opened or checked, by the takeover of each engine.
 * Must never let the collateral of two PCS hosts mix.
 * database.md, last sections.
 */
#include <strings.h>

#include "store/store_priv.h"

bool
db_found_is_ready(const struct db_found *found)
{
    return found->has_version && found->version == DB_VERSION && found->ours;
}

int
db_found_unknown_origin(struct fault *why)
{
    return fault_set(
        why, FAULT_CONFIG, "store",
        "table pcs_version does not say from which PCS the collateral came (Intel PCCS "
        "1.8 or earlier): delete the database, or name another");
}

int
db_found_judge(const struct db_found *found, const struct store_options *options, struct fault *why)
{
    if (found->has_version && strcasecmp(found->server, options->server_addr) != 0) {
        return fault_set(why, FAULT_CONFIG, "store",
                         "the collateral in it came from '%s', but uri names '%s': correct uri, "
                         "or name another database",
                         found->server, options->server_addr);
    }
    if (found->version > DB_VERSION || found->version < 0 || found->own_version > DB_OWN_VERSION) {
        return fault_set(why, FAULT_CONFIG, "store",
                         "its version %d.%d is not known here: a newer program wrote it",
                         found->version, found->own_version);
    }
    if (!db_found_is_ready(found) && !options->init_db) {
        return fault_set(why, FAULT_CONFIG, "store",
                         "the database is %s, and init_db is false: set it to true once",
                         found->empty ? "empty" : "to be taken over from another version");
    }
    return 0;
}
