# SPDX-License-Identifier: BSD-3-Clause
# The shipped configuration, with the one key that only an installation knows: /var/lib/pccs is what
# StateDirectory= in the unit makes.
/^{$/a\
    // Where relative paths start: database, TLS files, trust anchors.\
    "DataDirectory" : "/var/lib/pccs",\

s|docs/configuration\.md|/usr/share/doc/pccs/configuration.md|
