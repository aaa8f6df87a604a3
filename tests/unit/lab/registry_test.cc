#include "lab/registry.h"

#include <gtest/gtest.h>
#include <set>

#include "lab/glossary.h"

namespace mini::lab {
namespace {

TEST(RegistryTest, EveryExperimentIsComplete) {
  std::set<std::string_view> ids;
  for (const Experiment* experiment : experiments()) {
    EXPECT_TRUE(ids.insert(experiment->id).second) << experiment->id;
    EXPECT_EQ(find_experiment(experiment->id), experiment);
    EXPECT_FALSE(experiment->title.empty()) << experiment->id;
    EXPECT_LE(experiment->title.size(), 72U) << experiment->id;
    EXPECT_TRUE(experiment->question.ends_with("?")) << experiment->id;
    EXPECT_TRUE(!experiment->sources.empty() || !experiment->sources_note.empty())
        << experiment->id;
  }
  EXPECT_EQ(find_experiment("0"), nullptr);
}

TEST(RegistryTest, NeighboursAreInTheOrderOfTheJourney) {
  const auto all = experiments();
  EXPECT_EQ(neighbour(*all[1], 1), all[2]);
  EXPECT_EQ(neighbour(*all[1], -1), all[0]);
  EXPECT_EQ(neighbour(*all.front(), -1), nullptr);
  EXPECT_EQ(neighbour(*all.back(), 1), nullptr);
  const Experiment unlisted = *all[0];
  EXPECT_EQ(neighbour(unlisted, 1), nullptr);
}

TEST(RegistryTest, EveryTermIsInTheGlossary) {
  for (const Experiment* experiment : experiments()) {
    EXPECT_FALSE(experiment->terms.empty()) << experiment->id;
    for (const std::string_view term : experiment->terms) {
      EXPECT_NE(find_in_glossary(term), nullptr) << experiment->id << ": " << term;
    }
  }
}

}  // namespace
}  // namespace mini::lab
