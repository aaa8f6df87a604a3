// The text is put together on the stack: the heap is what went wrong.
#include "alloc/misuse.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "alloc/allocator.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

class Text {
 public:
  Text& operator<<(const char* word) {
    const std::size_t length = std::strlen(word);
    const std::size_t fits = length < text_.size() - size_ ? length : text_.size() - size_;
    std::memcpy(text_.data() + size_, word, fits);
    size_ += fits;
    return *this;
  }
  Text& operator<<(std::uint64_t number) { return append(number, 10); }
  Text& operator<<(const void* address) {
    *this << "0x";
    return append(reinterpret_cast<std::uintptr_t>(address), 16);
  }
  void write() const { kernel::vm::write_error(text_.data(), size_); }

 private:
  Text& append(std::uint64_t number, unsigned base) {
    std::array<char, 24> digits{};
    std::size_t i = digits.size() - 1;
    do {
      digits[--i] = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    return *this << &digits[i];
  }

  std::array<char, 320> text_{};
  std::size_t size_ = 0;
};

// A block, and where in it `p` points.
void describe_block(Text& text, const void* p, const std::byte* begin, std::uint64_t bytes,
                    bool is_free) {
  const auto inside = static_cast<std::uint64_t>(static_cast<const std::byte*>(p) - begin);
  if (inside != 0) text << inside << " bytes inside ";
  text << "a block of " << bytes << " bytes";
  if (inside != 0) text << " at " << static_cast<const void*>(begin);
  if (is_free) text << ", which is free";
}

// The program may have written over what the pool says of its blocks: state() tells.
void describe_in_pool(Text& text, const void* p, const Pool& pool, bool is_free) {
  const std::byte* block = pool.memory() + kGranule;
  const std::byte* const end = block + pool.used_bytes();
  while (block < end && pool.state(block) != Pool::State::kNoBlock) {
    const std::size_t bytes = Pool::usable_size(block);
    if (p >= block && p < block + bytes) {
      const bool freed = pool.state(block) == Pool::State::kFreed;
      return describe_block(text, p, block, bytes, is_free || freed);
    }
    block += bytes + sizeof(std::uint64_t);
  }
  text << "in memory of this allocator, where no block is";
}

// What lies at an address, as far as the records tell; read without a lock, since this is the end.
// `is_free`: the block is known to be.
void describe(Text& text, const void* p, const Backing& backing, bool is_free) {
  for (const Pool* const pool : {&g_first_pool, &g_emergency}) {
    if (pool->contains(p)) return describe_in_pool(text, p, *pool, is_free);
  }
  const Window& window = backing.window;
  const std::size_t offset = window.offset(p);
  if (!window.contains(offset)) {
    text << "not an address of this allocator";
    return;
  }
  const auto page = static_cast<std::uint32_t>(offset >> kPageShift);
  for (SpanId id = 1; id < backing.spans.end(); ++id) {
    const Span& span = window.span(id);
    if (span.kind == SpanKind::kFree || page < span.first.value ||
        page - span.first.value >= span.pages.count) {
      continue;
    }
    const std::byte* const begin = window.address(span.first);
    if (span.kind != SpanKind::kSlab) {
      is_free = is_free || span.kind == SpanKind::kCached;
      return describe_block(text, p, begin, span.pages.bytes(), is_free);
    }
    const auto in_span = static_cast<std::size_t>(static_cast<const std::byte*>(p) - begin);
    const std::uint32_t block_bytes = span.block_bytes();
    const auto index = static_cast<std::uint32_t>(in_span / block_bytes);
    if (index >= span.block_count) break;  // the slab's end
    is_free = is_free || span.free.test(index);
    return describe_block(text, p, begin + std::size_t{index} * block_bytes, block_bytes, is_free);
  }
  text << "in memory of this allocator, where no block is";
}

void begin_line(Text& text, Misuse misuse, const void* p) {
  static constexpr std::array kWhat = {"double free of ", "invalid free of ", "invalid realloc of ",
                                       "free with a wrong size of "};
  text << "minimalloc: " << kWhat[static_cast<std::size_t>(misuse)] << p << ": ";
}

void describe_size(Text& text, std::size_t bytes) {
  text << "; freed as " << std::uint64_t{bytes} << " bytes";
}

}  // namespace

void die_of_misuse(Misuse misuse, const void* p, const Backing& backing, std::size_t bytes) {
  Text text;
  begin_line(text, misuse, p);
  describe(text, p, backing, misuse == Misuse::kDoubleFree);
  if (misuse == Misuse::kSizeMismatch) {
    describe_size(text, bytes);
    text << " (with MINIMALLOC_WRONG_SIZES=warn it goes on)";
  }
  text << "\n";
  text.write();
  std::abort();
}

void warn_of_size(const void* p, std::size_t block_bytes, std::size_t bytes) {
  static constinit std::atomic<bool> is_said{false};
  if (is_said.exchange(true, std::memory_order_relaxed)) return;
  Text text;
  begin_line(text, Misuse::kSizeMismatch, p);
  describe_block(text, p, static_cast<const std::byte*>(p), block_bytes, false);
  describe_size(text, bytes);
  text << "; the program goes on, and no other is told of\n";
  text.write();
}

}  // namespace mini::alloc
