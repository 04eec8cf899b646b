/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads the real platform collaterals file for tests; see realdata.h. Parsed by jansson alone, so
 * that nothing of src/ vouches for itself. PCCS_SOURCE_ROOT comes from the build.
 */
#include "support/realdata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static const char PATH[] = PCCS_SOURCE_ROOT "/../shared/data/platform_collaterals_sgx_2025.json";

static char *
text_at(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return strdup(text != NULL ? text : "");
}

struct realdata *
realdata_load(void)
{
    json_t *root = json_load_file(PATH, 0, NULL);
    struct realdata *data = calloc(1, sizeof *data);
    if (root == NULL || data == NULL) {
        printf("skipped: no real material at %s\n", PATH);
        json_decref(root);
        free(data);
        return NULL;
    }
    json_t *all = json_object_get(root, "collaterals");
    json_t *certificates = json_object_get(all, "certificates");
    json_t *tcbinfo =
        json_object_get(json_array_get(json_object_get(all, "tcbinfos"), 0), "sgx_tcbinfo");
    json_t *pck_certs = json_array_get(json_object_get(all, "pck_certs"), 0);
    json_t *pck = json_array_get(json_object_get(pck_certs, "certs"), 0);
    data->tcbinfo = json_dumps(tcbinfo, JSON_COMPACT);
    data->tcbinfo_blanks = json_dumps(tcbinfo, 0);
    data->qe_identity = text_at(all, "qeidentity");
    data->tcb_chain = text_at(certificates, "TCB-Info-Issuer-Chain");
    data->pck_chain =
        text_at(json_object_get(certificates, "SGX-PCK-Certificate-Issuer-Chain"), "PROCESSOR");
    data->pck_cert = text_at(pck, "cert");
    data->tcbm = text_at(pck, "tcbm");
    data->processor_crl = text_at(json_object_get(all, "pckcacrl"), "processorCrl");
    data->root_crl = text_at(all, "rootcacrl");
    json_decref(root);
    return data;
}

void
realdata_free(struct realdata *data)
{
    if (data != NULL) {
        free(data->tcbinfo);
        free(data->tcbinfo_blanks);
        free(data->qe_identity);
        free(data->tcb_chain);
        free(data->pck_chain);
        free(data->pck_cert);
        free(data->tcbm);
        free(data->processor_crl);
        free(data->root_crl);
        free(data);
    }
}

uint8_t *
realdata_bytes(const char *hex, size_t *ret_size)
{
    size_t size = strlen(hex) / 2;
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; bytes != NULL && i < size; i++) {
        unsigned value = 0;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1) {
            free(bytes);
            return NULL;
        }
        bytes[i] = (uint8_t)value;
    }
    *ret_size = size;
    return bytes;
}
