// thread_local objects whose destructors allocate and free, when the allocator's own state of the
// thread may be gone already; in threads that come and go, and in the main thread at exit.
#include <cstdlib>
#include <map>
#include <memory>
#include <pthread.h>
#include <string>
#include <thread>
#include <vector>

#include "expect_cxx.h"

namespace {

struct Late {
  std::vector<std::string> words;
  std::unique_ptr<std::map<int, std::string>> numbers;

  Late() : numbers(std::make_unique<std::map<int, std::string>>()) {}
  Late(const Late&) = delete;
  Late& operator=(const Late&) = delete;
  ~Late() {
    for (int i = 0; i < 50; ++i) {
      words.push_back("a word that comes late, number " + std::to_string(i));
      numbers->emplace(i, words.back());
    }
    EXPECT(numbers->size() == 50);
    EXPECT(numbers->at(7) == words.at(words.size() - 43));
    void* block = std::calloc(1, 10000);
    EXPECT(block != nullptr);
    void* grown = std::realloc(block, 300000);
    EXPECT(grown != nullptr);
    std::free(grown);
  }
};

thread_local Late first;
thread_local Late second;

// A key of pthread's, made after the allocator's if that has one, and set anew by its own
// destructor: up to PTHREAD_DESTRUCTOR_ITERATIONS rounds.
pthread_key_t key;

void key_destructor(void* value) {
  const auto* text = static_cast<std::string*>(value);
  const std::string next = *text + " and once more";
  delete text;
  if (next.size() < 200) pthread_setspecific(key, new std::string(next));
}

void work() {
  first.words.emplace_back("so that there is something to destroy, long enough for the heap");
  second.words = first.words;
}

void work_with_key() {
  pthread_setspecific(key, new std::string("a text that is long enough for the heap"));
  work();
}

}  // namespace

int main() {
  pthread_key_create(&key, [](void* value) { key_destructor(value); });
  for (int round = 0; round < 300; ++round) {
    std::thread one(work), two(round % 2 == 0 ? work_with_key : work);
    one.join();
    two.join();
  }
  work();
  return ok();
}
