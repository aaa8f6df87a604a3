// Every form of operator new and delete, against each other, and against what libstdc++ itself
// does.
#include <array>
#include <cstdlib>
#include <exception>
#include <locale>
#include <malloc.h>
#include <map>
#include <memory_resource>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "expect_cxx.h"

namespace {

void use(void* block, std::size_t size, std::size_t alignment) {
  EXPECT_WITH(static_cast<long long>(size), block != nullptr);
  EXPECT_WITH(static_cast<long long>(size), is_aligned(block, alignment));
  EXPECT_WITH(static_cast<long long>(size), malloc_usable_size(block) >= size);
  std::memset(block, 0xa5, size);
}

// Which new a delete may end is the standard's: any of those without an alignment, by any of those.
void check_plain_forms(std::size_t size) {
  const std::size_t alignment = size >= 16 ? 16 : 1;
  for (unsigned way = 0; way < 6; ++way) {
    void* one = way % 2 == 0 ? ::operator new(size) : ::operator new(size, std::nothrow);
    void* many = way % 2 == 0 ? ::operator new[](size) : ::operator new[](size, std::nothrow);
    EXPECT(one != many);
    use(one, size, alignment);
    use(many, size, alignment);
    switch (way / 2) {
      case 0:
        ::operator delete(one), ::operator delete[](many);
        break;
      case 1:
        ::operator delete(one, size), ::operator delete[](many, size);
        break;
      default:
        ::operator delete(one, std::nothrow), ::operator delete[](many, std::nothrow);
    }
  }
}

void check_aligned_forms(std::size_t size, std::size_t bytes) {
  const std::align_val_t alignment{bytes};
  for (unsigned way = 0; way < 6; ++way) {
    void* one = way % 2 == 0 ? ::operator new(size, alignment)
                             : ::operator new(size, alignment, std::nothrow);
    void* many = way % 2 == 0 ? ::operator new[](size, alignment)
                              : ::operator new[](size, alignment, std::nothrow);
    use(one, size, bytes);
    use(many, size, bytes);
    switch (way / 2) {
      case 0:
        ::operator delete(one, alignment), ::operator delete[](many, alignment);
        break;
      case 1:
        ::operator delete(one, size, alignment), ::operator delete[](many, size, alignment);
        break;
      default:
        ::operator delete(one, alignment, std::nothrow);
        ::operator delete[](many, alignment, std::nothrow);
    }
  }
}

void check_delete_of_nothing() {
  ::operator delete(nullptr);
  ::operator delete[](nullptr);
  ::operator delete(nullptr, std::size_t{8});
  ::operator delete[](nullptr, std::size_t{8});
  ::operator delete(nullptr, std::align_val_t{64});
  ::operator delete[](nullptr, std::align_val_t{64});
  ::operator delete(nullptr, std::size_t{8}, std::align_val_t{64});
  ::operator delete[](nullptr, std::size_t{8}, std::align_val_t{64});
  ::operator delete(nullptr, std::nothrow);
  ::operator delete[](nullptr, std::nothrow);
  ::operator delete(nullptr, std::align_val_t{64}, std::nothrow);
  ::operator delete[](nullptr, std::align_val_t{64}, std::nothrow);
}

// Blocks that one side allocates and the other frees: templates of the program's, code of the
// library's.
void check_library() {
  std::map<std::string, std::vector<std::string>> words;
  for (int i = 0; i < 5000; ++i) {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << "a text that is too long for a small string, number " << i;
    words[text.str().substr(0, 40 + static_cast<std::size_t>(i % 20))].push_back(text.str());
  }
  std::pmr::unsynchronized_pool_resource pool(std::pmr::new_delete_resource());
  std::pmr::vector<std::pmr::string> strings(&pool);
  for (const auto& [key, values] : words) strings.emplace_back(values.front());
  EXPECT(strings.size() == words.size());

  struct alignas(256) Wide {
    std::array<char, 256> bytes;
  };
  std::vector<Wide> wide(100);
  EXPECT(is_aligned(wide.data(), 256));
  for (int i = 0; i < 1000; ++i) {
    try {
      throw std::runtime_error("a message that has to be allocated, as has the exception");
    } catch (const std::exception& error) {
      EXPECT(std::strlen(error.what()) > 50);
    }
  }
}

}  // namespace

int main() {
  for (std::size_t size = 0; size < 1200; ++size) check_plain_forms(opaque(size));
  for (std::size_t size = 1200; size < 5000000; size += size / 3) check_plain_forms(opaque(size));
  for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
    for (std::size_t size = 0; size < 600000; size = size * 2 + 1) {
      check_aligned_forms(opaque(size), alignment);
    }
  }
  check_delete_of_nothing();
  check_library();
  return ok();
}
