/* How many processors the control groups allow, over a made tree of their files. */
#include <criterion/criterion.h>
#include <sched.h>

#include "server/base/machine.h"
#include "tests/unit/made_tree.h"

TestSuite(cores, .init = make_root, .fini = remove_root);

Test(cores, without_groups_all_that_are_allowed) {
    cr_assert_eq(machine_cores_within(root, 64), 64);
    put("proc/self/cgroup", "0::/\n4:memory:/a\nnonsense\n");
    cr_assert_eq(machine_cores_within(root, 64), 64);
    put("sys/fs/cgroup/cpu.max", "max 100000\n");
    cr_assert_eq(machine_cores_within(root, 64), 64);
    cr_assert_eq(machine_cores_within(root, 0), 1);
}

Test(cores, of_version_2) {
    static const struct {
        const char *limit;
        int cores;
    } rows[] = {{"200000 100000\n", 2}, {"150000 100000\n", 2}, {"50000 100000\n", 1},
                {"1000 100000\n", 1},   {"400000 50000\n", 8},  {"100000000 100000\n", 64},
                {"max 100000\n", 64},   {"200000\n", 64},       {"0 0\n", 64},
                {"x 100000\n", 64},     {"-1 100000\n", 64},    {"", 64}};
    put("proc/self/cgroup", "0::/system.slice/denoised.service\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put("sys/fs/cgroup/system.slice/denoised.service/cpu.max", rows[i].limit);
        cr_expect_eq(machine_cores_within(root, 64), rows[i].cores, "%s", rows[i].limit);
    }
    put("sys/fs/cgroup/system.slice/denoised.service/cpu.max", "600000 100000\n");
    put("sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n"); /* around it */
    cr_assert_eq(machine_cores_within(root, 64), 3);
    cr_assert_eq(machine_cores_within(root, 2), 2, "the affinity allows less");
}

Test(cores, in_a_container_the_mount_is_the_group) {
    put("proc/self/cgroup", "0::/../../kubepods/burstable\n"); /* from outside its own view */
    put("sys/fs/cgroup/cpu.max", "250000 100000\n");
    cr_assert_eq(machine_cores_within(root, 64), 3);
}

Test(cores, of_version_1) {
    put("proc/self/cgroup", "9:memory:/x\n4:cpu,cpuacct:/docker/0123\n0::/x\n");
    put("sys/fs/cgroup/cpu/docker/0123/cpu.cfs_quota_us", "-1\n"); /* none */
    put("sys/fs/cgroup/cpu/docker/0123/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(machine_cores_within(root, 64), 64);
    put("sys/fs/cgroup/cpu/docker/0123/cpu.cfs_quota_us", "350000\n");
    cr_assert_eq(machine_cores_within(root, 64), 4);
    put("proc/self/cgroup", "4:cpu,cpuacct:/host/path/that/is/not/here\n"); /* a container's */
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(machine_cores_within(root, 64), 1);
    put("proc/self/cgroup", "4:cpuset:/a\n5:cpuacct:/a\n");
    cr_assert_eq(machine_cores_within(root, 64), 64, "another controller's limit counts");
}

Test(cores, the_affinity_counts) {
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    size_t first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_assert_eq(machine_cores(), 1);
    cr_assert_eq(sched_setaffinity(0, sizeof all, &all), 0);
    cr_assert_eq(machine_cores(), 1, "the first call decides");
}
