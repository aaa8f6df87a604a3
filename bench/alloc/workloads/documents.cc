// documents COUNT: documents as a service in C++ handles them: each is built as a tree of maps,
// lists and strings on the heap, copied, changed, read and dropped; the last hundred are kept.
#include <array>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "work_cc.h"

namespace {

struct Value;
using List = std::vector<Value>;
using Fields = std::map<std::string, Value>;

struct Value {
  std::variant<double, std::string, std::unique_ptr<List>, std::unique_ptr<Fields>> content;

  Value() = default;
  Value(Value&&) = default;
  Value& operator=(Value&&) = default;
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  ~Value() = default;
};

constexpr size_t kKept = 100;
constexpr std::array<const char*, 8> kNames = {"id",
                                               "name",
                                               "description",
                                               "created_at_by_whom",
                                               "a",
                                               "tags",
                                               "a name beyond what fits inside",
                                               "address"};

Value make_value(Random* random, int depth) {
  Value value;
  const uint32_t kind = random->below(depth > 0 ? 6 : 3);
  if (kind == 0) {
    value.content = static_cast<double>(random->below(1000));
  } else if (kind < 3) {
    value.content = std::string(4 + random->below(60), 'x');
  } else if (kind < 5) {
    auto list = std::make_unique<List>();
    for (uint32_t i = random->below(10); i > 0; --i) {
      list->push_back(make_value(random, depth - 1));
    }
    value.content = std::move(list);
  } else {
    auto fields = std::make_unique<Fields>();
    for (uint32_t i = random->below(8); i > 0; --i) {
      (*fields)[kNames[random->below(kNames.size())]] = make_value(random, depth - 1);
    }
    value.content = std::move(fields);
  }
  return value;
}

Value copy_of(const Value& value) {
  Value copy;
  if (const auto* number = std::get_if<double>(&value.content)) {
    copy.content = *number;
  } else if (const auto* text = std::get_if<std::string>(&value.content)) {
    copy.content = *text + ".";
  } else if (const auto* list = std::get_if<std::unique_ptr<List>>(&value.content)) {
    auto copied = std::make_unique<List>();
    for (const Value& item : **list) copied->push_back(copy_of(item));
    copy.content = std::move(copied);
  } else if (const auto* fields = std::get_if<std::unique_ptr<Fields>>(&value.content)) {
    auto copied = std::make_unique<Fields>();
    for (const auto& [name, item] : **fields) copied->emplace(name, copy_of(item));
    copy.content = std::move(copied);
  }
  return copy;
}

uint64_t sum_of(const Value& value) {
  if (const auto* number = std::get_if<double>(&value.content))
    return static_cast<uint64_t>(*number);
  if (const auto* text = std::get_if<std::string>(&value.content)) return text->size();
  uint64_t sum = 1;
  if (const auto* list = std::get_if<std::unique_ptr<List>>(&value.content)) {
    for (const Value& item : **list) sum = sum * 3 + sum_of(item);
  } else if (const auto* fields = std::get_if<std::unique_ptr<Fields>>(&value.content)) {
    for (const auto& [name, item] : **fields) sum = sum * 5 + name.size() + sum_of(item);
  }
  return sum;
}

uint64_t run(long count) {
  std::vector<Value> kept(kKept);
  Random random;
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const Value document = make_value(&random, 7);
    Value copy = copy_of(document);
    sum += sum_of(document) ^ sum_of(copy);
    kept[random.below(kKept)] = std::move(copy);
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  report_sum("documents", run(argument(argc, argv, 1)));
  return 0;
}
