// Shell completion and the manual know every option, and no other.
#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "cli/diff_arguments.h"
#include "cli/event_filter.h"
#include "cli/inspect_arguments.h"
#include "cli/lab_arguments.h"
#include "cli/record_arguments.h"
#include "cli/report_arguments.h"
#include "cli/run_arguments.h"
#include "cli/trace_arguments.h"

namespace mini::cli {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// All matches of the first group.
std::set<std::string> found(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    names.insert((*at)[1]);
  }
  return names;
}

std::set<std::string> long_options(const std::vector<std::string>& options) {
  std::set<std::string> names;
  for (const std::string& name : options) {
    if (name.starts_with("--")) names.insert(name.substr(2));
  }
  return names;
}

/// Of all commands together.
std::set<std::string> long_options() {
  std::set<std::string> names = long_options(trace_option_names());
  names.merge(long_options(record_option_names()));
  names.merge(long_options(report_option_names()));
  names.merge(long_options(inspect_option_names()));
  names.merge(long_options(diff_option_names()));
  names.merge(long_options(run_option_names()));
  names.merge(long_options(lab_option_names()));
  return names;
}

TEST(CompletionTest, BashKnowsEveryOption) {
  auto names = found(read(std::string(MINI_COMPLETION_DIR) + "/heapspy.bash"), "--([a-z][a-z-]+)");
  names.erase("version");  // of heapspy itself
  EXPECT_EQ(names, long_options());
}

TEST(CompletionTest, ZshKnowsEveryOption) {
  auto names = found(read(std::string(MINI_COMPLETION_DIR) + "/_heapspy"), "--([a-z][a-z-]+)");
  names.erase("version");
  EXPECT_EQ(names, long_options());
}

TEST(CompletionTest, FishKnowsEveryOption) {
  auto names = found(read(std::string(MINI_COMPLETION_DIR) + "/heapspy.fish"),
                     "complete [^\n]* -l ([a-z-]+)");
  names.erase("version");
  EXPECT_EQ(names, long_options());
}

TEST(CompletionTest, EveryShellOffersTheCallsThatAFilterTakes) {
  const auto known = EventFilter::syscall_names();
  for (const char* file : {"heapspy.bash", "_heapspy", "heapspy.fish"}) {
    const std::string text = read(std::string(MINI_COMPLETION_DIR) + "/" + file);
    const auto begin = text.find("brk mmap");
    ASSERT_NE(begin, std::string::npos) << file;
    const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_2 \\\n", begin);
    EXPECT_EQ(found(text.substr(begin, end - begin), "([a-z_2]+)"),
              (std::set<std::string>(known.begin(), known.end())))
        << file;
  }
}

TEST(CompletionTest, EveryShellOffersTheFormsOfExports) {
  std::string forms;
  for (const ExportForm& form : export_forms()) forms += " " + std::string(form.name);
  for (const char* file : {"heapspy.bash", "_heapspy", "heapspy.fish"}) {
    const std::string text = read(std::string(MINI_COMPLETION_DIR) + "/" + file);
    EXPECT_NE(text.find(forms.substr(1)), std::string::npos) << file;
  }
}

TEST(ManualTest, DescribesEveryOption) {
  const std::string pattern = "\\.It (?:Fl [a-z] [^\\n]*, )?Fl Fl ([a-z-]+)";
  const std::string man = std::string(MINI_DOCS_DIR) + "/man/";
  EXPECT_EQ(found(read(man + "heapspy-trace.1"), pattern), long_options(trace_option_names()));
  EXPECT_EQ(found(read(man + "heapspy-record.1"), pattern), long_options(record_option_names()));
  EXPECT_EQ(found(read(man + "heapspy-report.1"), pattern), long_options(report_option_names()));
  EXPECT_EQ(found(read(man + "heapspy-inspect.1"), pattern), long_options(inspect_option_names()));
  EXPECT_EQ(found(read(man + "heapspy-diff.1"), pattern), long_options(diff_option_names()));
  EXPECT_EQ(found(read(man + "heapspy-run.1"), pattern), long_options(run_option_names()));
  EXPECT_EQ(found(read(man + "heapspy-lab.1"), pattern), long_options(lab_option_names()));
}

}  // namespace
}  // namespace mini::cli
