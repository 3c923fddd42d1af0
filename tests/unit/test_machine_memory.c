/* How much memory the control groups allow, over a made tree of their files. */
#include <criterion/criterion.h>

#include "server/base/machine.h"
#include "tests/unit/made_tree.h"

static const int64_t GIB = 1 << 30;

TestSuite(memory_limit, .init = make_root, .fini = remove_root);

Test(memory_limit, without_groups_it_is_the_machine) {
    cr_assert_eq(machine_memory_within(root, 3 * GIB), 3 * GIB);
    put("proc/self/cgroup", "");
    cr_assert_eq(machine_memory_within(root, 3 * GIB), 3 * GIB);
    put("proc/self/cgroup", "nonsense\n0::\n:::\n4:cpu\n");
    cr_assert_eq(machine_memory_within(root, 3 * GIB), 3 * GIB);
}

Test(memory_limit, of_version_2_the_smallest_on_the_way_up) {
    put("proc/self/cgroup", "0::/system.slice/denoised.service\n");
    put("sys/fs/cgroup/system.slice/denoised.service/memory.max", "max\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 8 * GIB);
    put("sys/fs/cgroup/system.slice/memory.max", "2147483648\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 2 * GIB);
    put("sys/fs/cgroup/system.slice/denoised.service/memory.max", "4294967296\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 2 * GIB);
    put("sys/fs/cgroup/system.slice/denoised.service/memory.high", "1073741824\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), GIB);
    cr_assert_eq(machine_memory_within(root, GIB / 2), GIB / 2, "the machine has less");
    put("sys/fs/cgroup/other.slice/memory.max", "1\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), GIB, "another group's limit counts");
}

Test(memory_limit, in_a_container_the_mount_is_the_group) {
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/memory.max", "2147483648\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 2 * GIB);
    put("proc/self/cgroup", "0::/../../kubepods/burstable\n"); /* from outside its own view */
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 2 * GIB);
    put("kubepods/burstable/memory.max", "1\n"); /* not a group, whatever the path may say */
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 2 * GIB);
}

Test(memory_limit, of_version_1) {
    put("proc/self/cgroup", "12:cpu,cpuacct:/a\n9:cpuset,memory,pids:/docker/0123\n0::/x\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 8 * GIB);
    put("sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes", "1073741824\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), GIB);
    put("proc/self/cgroup", "9:memory:/host/path/that/is/not/here\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n"); /* a container's */
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 2 * GIB);
    put("proc/self/cgroup", "9:memory_other,other:/docker/0123\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), 8 * GIB);
}

Test(memory_limit, of_version_2_beside_version_1) {
    put("proc/self/cgroup", "9:cpu:/a\n0::/b\n");
    put("sys/fs/cgroup/unified/b/memory.max", "1073741824\n");
    cr_assert_eq(machine_memory_within(root, 8 * GIB), GIB);
}

Test(memory_limit, what_is_no_number_is_no_limit) {
    static const char *const texts[] = {
        "", "\n", "max\n", "-1\n", "0\n", "lots\n", "99999999999999999999999\n"};
    put("proc/self/cgroup", "0::/a\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("sys/fs/cgroup/a/memory.max", texts[i]);
        cr_assert_eq(machine_memory_within(root, 8 * GIB), 8 * GIB, "%s", texts[i]);
    }
}

Test(memory_limit, of_this_machine) {
    const int64_t here = machine_memory();
    cr_assert(here > 16 << 20 && here <= (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE),
              "%lld", (long long)here);
}
