/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads the TLS key pair and says what to do when there is none (config.md, Programs).
 * Takes the configuration; gives a server context and the end of the certificate's validity.
 * Called at start, by --check and on SIGHUP, on the main thread.
 */
#include "setup/tls_files.h"

#include <errno.h>
#include <unistd.h>

#include "http/http.h"
#include "x509/x509_chain.h"

int
tls_files_load(const struct config *config, SSL_CTX **ret_tls, int64_t *ret_not_after,
               struct fault *why)
{
    const char *const paths[] = {config->tls_key, config->tls_certificate};
    for (size_t i = 0; i < 2; i++) {
        if (access(paths[i], F_OK) != 0 && errno == ENOENT) {
            return fault_set(why, FAULT_CONFIG, "tls",
                             "no TLS key pair: run `pccsadmin init` (`init --from DIR` takes over "
                             "Intel's), or for development `pccsd --init-tls`; missing is %s",
                             paths[i]);
        }
    }
    SSL_CTX *tls = NULL;
    int failed = http_tls_new(config->tls_key, config->tls_certificate, &tls, why);
    if (failed == 0) {
        *ret_not_after = x509_not_after(SSL_CTX_get0_certificate(tls));
        *ret_tls = tls;
    }
    return failed;
}
