// One small function for each kind of call. Where the kernel alone knows what became of a call
// (huge pages, a driver's mapping, a call that failed half-way), it is asked.
#include "sources/space_update.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <string>
#include <sys/mman.h>

#include "base/checked.h"
#include "sources/program_image.h"

namespace mini::sources {
namespace {

using kernel::SyscallId;
using model::Mapping;

// Of <linux/mman.h>; in part newer than the C library's headers.
constexpr std::uint64_t kMapTypeMask = 0xf;
constexpr std::uint64_t kMapDroppable = 8;
constexpr std::uint64_t kMremapDontUnmap = 4;
constexpr std::string_view kSharedAnonymous = "/dev/zero (deleted)";

class Update {
 public:
  Update(TracedProcess& process, const Call& call, CallResult result)
      : process_(process), space_(*process.space->model), call_(call), result_(result) {}

  // Inlined, it makes GCC 12 for aarch64 fear for what a pointer to a member function points to.
  [[gnu::noinline]] Effect apply();

 private:
  std::uint64_t argument(std::size_t i) const { return call_.registers.arguments.at(i); }
  Address returned() const { return Address{static_cast<std::uint64_t>(result_.value)}; }

  AddressRange pages(std::uint64_t address, std::uint64_t length) const;
  std::optional<Mapping> look_up(Address address);
  void read_anew() { sources::read_anew(space_, process_.reader); }

  void brk();
  void mmap();
  void munmap();
  void mremap();
  void mremap_in_place(AddressRange from, AddressRange to);
  void mprotect();
  void attach(Address at);
  void shmat() { attach(returned()); }
  void io_setup();
  void detach();
  void remap();
  void set_name();
  void look();
  void nothing() {}
  void after_failure();

  Mapping describe_mmap(AddressRange range);
  void note_code(const std::vector<Mapping>& mappings);

  TracedProcess& process_;
  model::AddressSpace& space_;
  const Call& call_;
  static const std::array<void (Update::*)(), kernel::kSyscallIdCount> kActions;

  CallResult result_;
  Effect effect_;
};

// Addresses are rounded down, lengths up; a range that passes the end of memory is empty.
AddressRange Update::pages(std::uint64_t address, std::uint64_t length) const {
  const std::uint64_t begin = address & ~(kernel::page_size().count - 1);
  const auto end = checked_add(address, length);
  const auto rounded = end ? checked_round_up(Bytes{*end}, kernel::page_size()) : std::nullopt;
  if (!rounded) return {Address{begin}, Address{begin}};
  return {Address{begin}, Address{rounded->count}};
}

std::optional<Mapping> Update::look_up(Address address) {
  const auto entry = process_.maps.find(address);
  return entry ? std::optional(to_mapping(*entry)) : std::nullopt;
}

void Update::brk() {
  const Bytes page = kernel::page_size();
  const auto old_break = space_.program_break();
  const AddressRange now = pages(returned().value, 0);
  const Address new_end = now.end;
  const Address old_end =
      old_break ? Address{checked_round_up(Bytes{old_break->value}, page).value_or(Bytes{}).count}
                : new_end;
  effect_.range = {std::min(old_end, new_end), std::max(old_end, new_end)};
  if (new_end < old_end) effect_.mappings = space_.within(effect_.range);
  space_.set_break(returned(), page);
  if (new_end <= old_end) return;
  if (process_.space->read_implies_exec) {
    if (const auto kernel = look_up(old_end)) space_.protect(effect_.range, kernel->protection);
  }
  effect_.mappings = space_.within(effect_.range);
}

Mapping Update::describe_mmap(AddressRange range) {
  const std::uint64_t prot = argument(2);
  const std::uint64_t flags = argument(3);
  const std::uint64_t type = flags & kMapTypeMask;
  const bool anonymous = (flags & MAP_ANONYMOUS) != 0;
  Mapping mapping;
  mapping.range = range;
  mapping.protection = {.read = (prot & PROT_READ) != 0,
                        .write = (prot & PROT_WRITE) != 0,
                        .execute = (prot & PROT_EXEC) != 0};
  mapping.shared = type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
  if (!anonymous && call_.file) {
    mapping.path = call_.file->path;
    mapping.device = call_.file->device;
    mapping.inode = call_.file->inode;
    mapping.file_offset = argument(5);
  } else if (anonymous && mapping.shared) {
    mapping.path = kSharedAnonymous;
  }
  // A driver may map another file than the one it was asked for; shared memory gets one of its own.
  const bool odd = (anonymous && mapping.shared) || process_.space->read_implies_exec ||
                   type == kMapDroppable || (!anonymous && !(call_.file && call_.file->regular));
  if (const auto kernel = odd ? look_up(range.begin) : std::nullopt) {
    const AddressRange part{range.begin, std::min(range.end, kernel->range.end)};
    mapping = model::slice(*kernel, part);
    mapping.range = range;
  }
  return mapping;
}

void Update::mmap() {
  const std::uint64_t flags = argument(3);
  effect_.range = pages(returned().value, argument(1));
  note_code(space_.within(effect_.range));  // what a fixed mapping replaces
  if ((flags & MAP_GROWSDOWN) != 0) process_.space->grows_down = true;
  space_.map(describe_mmap(effect_.range));
  const Mapping* made = space_.find(effect_.range.begin);
  // Huge pages are longer than the length asked for.
  if ((flags & MAP_HUGETLB) != 0 || (made != nullptr && made->path.starts_with("/anon_hugepage"))) {
    read_anew();
    made = space_.find(effect_.range.begin);
    if (made != nullptr) effect_.range.end = std::max(effect_.range.end, made->range.end);
  }
  effect_.mappings = space_.within(effect_.range);
}

void Update::munmap() {
  effect_.range = pages(argument(0), argument(1));
  effect_.mappings = space_.within(effect_.range);
  space_.unmap(effect_.range);
}

void Update::mremap() {
  AddressRange from = pages(argument(0), argument(1));
  const AddressRange to = pages(returned().value, argument(2));
  effect_.range = to;
  effect_.mappings = space_.within(from);
  note_code(space_.within(to));
  if (!effect_.mappings.empty() && effect_.mappings.front().path.starts_with("/anon_hugepage")) {
    return read_anew();
  }
  if (from.begin == to.begin) return mremap_in_place(from, to);
  if (to.size() < from.size() && !from.empty()) {
    const Address kept_end = from.begin + to.size();
    space_.unmap({kept_end, from.end});
    from.end = kept_end;
  }
  space_.move(from, to, from.empty() || (argument(3) & kMremapDontUnmap) != 0);
}

void Update::mremap_in_place(AddressRange from, AddressRange to) {
  if (to.end < from.end) return space_.unmap({to.end, from.end});
  const Mapping* last = from.empty() ? nullptr : space_.find(from.end - Bytes{1});
  if (last == nullptr || to.end == from.end) return;
  Mapping tail = *last;
  tail.range = {from.end, to.end};
  if (!model::is_anonymous(*last)) {
    tail.file_offset += (from.end - last->range.begin).count;
  }
  space_.map(std::move(tail));
}

void Update::mprotect() {
  const std::uint64_t prot = argument(2);
  effect_.range = pages(argument(0), argument(1));
  effect_.mappings = space_.within(effect_.range);
  space_.protect(effect_.range, {.read = (prot & PROT_READ) != 0,
                                 .write = (prot & PROT_WRITE) != 0,
                                 .execute = (prot & PROT_EXEC) != 0});
  if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) != 0 || process_.space->read_implies_exec) {
    read_anew();
  }
  note_code(space_.within(effect_.range));
}

// shmat, io_setup, map_shadow_stack: the kernel decides what is mapped, and how much of it.
void Update::attach(Address at) {
  const auto mapping = look_up(at);
  if (!mapping) return;
  effect_.range = mapping->range;
  space_.map(*mapping);
  effect_.mappings = space_.within(effect_.range);
}

void Update::io_setup() {
  if (const auto ring = process_.memory.read_object<Address>(Address{argument(1)})) attach(*ring);
}

// remap_file_pages: other pages of the file in the same place.
void Update::remap() {
  look();
  read_anew();
}

// madvise, mlock and the like: nothing that maps shows.
void Update::look() {
  effect_.range = pages(argument(0), argument(1));
  effect_.mappings = space_.within(effect_.range);
}

// shmdt, io_destroy: by the address alone; parts may have been unmapped or protected before.
void Update::detach() {
  const Mapping* mapping = space_.find(Address{argument(0)});
  if (mapping == nullptr) return;
  effect_.range = mapping->range;
  effect_.mappings = {*mapping};
  read_anew();
}

void Update::set_name() {
  effect_.range = pages(argument(2), argument(3));
  effect_.mappings = space_.within(effect_.range);
  const bool clear = argument(4) == 0;
  const std::string name = call_.arguments.size() > 4 ? call_.arguments[4].text : "";
  for (const Mapping& mapping : effect_.mappings) {
    if (model::is_anonymous(mapping)) {
      space_.name(mapping.range, clear ? "" : fmt::format("[anon:{}]", name));
    } else if (mapping.shared) {
      space_.name(mapping.range,
                  clear ? std::string(kSharedAnonymous) : fmt::format("[anon_shmem:{}]", name));
    }
  }
}

// The kernel may have done a part before it failed, except where it refused the arguments.
void Update::after_failure() {
  const SyscallId id = call_.spec->id;
  const std::size_t first = id == SyscallId::kPrctl ? 2 : 0;
  if (id != SyscallId::kBrk && id != SyscallId::kMmap &&
      call_.spec->parameters.size() > first + 1 &&
      call_.spec->parameters[first + 1].form == kernel::ParameterForm::kBytes) {
    effect_.range = pages(argument(first), argument(first + 1));
    effect_.mappings = space_.within(effect_.range);
  }
  const bool fixed = id != SyscallId::kMmap || (argument(3) & MAP_FIXED) != 0;
  if (call_.spec->changes_mappings && fixed && result_.value != -EINVAL &&
      result_.value != -EBADF) {
    read_anew();
    process_.space->modules_changed = true;
  }
}

void Update::note_code(const std::vector<Mapping>& mappings) {
  if (std::ranges::any_of(mappings, is_code)) process_.space->modules_changed = true;
}

// In the order of SyscallId.
const std::array<void (Update::*)(), kernel::kSyscallIdCount> Update::kActions = {
    &Update::brk,      &Update::mmap,    &Update::munmap,  &Update::mremap,   &Update::mprotect,
    &Update::mprotect, &Update::look,    &Update::nothing, &Update::shmat,    &Update::detach,
    &Update::look,     &Update::look,    &Update::look,    &Update::nothing,  &Update::nothing,
    &Update::set_name, &Update::nothing, &Update::nothing, &Update::io_setup, &Update::detach,
    &Update::remap,    &Update::shmat,   &Update::nothing, &Update::nothing,  &Update::nothing,
    &Update::nothing,  &Update::nothing,
};
static_assert(static_cast<std::size_t>(SyscallId::kClone) + 1 == kernel::kSyscallIdCount);

Effect Update::apply() {
  if (result_.failed) {
    after_failure();
  } else {
    (this->*kActions.at(static_cast<std::size_t>(call_.spec->id)))();
    if (call_.spec->changes_mappings) note_code(effect_.mappings);
  }
  return std::move(effect_);
}

}  // namespace

Effect apply_call(TracedProcess& process, const Call& call, CallResult result) {
  return Update(process, call, result).apply();
}

}  // namespace mini::sources
