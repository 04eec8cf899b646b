/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The destructors of what a store hands out; the contract itself is all in the header.
 * Any thread. See ports/store_port.h.
 */
#include "ports/store_port.h"

#include <stdlib.h>

void
store_chains_done(struct store_chains *chains)
{
    free(chains->pck_chain_pems[PCK_CA_PROCESSOR]);
    free(chains->pck_chain_pems[PCK_CA_PLATFORM]);
    free(chains->tcb_signing_chain_pem);
    free(chains->root_pem);
    *chains = (struct store_chains){0};
}

void
store_platform_done(struct store_platform *platform)
{
    free(platform->manifest);
    free(platform->enc_ppid);
    raw_reply_done(&platform->certs);
    free(platform->mappings);
    *platform = (struct store_platform){0};
}

void
queue_row_done(struct queue_row *row)
{
    free(row->enc_ppid);
    free(row->manifest);
    *row = (struct queue_row){0};
}
