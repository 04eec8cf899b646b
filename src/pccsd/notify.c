/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells systemd how the service is: READY, RELOADING, STOPPING, WATCHDOG (config.md, Programs).
 * Called by the main thread only. Without libsystemd, or without systemd, it does nothing.
 */
#include "pccsd/notify.h"

#ifdef PCCS_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

#include "base/clock.h"

void
notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void
notify_reloading(void)
{
    /* Type=notify-reload wants the time at which the reload began */
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_system_monotonic_us());
}

void
notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void
notify_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

#else

void
notify_ready(void)
{
}

void
notify_reloading(void)
{
}

void
notify_stopping(void)
{
}

void
notify_watchdog(void)
{
}

#endif
