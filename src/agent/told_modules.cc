#include "agent/told_modules.h"

#include <cstddef>
#include <cstring>
#include <string_view>

#include "agent/code.h"
#include "agent/keep_errno.h"
#include "kernel/vm/own_mappings.h"
#include "unwind/self/loader_index.h"
#include "wire/record.h"

namespace mini::agent {
namespace {

using unwind::self::ask_loader_index;
using unwind::self::LoaderAnswer;
using unwind::self::LoaderObject;
using unwind::self::Module;

std::uint64_t identity_of(const Module* module) {
  return reinterpret_cast<std::uint64_t>(module);
}

// What another module at the same place hardly has too, the memory of the loader's entry included.
std::uint64_t identity_of(const LoaderObject& object) {
  return reinterpret_cast<std::uint64_t>(object.entry) ^ object.map_end << 16 ^
         object.frames_header << 32;
}

// The list may still have the one whose place it got.
bool is_of(const Module& module, const LoaderObject& object) {
  return module.bias == object.bias && module.frames.header == object.frames_header &&
         std::strcmp(module.path, object.path) == 0;
}

bool is_module_there(std::uintptr_t begin, std::uint64_t identity) {
  LoaderObject object;
  if (ask_loader_index(begin, &object) == LoaderAnswer::kModule) {
    return object.map_begin == begin && identity_of(object) == identity;
  }
  return identity_of(code_table().modules().find(begin)) == identity;
}

// As the loader has it, it may be meant from the folder that the program was in then. Names without
// a folder are no files: the vDSO's.
std::string_view path_of(const Module& module, std::span<char> room) {
  const std::string_view path(module.path, module.path_bytes);
  if (path.starts_with('/') || path.find('/') == std::string_view::npos) return path;
  const std::size_t bytes = kernel::vm::find_own_file(module.code.begin, room);
  return bytes != 0 ? std::string_view(room.data(), bytes) : path;
}

bool tell_module(RecordRing& ring, const Module& module, std::uint64_t begin,
                 std::string_view path) {
  const std::size_t bytes = path.size() + module.build_id_bytes;
  const auto words = static_cast<std::uint32_t>(wire::kModuleHeadWords + (bytes + 7) / 8);
  if (!ring.has_room(1 + words)) return false;
  ring.put_time();
  ring.put(wire::record_word(wire::RecordKind::kModule), module.bias, begin, module.code.end,
           path.size() | std::uint64_t{module.build_id_bytes} << 32);
  ring.put_texts(path.data(), path.size(), &module.build_id[0], module.build_id_bytes);
  ring.publish();
  return true;
}

}  // namespace

// Frames are new only now and then, and the loader's index needs no lock.
bool tell_module_of(RecordRing& ring, std::uint64_t pc, std::span<char> room, ByteRange* told) {
  const KeepErrno keep;
  Session& session = *ring.session();
  LoaderObject object;
  Module mapped;
  const auto answer = ask_loader_index(pc - 1, &object);
  const Module* module = code_table().modules().find(pc - 1);
  std::uint64_t identity = identity_of(module);
  if (answer == LoaderAnswer::kModule) {
    identity = identity_of(object);
    *told = {object.map_begin, object.map_end};
    if (session.was_told(object.map_begin, identity)) return true;
    if (module == nullptr || !is_of(*module, object)) {
      const bool is_known = unwind::self::describe_mapped_module(object, &mapped);
      mapped.path = object.path;
      mapped.path_bytes = std::strlen(object.path);
      module = is_known ? &mapped : nullptr;
    }
  } else if (module != nullptr) {
    object.map_begin = module->code.begin;
  }
  if (module == nullptr || session.was_told(object.map_begin, identity)) return true;
  if (module->path_bytes > wire::kMostPathBytes) return true;
  tell_gone_modules(ring);  // whose place it may have
  if (!tell_module(ring, *module, object.map_begin, path_of(*module, room))) return false;
  session.set_told(object.map_begin, identity);
  return true;
}

void tell_gone_modules(RecordRing& ring) {
  ring.session()->forget_modules(is_module_there, [&ring](std::uintptr_t begin) {
    if (!ring.make_room(1 + wire::head_words(wire::RecordKind::kModuleGone))) return;
    ring.put_time();
    ring.put(wire::record_word(wire::RecordKind::kModuleGone), begin);
    ring.publish();
  });
}

}  // namespace mini::agent
