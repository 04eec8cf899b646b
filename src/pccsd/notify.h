/* SPDX-License-Identifier: BSD-3-Clause */
/* What systemd is told (sd_notify(3)); nothing where it did not start the service. */
#ifndef PCCSD_NOTIFY_H
#define PCCSD_NOTIFY_H

void notify_ready(void);
/* Still starting: what for, and that it may take so much longer. what is a literal. */
void notify_waiting(const char *what, unsigned seconds);
void notify_reloading(void);
void notify_stopping(void);
void notify_watchdog(void);

#endif
