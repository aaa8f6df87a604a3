// Starting a program: what is found, what is refused, and what the program inherits.
#include "sources/launch.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "support/temporary_folder.h"
#include "trace_run.h"

namespace mini::sources {
namespace {

using testing::HasSubstr;

void make_file(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

TraceRun run(const std::vector<std::string>& command) {
  return run_traced(verified(command));
}

TEST(Launch, FindsCommandsByThePath) {
  EXPECT_THAT(resolve_command("ls").value_or(""), testing::EndsWith("/ls"));
  EXPECT_EQ(resolve_command("/bin/ls").value_or(""), "/bin/ls");
}

TEST(Launch, SaysWhyThereIsNothingToRun) {
  EXPECT_EQ(run({"no-such-command"}).outcome.error().error_number, ENOENT);
  EXPECT_EQ(run({""}).outcome.error().error_number, ENOENT);
  EXPECT_EQ(run({"./no/such/file"}).outcome.error().error_number, ENOENT);
  EXPECT_THAT(run({"no-such-command"}).outcome.error().message,
              HasSubstr("cannot run no-such-command"));
  EXPECT_EQ(run({"/tmp"}).outcome.error().error_number, EISDIR);
  EXPECT_EQ(run({"/etc/passwd"}).outcome.error().error_number, EACCES);
}

TEST(Launch, AFileNotExecutableInThePathIsToldFromNone) {
  const test::TemporaryFolder folder;
  make_file(folder / "file", "x", 0600);
  const char* path_before = std::getenv("PATH");
  ASSERT_NE(path_before, nullptr);
  const std::string saved = path_before;
  ::setenv("PATH", (folder.path() + ":/nowhere").c_str(), 1);
  EXPECT_EQ(resolve_command("file").error().error_number, EACCES);
  ::setenv("PATH", saved.c_str(), 1);
}

TEST(Launch, A32BitProgramIsRefusedInOneLine) {
  std::string header(64, '\0');
  header.replace(0, 7, std::string("\177ELF\1\1\1", 7));
  const test::TemporaryFolder folder;
  const std::string path = folder / "program";
  make_file(path, header, 0700);
  const auto outcome = run({path}).outcome;
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message, HasSubstr("32-bit program: heapspy traces 64-bit ones"));
}

TEST(Launch, ScriptsWithoutALineForTheKernelAreRunByTheShell) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "script";
  make_file(path, "exit $1\n", 0700);
  const TraceRun traced = run({path, "5"});
  ASSERT_TRUE(traced.outcome) << traced.outcome.error().message;
  EXPECT_EQ(traced.outcome->exit_status, 5);
}

TEST(Launch, AMissingInterpreterIsAnErrorOfItsOwn) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "script";
  make_file(path, "#!/no/such/interpreter\n", 0700);
  const auto outcome = run({path}).outcome;
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message, HasSubstr("interpreter"));
  EXPECT_NE(outcome.error().error_number, ENOENT);
}

// What it prints of itself is the same with and without trace: descriptors, signals, groups, ….
class Inherited : public testing::TestWithParam<bool> {
 protected:
  static std::string traced() {
    TraceOptions options = verified({target("state"), "an argument", ""});
    options.use_seccomp = GetParam();
    const TraceRun run = run_traced(options);
    EXPECT_TRUE(run.outcome);
    return run.output;
  }
  // But that a filter of a user who is not root takes away what set-user-ID files would give.
  static std::string plain() {
    std::string output = run_plain({target("state"), "an argument", ""}).output;
    constexpr std::string_view kMay = "NoNewPrivs:\t0";
    const auto at = output.find(kMay);
    if (GetParam() && ::geteuid() != 0 && at != std::string::npos) {
      output.replace(at, kMay.size(), "NoNewPrivs:\t1");
    }
    return output;
  }
};

TEST_P(Inherited, StateIsAsWithoutTrace) {
  const std::string expected = plain();
  ASSERT_THAT(expected, HasSubstr("SigIgn"));
  EXPECT_EQ(traced(), expected);
}

TEST_P(Inherited, IgnoredAndBlockedSignalsAreAsWithoutTrace) {
  constexpr std::array kSignals = {SIGINT, SIGTSTP, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGPIPE};
  std::array<struct sigaction, kSignals.size()> saved{};
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(kSignals.at(i), kSignals.at(i) == SIGCHLD ? nullptr : &ignore, &saved.at(i));
  }
  sigset_t blocked;
  sigset_t saved_mask;
  sigemptyset(&blocked);
  for (const int signal : {SIGTERM, SIGUSR2, SIGALRM}) sigaddset(&blocked, signal);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &saved_mask);
  const std::string expected = plain();
  EXPECT_EQ(traced(), expected);
  ::pthread_sigmask(SIG_SETMASK, &saved_mask, nullptr);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction now{};
    ::sigaction(kSignals.at(i), &saved.at(i), &now);
    if (kSignals.at(i) != SIGCHLD) {
      EXPECT_EQ(now.sa_handler, SIG_IGN) << kSignals.at(i);  // put back in us, too
    }
  }
}

TEST_P(Inherited, DescriptorsThatAreNotOursPassThrough) {
  const int fd = ::open("/dev/null", O_RDONLY);
  const int high = ::fcntl(fd, F_DUPFD, 40);
  const std::string expected = plain();
  EXPECT_EQ(traced(), expected);
  ::close(fd);
  ::close(high);
}

TEST_P(Inherited, StandardInputIsUntouched) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe(fds.data()), 0);
  ASSERT_EQ(::write(fds[1], "to be read\n", 11), 11);
  ::close(fds[1]);
  const int saved = ::fcntl(0, F_DUPFD_CLOEXEC, 10);
  ::dup2(fds[0], 0);
  ::close(fds[0]);
  TraceOptions options = verified({"cat"});
  options.use_seccomp = GetParam();
  EXPECT_EQ(run_traced(options).output, "to be read\n");
  ::dup2(saved, 0);
  ::close(saved);
}

INSTANTIATE_TEST_SUITE_P(Mechanisms, Inherited, testing::Bool(),
                         [](const auto& instance) { return instance.param ? "seccomp" : "plain"; });

}  // namespace
}  // namespace mini::sources
