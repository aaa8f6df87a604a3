#include "cli/help.h"

#include <fmt/format.h>

#include "views/flow.h"

namespace mini::cli {
namespace {

constexpr std::size_t kTextColumn = 25;
const views::TextStyle kStyle{.width = 80, .color = false, .unicode = false};

void write_option(std::string& out, const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += "-" + name + ", ";
  const bool has_short = !names.empty();
  for (const std::string& name : option.get_lnames()) names += "--" + name;
  const std::string& value = option.get_option_text();
  if (!value.empty()) names += value.starts_with('[') ? value : " " + value;
  views::Flow flow(out, kStyle, kTextColumn);
  flow.column(has_short ? 2 : 6).put(names);
  if (flow.position() + 2 > kTextColumn) flow.end_line();
  flow.column(kTextColumn).put(option.get_description()).end_line();
}

void write_options(std::string& out, const CLI::App& app) {
  std::string group;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() != group) {
      group = option->get_group();
      out += "\n" + group + ":\n";
    }
    write_option(out, *option);
  }
}

}  // namespace

std::string version_line() {
  return fmt::format("heapspy {}\n", MINI_VERSION);
}

std::string main_help() {
  return "Usage: heapspy COMMAND [options] ...\n"
         "\n"
         "Makes a program's memory visible, whatever allocator it uses.\n"
         "\n"
         "Commands:\n"
         "  trace          the story of a program's memory, told from its system calls\n"
         "  record         every allocation of a program with its stack, into a file\n"
         "  report         where the memory of a recorded program went\n"
         "  diff           what changed between two recordings\n"
         "  inspect        where each resident byte of a process or a core file is\n"
         "  run            a program on libminimalloc instead of its own malloc\n"
         "  lab            experiments: what malloc does here, predicted and observed\n"
         "  help COMMAND   the options of a command\n"
         "\n"
         "  -h, --help     show this help\n"
         "  -V, --version  show the version\n"
         "\n"
         "Try: heapspy trace ls\n"
         "     heapspy run --stats ls\n"
         "     heapspy lab\n";
}

std::string format_trace_help(const CLI::App& app) {
  std::string out =
      "Usage: heapspy trace [options] [--] CMD ARG...\n"
      "       heapspy trace [options] -p PID\n"
      "\n"
      "Runs CMD and tells what each of its memory system calls did: who asked for it,\n"
      "what it is for, what changed, and why. CMD's input, output, signals and exit\n"
      "status stay its own; heapspy writes to standard error.\n";
  write_options(out, app);
  out +=
      "\n"
      "Examples:\n"
      "  heapspy trace ls -l\n"
      "  heapspy trace --filter brk --stack python3 -c 'print(1)'\n"
      "  heapspy trace --summary --json build.jsonl g++ -c main.cc\n"
      "\n"
      "Exit status: CMD's own, or 128 + N where signal N killed it; 127 no such\n"
      "command, 126 it cannot be run or traced, 2 wrong usage, 1 a file of heapspy's\n"
      "own cannot be opened.\n";
  return out;
}

std::string format_record_help(const CLI::App& app) {
  std::string out =
      "Usage: heapspy record [options] [--] CMD ARG...\n"
      "       heapspy record [options] -p PID\n"
      "\n"
      "Runs CMD with an agent in it that tells of every allocation, with its call\n"
      "stack, and writes it all to a file for 'heapspy report'. Programs that CMD\n"
      "starts are recorded too, each into a file of its own. CMD's input, output,\n"
      "signals and exit status stay its own. With -p, the agent is put into a program\n"
      "that runs already, which goes on without it in the end.\n";
  write_options(out, app);
  out +=
      "\n"
      "Examples:\n"
      "  heapspy record -o build.heapspy g++ -c main.cc\n"
      "  heapspy record python3 -c 'print(1)'\n"
      "  heapspy record -p 1234 --duration 30s\n"
      "\n"
      "Exit status: CMD's own, or 128 + N where signal N killed it; 127 no such\n"
      "command, 126 it cannot be run, or not with the agent in it, 2 wrong usage, 1 the\n"
      "recording cannot be written. With -p: 0, or 126 PID cannot be joined.\n";
  return out;
}

std::string format_report_help(const CLI::App& app) {
  std::string out =
      "Usage: heapspy report [options] FILE\n"
      "\n"
      "Says where the memory of a recorded program went: how much was allocated, what\n"
      "was live at the peak and never freed, and which places in the program asked for\n"
      "it. Writes to standard output.\n";
  write_options(out, app);
  out +=
      "\n"
      "Examples:\n"
      "  heapspy report program.heapspy\n"
      "  heapspy report --tree=callers --measure leaked program.heapspy\n"
      "  heapspy report --export flamegraph -o peak.svg program.heapspy\n"
      "  heapspy report --fail-on-leak=64K --focus '^app::' program.heapspy\n"
      "  heapspy report --fail-on-leak --suppressions known.supp program.heapspy\n"
      "\n"
      "Exit status: 0; 1 FILE cannot be read or the report not written, 2 wrong usage,\n"
      "3 with --fail-on-leak where more was never freed.\n";
  return out;
}

std::string format_diff_help(const CLI::App& app) {
  std::string out =
      "Usage: heapspy diff [options] BEFORE AFTER\n"
      "\n"
      "Compares two recordings of a program: what grew, what shrank, and which places\n"
      "in the program it is from. Stacks are matched by the names of functions, so that\n"
      "the program may have been changed and built again in between. Or compares two\n"
      "looks at a process, by heapspy inspect --json: which blocks there are more of.\n";
  write_options(out, app);
  out +=
      "\n"
      "Examples:\n"
      "  heapspy diff old.heapspy new.heapspy\n"
      "  heapspy diff --by module --measure leaked old.heapspy new.heapspy\n"
      "  heapspy diff --fail-on-growth 5% old.heapspy new.heapspy\n"
      "  heapspy diff before.json after.json\n"
      "\n"
      "Exit status: 0; 1 a recording cannot be read or the diff not written, 2 wrong\n"
      "usage, 3 with --fail-on-growth where more grew.\n";
  return out;
}

std::string format_inspect_help(const CLI::App& app) {
  std::string out =
      "Usage: heapspy inspect [options] PID\n"
      "       heapspy inspect [options] CORE\n"
      "\n"
      "Says where the memory of a running process, or of one that left a core file, is:\n"
      "live blocks, free ones and where they are kept, arenas, stacks, files; what\n"
      "could be given back and which blocks keep it. The process needs no preparation,\n"
      "and is stopped only while its heap is read. Writes to standard output.\n";
  write_options(out, app);
  out +=
      "\n"
      "Examples:\n"
      "  heapspy inspect $(pidof redis-server)\n"
      "  heapspy inspect --json core.4711\n"
      "  heapspy inspect --chunks --free --size 64K-16M 4711\n"
      "  heapspy inspect --around 0x55e0c0de1010 4711\n"
      "  heapspy inspect --leaks 4711\n"
      "\n"
      "Exit status: 0; 1 the process or core cannot be read or the output not written,\n"
      "2 wrong usage.\n";
  return out;
}

std::string format_run_help(const CLI::App& app) {
  std::string out =
      "Usage: heapspy run [options] [--] CMD ARG...\n"
      "\n"
      "Runs CMD with libminimalloc in the place of its malloc: heapspy becomes CMD, so\n"
      "that its input, output, signals and exit status are its own. Programs that CMD\n"
      "starts have the library too.\n";
  write_options(out, app);
  out +=
      "\n"
      "Examples:\n"
      "  heapspy run python3 -c 'print(1)'\n"
      "  heapspy run --stats --set RETAIN=64M ./server\n"
      "\n"
      "Exit status: CMD's own; 127 no such command, 126 it cannot be run, or not with\n"
      "another malloc, 2 wrong usage. minimalloc(7) describes the library.\n";
  return out;
}

std::string format_lab_help(const CLI::App& app) {
  std::string out =
      "Usage: heapspy lab [--json]\n"
      "       heapspy lab [options] ID [[--] CMD ARG...]\n"
      "       heapspy lab --html DIR\n"
      "       heapspy lab glossary [WORD]\n"
      "\n"
      "Lists the experiments, or carries one out: its question and its program, what\n"
      "will happen by arithmetic from this machine's C library and pages, what did\n"
      "happen as heapspy's tracer and inspector saw it, and why. Some experiments\n"
      "take any command. None needs root.\n";
  write_options(out, app);
  out +=
      "\n"
      "Examples:\n"
      "  heapspy lab\n"
      "  heapspy lab 0.3\n"
      "  heapspy lab --ask 0.3\n"
      "  heapspy lab glossary top chunk\n"
      "\n"
      "Exit status: 0 if all was as predicted, 1 if not or if it could not be carried\n"
      "out or written, 2 wrong usage.\n";
  return out;
}

}  // namespace mini::cli
