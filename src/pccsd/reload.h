/* SPDX-License-Identifier: BSD-3-Clause */
/* SIGHUP: tokens, TLS key pair, log level, log file and refresh schedule, read again. */
#ifndef PCCSD_RELOAD_H
#define PCCSD_RELOAD_H

struct daemon;
void reload(struct daemon *daemon);

#endif
