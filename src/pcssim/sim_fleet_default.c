/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fleet that is there when no file is given: one machine of every kind that a PCCS meets.
 *
 * Gives JSON text in the format of docs/man/pcs-sim.md, parsed by sim_fleet_file.c like any file.
 * Called by main.c. Must never change lightly: demo and tests name these platforms.
 *   two PCK CAs, client and server parts, TDX and none, an FMSPC without early TCB info,
 *   single-package machines, multi-package ones of several manifest sizes, one with certificates
 *   that are Not available, one whose TCBs cannot be compared, one whose TCB is below every level.
 */
#include "pcssim/sim_fleet.h"

static const char client_families[] =
    "{\"seed\":\"default\",\"fmspcs\":["
    "{\"fmspc\":\"00906EA10000\",\"platform\":\"client\",\"ca\":\"processor\",\"levels\":["
    "{\"components\":\"12120204018000000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"SWHardeningNeeded\",\"date\":\"2025-03-13T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00334\",\"INTEL-SA-00615\"]},"
    "{\"components\":\"11110204018000000000000000000000\",\"pcesvn\":11,"
    "\"status\":\"OutOfDate\",\"date\":\"2023-02-15T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00334\",\"INTEL-SA-00615\",\"INTEL-SA-00828\"]},"
    "{\"components\":\"0F0F0204018000000000000000000000\",\"pcesvn\":10,"
    "\"status\":\"OutOfDate\",\"date\":\"2020-11-11T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00381\",\"INTEL-SA-00477\"]},"
    "{\"components\":\"05050204018000000000000000000000\",\"pcesvn\":7,"
    "\"status\":\"OutOfDate\",\"date\":\"2018-08-15T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00161\",\"INTEL-SA-00233\"]}]},"
    "{\"fmspc\":\"20906ED50000\",\"platform\":\"client\",\"ca\":\"processor\",\"early\":false,"
    "\"levels\":["
    "{\"components\":\"13130204018000000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"UpToDate\",\"date\":\"2025-03-13T00:00:00Z\"},"
    "{\"components\":\"10100204018000000000000000000000\",\"pcesvn\":11,"
    "\"status\":\"OutOfDate\",\"date\":\"2022-08-10T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00657\"]}]},";

static const char e3_families[] =
    "{\"fmspc\":\"00A067110000\",\"platform\":\"E3\",\"ca\":\"processor\",\"levels\":["
    "{\"components\":\"0B0B0202FF010C000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"SWHardeningNeeded\",\"date\":\"2025-03-13T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00615\"]},"
    "{\"components\":\"0B0B0202FF0100000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"ConfigurationAndSWHardeningNeeded\",\"date\":\"2025-03-13T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00289\",\"INTEL-SA-00615\"]},"
    "{\"components\":\"0A0A0202FF010C000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"OutOfDate\",\"date\":\"2023-02-15T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00615\",\"INTEL-SA-00828\"]},"
    "{\"components\":\"0A0A0202FF0100000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"OutOfDateConfigurationNeeded\",\"date\":\"2023-02-15T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00289\",\"INTEL-SA-00615\",\"INTEL-SA-00828\"]},"
    "{\"components\":\"01010000000000000000000000000000\",\"pcesvn\":5,"
    "\"status\":\"Revoked\",\"date\":\"2018-01-04T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00106\"]}]},"
    /* Levels of which neither is above the other. */
    "{\"fmspc\":\"10A065510000\",\"platform\":\"E3\",\"ca\":\"processor\",\"levels\":["
    "{\"components\":\"09060303FF0100000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"UpToDate\",\"date\":\"2025-03-13T00:00:00Z\"},"
    "{\"components\":\"06090303FF0100000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"ConfigurationNeeded\",\"date\":\"2025-03-13T00:00:00Z\"},"
    "{\"components\":\"05050303FF0100000000000000000000\",\"pcesvn\":11,"
    "\"status\":\"OutOfDate\",\"date\":\"2022-08-10T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00657\"]}]},";

static const char e5_families[] =
    "{\"fmspc\":\"00606A000000\",\"platform\":\"E5\",\"ca\":\"platform\",\"levels\":["
    "{\"components\":\"0E0E0303FF0100000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"UpToDate\",\"date\":\"2025-03-13T00:00:00Z\"},"
    "{\"components\":\"0B0B0303FF0100000000000000000000\",\"pcesvn\":13,"
    "\"status\":\"OutOfDate\",\"date\":\"2023-08-09T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00828\",\"INTEL-SA-00837\"]},"
    "{\"components\":\"04040303FF0100000000000000000000\",\"pcesvn\":11,"
    "\"status\":\"OutOfDate\",\"date\":\"2021-11-10T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00586\",\"INTEL-SA-00615\"]}]},"
    "{\"fmspc\":\"50806F000000\",\"platform\":\"E5\",\"ca\":\"platform\",\"tdx\":true,"
    "\"levels\":["
    "{\"components\":\"09090202030100050000000000000000\",\"pcesvn\":13,"
    "\"tdx_components\":\"07000900000000000000000000000000\","
    "\"status\":\"UpToDate\",\"date\":\"2025-03-13T00:00:00Z\"},"
    "{\"components\":\"07070202030100050000000000000000\",\"pcesvn\":11,"
    "\"tdx_components\":\"05000500000000000000000000000000\","
    "\"status\":\"OutOfDate\",\"date\":\"2023-08-09T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00837\",\"INTEL-SA-00960\"]}]},"
    "{\"fmspc\":\"B0C06F000000\",\"platform\":\"E5\",\"ca\":\"platform\",\"tdx\":true,"
    "\"levels\":["
    "{\"components\":\"05050202040100030000000000000000\",\"pcesvn\":13,"
    "\"tdx_components\":\"06010600000000000000000000000000\","
    "\"status\":\"UpToDate\",\"date\":\"2025-03-13T00:00:00Z\"},"
    "{\"components\":\"03030202040100030000000000000000\",\"pcesvn\":13,"
    "\"tdx_components\":\"05010500000000000000000000000000\","
    "\"status\":\"OutOfDate\",\"date\":\"2024-03-13T00:00:00Z\","
    "\"advisories\":[\"INTEL-SA-00960\",\"INTEL-SA-01036\"]}]}],";

static const char platforms[] =
    "\"platforms\":["
    "{\"name\":\"client-1\",\"fmspc\":\"00906EA10000\"},"
    "{\"name\":\"client-old\",\"fmspc\":\"00906EA10000\","
    "\"cpu_svn\":\"0F0F0204018000000000000000000000\",\"pce_svn\":\"0B00\"},"
    "{\"name\":\"client-ancient\",\"fmspc\":\"00906EA10000\","
    "\"cpu_svn\":\"01010000000000000000000000000000\",\"pce_svn\":\"0100\"},"
    "{\"name\":\"no-early-1\",\"fmspc\":\"20906ED50000\"},"
    "{\"name\":\"e3-1\",\"fmspc\":\"00A067110000\"},"
    "{\"name\":\"e3-2\",\"fmspc\":\"00A067110000\","
    "\"cpu_svn\":\"0B0B0202FF0100000000000000000000\"},"
    "{\"name\":\"incomparable-1\",\"fmspc\":\"10A065510000\","
    "\"cpu_svn\":\"09090303FF0100000000000000000000\",\"certs\":["
    "{\"components\":\"09060303FF0100000000000000000000\",\"pcesvn\":13},"
    "{\"components\":\"06090303FF0100000000000000000000\",\"pcesvn\":13},"
    "{\"components\":\"07050303FF0100000000000000000000\",\"pcesvn\":12},"
    "{\"components\":\"05070303FF0100000000000000000000\",\"pcesvn\":12},"
    "{\"components\":\"05050303FF0100000000000000000000\",\"pcesvn\":11}]},"
    "{\"name\":\"e5-single\",\"fmspc\":\"00606A000000\"},"
    "{\"name\":\"e5-gaps\",\"fmspc\":\"00606A000000\",\"not_available\":[0]},"
    "{\"name\":\"e5-double\",\"fmspc\":\"00606A000000\",\"manifest\":8500},"
    "{\"name\":\"e5-gaps-double\",\"fmspc\":\"00606A000000\",\"manifest\":8431,"
    "\"not_available\":[2]},"
    "{\"name\":\"tdx-single\",\"fmspc\":\"B0C06F000000\"},"
    "{\"name\":\"tdx-double\",\"fmspc\":\"50806F000000\",\"manifest\":17000},"
    "{\"name\":\"tdx-octo\",\"fmspc\":\"50806F000000\",\"manifest\":56442}]}";

const char *
sim_fleet_default_text(void)
{
    /* Four literals become one text at the first call, which is main's, before any thread. */
    static char text[sizeof(client_families) + sizeof(e3_families) + sizeof(e5_families) +
                     sizeof(platforms)];
    if (text[0] == '\0') {
        char *at = stpcpy(text, client_families);
        at = stpcpy(at, e3_families);
        at = stpcpy(at, e5_families);
        stpcpy(at, platforms);
    }
    return text;
}
