#include "lab/elf_program.h"

#include <cstring>
#include <fmt/format.h>
#include <libelf.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "lab/target_output.h"
#include "sources/target_settings.h"
#include "unwind/elf_file.h"
#include "unwind/symbol_table.h"

namespace mini::lab {
namespace {

std::string interpreter_in(Elf* elf, const Elf64_Phdr& header) {
  // elf_rawfile() would make libelf 0.188 forget to free what it read of the notes before.
  const Elf_Data* const data = ::elf_getdata_rawchunk(
      elf, static_cast<std::int64_t>(header.p_offset), header.p_filesz, ELF_T_BYTE);
  if (data == nullptr || data->d_buf == nullptr) return {};
  const std::string_view text(static_cast<const char*>(data->d_buf), data->d_size);
  return std::string(text.substr(0, text.find('\0')));
}

// What the command prints; fails where it does not succeed.
Result<std::string> output_of(std::vector<std::string> words) {
  auto output = TargetOutput::open();
  if (!output) return std::unexpected(output.error());
  const std::vector<char*> arguments = sources::pointers_to(words);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, (*output)->write_end(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, (*output)->write_end(), STDERR_FILENO);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, words.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail(fmt::format("cannot run {}: {}", words.front(), std::strerror(error)), error);
  }
  (*output)->start();
  std::string text = (*output)->collect();
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  return fail(fmt::format("{} {} failed: {}", words[0], words[1], text));
}

}  // namespace

bool LoadedSegment::has_anonymous_tail(Bytes page_size) const {
  const auto page_up = [page_size](std::uint64_t at) {
    return (at + page_size.count - 1) / page_size.count * page_size.count;
  };
  return page_up(address + in_memory.count) > page_up(address + in_file.count);
}

Result<ElfProgram> read_elf_program(const std::string& path) {
  const auto file = unwind::ElfFile::open(path);
  if (!file) return fail(fmt::format("{} is no ELF program: {}", path, file.error().message));
  Elf* const elf = (*file)->elf();
  std::size_t count = 0;
  const Elf64_Phdr* const headers = ::elf64_getphdr(elf);
  if (headers == nullptr || ::elf_getphdrnum(elf, &count) != 0) {
    return fail(fmt::format("{} has no program headers", path));
  }
  ElfProgram program;
  for (std::size_t i = 0; i < count; ++i) {
    const Elf64_Phdr& header = headers[i];
    if (header.p_type == PT_INTERP) program.interpreter = interpreter_in(elf, header);
    if (header.p_type != PT_LOAD) continue;
    program.segments.push_back({.address = header.p_vaddr,
                                .in_file = Bytes{header.p_filesz},
                                .in_memory = Bytes{header.p_memsz},
                                .write = (header.p_flags & PF_W) != 0,
                                .execute = (header.p_flags & PF_X) != 0});
  }
  return program;
}

std::optional<std::uint64_t> symbol_address(const std::string& path, std::string_view name) {
  const auto file = unwind::ElfFile::open(path);
  if (!file) return std::nullopt;
  const unwind::SymbolTable table(**file, unwind::SymbolTable::Kind::kStatic);
  return table.address_of(name);
}

std::vector<std::string> listed_libraries(std::string_view listed, std::string_view loader) {
  constexpr std::string_view kArrow = " => ";
  std::vector<std::string> libraries;
  while (!listed.empty()) {
    std::string_view line = take_line(listed);
    line = line.substr(0, line.rfind(" ("));
    if (line.starts_with('\t')) line.remove_prefix(1);
    const auto arrow = line.find(kArrow);
    if (arrow != std::string_view::npos) line.remove_prefix(arrow + kArrow.size());
    // The kernel's has no path.
    if (line.contains('/') && line != loader) libraries.emplace_back(line);
  }
  return libraries;
}

Result<std::vector<std::string>> libraries_of(const std::string& path) {
  const auto program = read_elf_program(path);
  if (!program) return std::unexpected(program.error());
  if (program->interpreter.empty()) return std::vector<std::string>{};
  const auto listed = output_of({program->interpreter, "--list", path});
  if (!listed) return std::unexpected(listed.error());
  return listed_libraries(*listed, program->interpreter);
}

}  // namespace mini::lab
