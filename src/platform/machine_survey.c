/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looks at what this machine shows of SGX: CPUID, device nodes and who may open them, kernel,
 * container, mounts, the EFI variables of software-controlled SGX.
 *
 * Takes where to look (a folder may stand in for /); gives facts without a judgement. Called by the
 * program when the enclaves could not be asked, on its only thread. Must never change anything: the
 * device nodes are opened and closed.
 *
 * Linux, Documentation/x86/sgx: /dev/sgx_enclave, /dev/sgx_provision; older drivers' nodes too.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "platform/machine.h"

#define EPCBIOS "EPCBIOS-c60aa7f6-e8d6-4956-8ba1-fe26298f5e87"
#define EPCSW "EPCSW-d69a279b-58eb-45d1-a148-771bb9eb5251"

enum { GROUPS_MAX = 1024, CPUINFO_BYTES_MAX = 16 * 1024 * 1024, CGROUP_BYTES_MAX = 64 * 1024 };

static bool
exists(const char *folder, const char *name)
{
    char path[SGX_PATH_SIZE];
    return snprintf(path, sizeof path, "%s%s", folder, name) < (int)sizeof path &&
           access(path, F_OK) == 0;
}

/* ---- nodes ---- */

static bool
session_has(gid_t group)
{
    gid_t groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);
    bool has = getegid() == group || geteuid() == 0;
    for (int i = 0; i < count && !has; i++) {
        has = groups[i] == group;
    }
    return has;
}

static bool
user_has(gid_t group)
{
    const struct passwd *user = getpwuid(geteuid());
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX;
    if (user == NULL || getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0) {
        return false;
    }
    bool has = false;
    for (int i = 0; i < count && !has; i++) {
        has = groups[i] == group;
    }
    return has;
}

static void
node_fill(struct machine_node *node, const char *path, const struct stat *status)
{
    (void)snprintf(node->path, sizeof node->path, "%s", path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    node->error = fd >= 0 ? 0 : errno;
    if (fd >= 0) {
        close(fd);
    }
    const struct group *group = getgrgid(status->st_gid);
    if (group != NULL) {
        (void)snprintf(node->group, sizeof node->group, "%s", group->gr_name);
    } else {
        (void)snprintf(node->group, sizeof node->group, "%u", (unsigned)status->st_gid);
    }
    node->session_has_group = session_has(status->st_gid);
    node->user_has_group = user_has(status->st_gid);
}

/* The first of the names that exists and is no folder. */
static void
node_survey(struct machine_node *node, const char *root, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && node->path[0] == '\0'; i++) {
        char path[SGX_PATH_SIZE];
        struct stat status;
        if (snprintf(path, sizeof path, "%s%s", root, names[i]) < (int)sizeof path &&
            stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
            node_fill(node, path, &status);
        }
    }
}

/* ---- kernel, container, mounts ---- */

static bool
file_holds(const char *root, const char *name, size_t size_max, const char *word)
{
    char path[SGX_PATH_SIZE];
    auto_cleanup(buf_done) struct buf text = BUF_INIT(size_max);
    struct fault ignored = {.number = 0};
    return snprintf(path, sizeof path, "%s%s", root, name) < (int)sizeof path &&
           file_read(path, &text, &ignored) == 0 && strstr(buf_text(&text), word) != NULL;
}

static bool
in_container(const char *root)
{
    static const char *const marks[] = {"/.dockerenv", "/run/.containerenv",
                                        "/run/secrets/kubernetes.io"};
    static const char *const words[] = {"docker", "kubepods", "containerd", "/lxc"};
    bool is_container = false;
    for (size_t i = 0; i < ARRAY_COUNT(marks); i++) {
        is_container |= exists(root, marks[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        is_container |= file_holds(root, "/proc/1/cgroup", CGROUP_BYTES_MAX, words[i]);
    }
    return is_container;
}

static void
kernel_survey(struct machine *machine, const char *root)
{
    struct utsname name;
    char path[SGX_PATH_SIZE];
    auto_cleanup(buf_done) struct buf text = BUF_INIT(CGROUP_BYTES_MAX);
    struct fault ignored = {.number = 0};
    const char *release = uname(&name) == 0 ? name.release : "";
    if (root[0] != '\0' &&
        snprintf(path, sizeof path, "%s/proc/sys/kernel/osrelease", root) < (int)sizeof path &&
        file_read(path, &text, &ignored) == 0) {
        release = buf_text(&text);
    }
    char *end = NULL;
    machine->kernel_major = (unsigned)strtoul(release, &end, 10);
    machine->kernel_minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
    machine->kernel_has_sgx = file_holds(root, "/proc/cpuinfo", CPUINFO_BYTES_MAX, " sgx");
}

static void
noexec_survey(struct machine *machine, const char *folder)
{
    struct statvfs status;
    if (machine->noexec[0] == '\0' && statvfs(folder, &status) == 0 &&
        (status.f_flag & ST_NOEXEC) != 0) {
        (void)snprintf(machine->noexec, sizeof machine->noexec, "%s", folder);
    }
}

void
machine_survey(const struct machine_sources *sources, struct machine *ret_machine)
{
    static const char *const enclave_nodes[] = {"/dev/sgx/enclave", "/dev/sgx_enclave", "/dev/isgx",
                                                "/dev/sgx"};
    static const char *const provision_nodes[] = {"/dev/sgx/provision", "/dev/sgx_provision",
                                                  "/dev/sgx_prv"};
    struct machine machine = {.is_container = in_container(sources->root)};
    cpuid_fn *cpuid = sources->cpuid != NULL ? sources->cpuid : cpuid_of_machine;
    machine.cpu = cpu_sgx_read(cpuid, sources->cpuid_self);
    node_survey(&machine.enclave, sources->root, enclave_nodes, ARRAY_COUNT(enclave_nodes));
    node_survey(&machine.provision, sources->root, provision_nodes, ARRAY_COUNT(provision_nodes));
    kernel_survey(&machine, sources->root);
    machine.has_epcbios = exists(sources->efivars, "/" EPCBIOS);
    machine.has_epcsw = exists(sources->efivars, "/" EPCSW);
    if (sources->enclave_dir != NULL) {
        noexec_survey(&machine, sources->enclave_dir);
    }
    char dev[SGX_PATH_SIZE];
    if (snprintf(dev, sizeof dev, "%s/dev", sources->root) < (int)sizeof dev) {
        noexec_survey(&machine, dev);
    }
    *ret_machine = machine;
}
