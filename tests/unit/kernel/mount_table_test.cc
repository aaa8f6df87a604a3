#include "kernel/mount_table.h"

#include <gtest/gtest.h>

namespace mini::kernel {
namespace {

TEST(MountTable, APathIsOnTheInnermostMountThatItLeadsTo) {
  const MountTable mounts(
      "/dev/sda1 / ext4 rw 0 0\n"
      "proc /proc proc rw 0 0\n"
      "systemd-1 /mnt autofs rw 0 0\n"
      "host:/disk /mnt nfs rw 0 0\n"
      "/etc/auto.net /net autofs rw 0 0\n"
      "host:/x /net/host nfs4 rw 0 0\n"
      "tmpfs /with\\040space tmpfs rw 0 0\n"
      "/dev/sda2 /home\n");
  EXPECT_EQ(mounts.type_at("/"), "ext4");
  EXPECT_EQ(mounts.type_at("/usr/bin/ls"), "ext4");
  EXPECT_EQ(mounts.type_at("/process"), "ext4");
  EXPECT_EQ(mounts.type_at("/proc/self/exe"), "proc");
  EXPECT_EQ(mounts.type_at("/mnt/file"), "nfs");
  EXPECT_EQ(mounts.type_at("/net/other/file"), "autofs");
  EXPECT_EQ(mounts.type_at("/net/host/file"), "nfs4");
  EXPECT_EQ(mounts.type_at("/with space/file"), "tmpfs");
  EXPECT_EQ(mounts.type_at("/home/file"), "");
  EXPECT_EQ(MountTable("").type_at("/usr"), "");
}

TEST(MountTable, AnOptionTellsMountsOfOneTypeApart) {
  const MountTable mounts(
      "cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0\n"
      "cgroup /a\\040b cgroup rw,freezer 0 0\n"
      "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n");
  EXPECT_EQ(mounts.folder_of("cgroup", "freezer"), "/a b");
  EXPECT_EQ(mounts.folder_of("cgroup", "cpuacct"), "/sys/fs/cgroup/cpu");
  EXPECT_EQ(mounts.folder_of("cgroup", "pids"), "");
  EXPECT_EQ(mounts.folder_of("cgroup2", ""), "/sys/fs/cgroup/unified");
  EXPECT_EQ(mounts.folder_of("ext4", ""), "");
}

TEST(MountTable, OursHasARoot) {
  EXPECT_NE(MountTable::read().type_at("/"), "");
  EXPECT_EQ(MountTable::read().type_at("/proc/self/maps"), "proc");
}

}  // namespace
}  // namespace mini::kernel
