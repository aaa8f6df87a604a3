#include "agent/exec_environment.h"

#include <cstring>

#include "kernel/vm/shared.h"

namespace mini::agent {
namespace {

constexpr char kPreload[] = "LD_PRELOAD";

/// The value of a variable, where `word` is that variable; else null.
const char* value_of(const char* word, const char* name) {
  const std::size_t bytes = std::strlen(name);
  return std::strncmp(word, name, bytes) == 0 && word[bytes] == '=' ? word + bytes + 1 : nullptr;
}

/// Calls apply(begin, bytes) for each library of the list, whose ends are as the loader has them.
template <typename Apply>
void for_each_library(const char* list, Apply&& apply) {
  constexpr char kEnds[] = " :";
  while (*(list += std::strspn(list, kEnds)) != '\0') {
    const std::size_t bytes = std::strcspn(list, kEnds);
    apply(list, bytes);
    list += bytes;
  }
}

bool is_agent(const char* library, std::size_t bytes, const char* agent) {
  return std::strlen(agent) == bytes && std::memcmp(library, agent, bytes) == 0;
}

bool has_agent(const char* list, const char* agent) {
  bool found = false;
  for_each_library(list, [&](const char* library, std::size_t bytes) {
    found |= is_agent(library, bytes, agent);
  });
  return found;
}

}  // namespace

EnvironmentPlan plan_environment(Words environment, PreloadObstacle obstacle) {
  using Change = EnvironmentPlan::Change;
  EnvironmentPlan plan;
  plan.carried = carried_environment();
  const Carried& carried = plan.carried;
  if (carried.agent == nullptr) return plan;
  const char* channel = nullptr;
  for (; environment != nullptr && environment[plan.words_count] != nullptr; ++plan.words_count) {
    const char* const word = environment[plan.words_count];
    if (const char* const value = value_of(word, wire::kChannelVariable)) channel = value;
    if (const char* const value = value_of(word, kPreload)) plan.preload = value;
  }
  const auto leads_by = [&](const char* path) {
    return channel != nullptr && std::strcmp(channel, path) == 0;
  };
  const bool is_ours = leads_by(carried.own_channel) || leads_by(carried.channel());
  // musl's loader ends a program where it cannot load what is preloaded; glibc's goes on.
  if (!carried.has_recorder || obstacle == PreloadObstacle::kOtherLibc) {
    if (is_ours) plan.change = Change::kLeave;
    return plan;
  }
  // What leads to another recorder, as where heapspy is recorded itself, stays so.
  const bool is_others = channel != nullptr && !is_ours && kernel::vm::file_exists(channel);
  const bool is_complete = leads_by(carried.channel()) && has_agent(plan.preload, carried.agent);
  if (!is_others && !is_complete) plan.change = Change::kLead;
  return plan;
}

std::size_t variables_bytes(const EnvironmentPlan& plan) {
  return sizeof kPreload + std::strlen(plan.carried.agent) + 1 + std::strlen(plan.preload) + 1 +
         sizeof wire::kChannelVariable + std::strlen(plan.carried.channel()) + 1;
}

char* write_preload(const EnvironmentPlan& plan, char* out) {
  const char* const begin = out;
  const auto add = [&](const char* library, std::size_t bytes) {
    if (out != begin) *out++ = ':';
    out = static_cast<char*>(mempcpy(out, library, bytes));
  };
  const char* const agent = plan.carried.agent;
  if (plan.change == EnvironmentPlan::Change::kLead) add(agent, std::strlen(agent));
  for_each_library(plan.preload, [&](const char* library, std::size_t bytes) {
    if (!is_agent(library, bytes, agent)) add(library, bytes);
  });
  *out = '\0';
  return out;
}

Words write_environment(Words environment, const EnvironmentPlan& plan, char** room, char* text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < plan.words_count; ++i) {
    const char* const word = environment[i];
    if (value_of(word, kPreload) != nullptr) continue;
    if (value_of(word, wire::kChannelVariable) != nullptr) continue;
    room[count++] = environment[i];
  }
  char* const value = stpcpy(stpcpy(text, kPreload), "=");
  char* const end = write_preload(plan, value);
  if (end != value) room[count++] = text;
  if (plan.change == EnvironmentPlan::Change::kLead) {
    text = room[count++] = end + 1;
    stpcpy(stpcpy(stpcpy(text, wire::kChannelVariable), "="), plan.carried.channel());
  }
  room[count] = nullptr;
  return room;
}

}  // namespace mini::agent
