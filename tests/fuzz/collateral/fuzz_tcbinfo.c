/* SPDX-License-Identifier: BSD-3-Clause */
/* TCB info, inner object: what is accepted has levels within the ceiling and a known layout. */
#include "base/mem.h"
#include "collateral/tcbinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcbinfo *tcbinfo = NULL;
    if (tcbinfo_parse(span_of(data, size), &tcbinfo, NULL) != 0) {
        must(tcbinfo == NULL);
        return 0;
    }
    must(tcbinfo->version == 2 || tcbinfo->version == 3);
    must(tcbinfo->level_count >= 1 && tcbinfo->level_count <= LIMIT_TCB_LEVELS);
    must(strlen(tcbinfo->fmspc.hex) == 12);
    tcbinfo_free(tcbinfo);
    return 0;
}
