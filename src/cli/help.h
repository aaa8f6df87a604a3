// The help texts: made from the options themselves, so that they cannot disagree.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace mini::cli {

std::string main_help();
std::string version_line();
std::string format_trace_help(const CLI::App& app);
std::string format_record_help(const CLI::App& app);
std::string format_report_help(const CLI::App& app);
std::string format_diff_help(const CLI::App& app);
std::string format_inspect_help(const CLI::App& app);
std::string format_run_help(const CLI::App& app);
std::string format_lab_help(const CLI::App& app);

}  // namespace mini::cli
