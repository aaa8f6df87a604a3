// What a user is told who may not trace: of machines that this one is not, too.
#include "sources/refusal.h"

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mini::sources {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint32_t kUser = 1000;

Refusal refusal(bool own_child, int ptrace_scope, std::uint32_t user = kUser) {
  return {.error_number = EPERM,
          .own_child = own_child,
          .owner = user,
          .user = user,
          .ptrace_scope = ptrace_scope};
}

TEST(Refusal, ScopeOneForbidsToJoinButNotToStart) {
  EXPECT_THAT(explain_refusal(refusal(false, 1)),
              AllOf(HasSubstr("ptrace_scope is 1"), HasSubstr("ptrace_scope=0"),
                    HasSubstr("start the program by heapspy")));
  EXPECT_THAT(explain_refusal(refusal(true, 1)), Not(HasSubstr("ptrace_scope is")));
}

TEST(Refusal, ScopeTwoForbidsBothToUsers) {
  EXPECT_THAT(explain_refusal(refusal(false, 2)), HasSubstr("ptrace_scope=0"));
  EXPECT_THAT(explain_refusal(refusal(true, 2)),
              AllOf(HasSubstr("ptrace_scope is 2"), HasSubstr("ptrace_scope=1"),
                    HasSubstr("CAP_SYS_PTRACE"), Not(HasSubstr("start the program"))));
  EXPECT_THAT(explain_refusal(refusal(true, 2, 0)), Not(HasSubstr("ptrace_scope is")));
}

TEST(Refusal, ScopeThreeForbidsAllToAll) {
  for (const bool own_child : {false, true}) {
    EXPECT_THAT(explain_refusal(refusal(own_child, 3, 0)),
                AllOf(HasSubstr("ptrace_scope is 3"), Not(HasSubstr("sysctl"))));
  }
}

TEST(Refusal, AContainerThatForbidsPtrace) {
  for (const bool own_child : {false, true}) {
    EXPECT_THAT(explain_refusal(refusal(own_child, 0, 0)),
                AllOf(HasSubstr("Operation not permitted"), HasSubstr("--cap-add=SYS_PTRACE"),
                      HasSubstr("seccomp=unconfined")));
  }
  EXPECT_THAT(explain_refusal({.error_number = ENOSYS}),
              AllOf(HasSubstr("not implemented"), HasSubstr("--cap-add=SYS_PTRACE")));
}

TEST(Refusal, AnotherTracerComesFirst) {
  Refusal traced = refusal(false, 3);
  traced.tracer = 4711;
  EXPECT_THAT(explain_refusal(traced),
              AllOf(HasSubstr("already traced by process 4711"), Not(HasSubstr("heapspy itself"))));
  traced.own_child = true;
  EXPECT_THAT(explain_refusal(traced), HasSubstr("as heapspy itself is"));
}

TEST(Refusal, AnotherUsersProcess) {
  Refusal others = refusal(false, 1);
  others.owner = 0;
  EXPECT_THAT(explain_refusal(others), AllOf(HasSubstr("belongs to user 0"), HasSubstr("sudo")));
}

TEST(Refusal, OtherErrorsStandForThemselves) {
  EXPECT_EQ(explain_refusal({.error_number = EIO}), "Input/output error");
}

}  // namespace
}  // namespace mini::sources
