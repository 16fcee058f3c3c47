// Labels, metrics, splits and baselines, against values worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tasks/baselines.h"
#include "tasks/labels.h"
#include "tasks/metrics.h"
#include "tasks/split.h"
#include "tests/tasks/helpers.h"

namespace ink {
namespace {

TEST(Labels, RepeatedEmptyAndOutOfRange) {
  EXPECT_ERROR(Labels({"a", "a"}), "got 'a' twice");
  EXPECT_ERROR(Labels({"a", ""}), "got an empty one");
  EXPECT_ERROR(Labels({"a"}).name(1), "expected an id from 0 to 0, got 1");
}

TEST(Metrics, ThreeClassesByHand) {
  const std::vector<int32_t> truth = {0, 0, 0, 1, 1, 2}, predicted = {0, 0, 1, 1, 0, 1};
  const Confusion c(3, truth, predicted);
  EXPECT_EQ(c.at(0, 1), 1);
  EXPECT_EQ(c.at(2, 1), 1);
  EXPECT_DOUBLE_EQ(c.accuracy(), 3.0 / 6);
  EXPECT_DOUBLE_EQ(c.of(0).precision(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(c.of(0).recall(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(c.of(1).f1(), 2.0 / 5);
  EXPECT_DOUBLE_EQ(c.of(2).f1(), 0);
  EXPECT_DOUBLE_EQ(c.macro_f1(), (2.0 / 3 + 2.0 / 5 + 0) / 3);
}

TEST(Metrics, ClassesThatNeverOccurDoNotCount) {
  EXPECT_DOUBLE_EQ(Confusion(5, std::vector<int32_t>{1, 2}, std::vector<int32_t>{1, 2}).macro_f1(),
                   1);
  EXPECT_DOUBLE_EQ(Confusion(5).accuracy(), 0);
  EXPECT_ERROR(Confusion(2).add(0, 2), "expected a class from 0 to 1, got 2");
}

Examples made(const std::vector<std::pair<std::string, int32_t>>& rows, int32_t classes) {
  std::vector<std::string> names;
  for (int32_t c = 0; c < classes; ++c) names.push_back("c" + std::to_string(c));
  Examples e{{}, Labels(names), "made"};
  for (const auto& [text, label] : rows) e.items.push_back({.text = text, .label = label});
  return e;
}

TEST(Split, NoGroupStandsOnBothSides) {
  Examples all = made({}, 2);
  for (int i = 0; i < 300; ++i)
    all.items.push_back({.text = std::to_string(i),
                         .label = i % 2,
                         .group = "d" + std::to_string(i / 7),
                         .line = i + 1});
  const auto [rest, part] = split_by_group(all, 0.2, Random(3));
  EXPECT_EQ(rest.size() + part.size(), all.size());
  EXPECT_GE(part.size(), 60u);
  EXPECT_LT(part.size(), 67u);
  std::set<std::string> groups;
  for (const Example& e : part.items) groups.insert(e.group);
  for (const Example& e : rest.items) EXPECT_FALSE(groups.contains(e.group));
  const auto again = split_by_group(all, 0.2, Random(3));
  EXPECT_EQ(again.second.items[0].text, part.items[0].text);
  EXPECT_ERROR(split_by_group(made({{"a", 0}}, 1), 0.5, Random(1)), "expected at least two groups");
}

TEST(Baselines, MajorityTakesTheFirstOfEquals) {
  EXPECT_EQ(majority_class(made({{"a", 1}, {"b", 2}, {"c", 2}, {"d", 1}}, 3)), 1);
  EXPECT_ERROR(majority_class(made({{"a", kNoLabel}}, 1)), "expected a label");
}

// Features of "ab": a, b, ab. F = 5 (a b ab c bc); k(0) = 3, k(1) = 3.
TEST(Baselines, NaiveBayesByHand) {
  const NaiveBayes bayes(made({{"ab", 0}, {"bc", 1}}, 2));
  // "b": both classes hold it once → equal scores → smallest id
  EXPECT_EQ(bayes.predict({.text = "b"}), 0);
  EXPECT_EQ(bayes.predict({.text = "c"}), 1);
  EXPECT_EQ(bayes.predict({.text = "zz"}), 0);  // nothing known: the prior, a tie
  // "ac": a says 0 by log 2, c says 1 by log 2, the pair is unknown
  EXPECT_EQ(bayes.predict({.text = "ac"}), 0);
  EXPECT_EQ(bayes.predict({.text = "acc"}), 1);
}

TEST(Baselines, PriorsDecideWhereFeaturesDoNot) {
  EXPECT_EQ(NaiveBayes(made({{"x", 1}, {"x", 1}, {"x", 0}}, 3)).predict({.text = "?"}), 1);
}

TEST(Baselines, OnNewsTitlesNaiveBayesIsFarAboveTheMajority) {
  const std::filesystem::path folder = data_folder() / "news-titles";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no data in " << folder;
  const Examples train = read_examples(folder / "train.txt", {.columns = "text,label"});
  const Examples dev = read_examples(folder / "dev.txt", {.columns = "text,label"}, &train.labels);
  const Baselines b = measure_baselines(train, dev);
  EXPECT_NEAR(b.majority, 0.1, 0.01);
  EXPECT_GT(b.naive_bayes, 0.8);
  RecordProperty("naive_bayes", std::to_string(b.naive_bayes));
}

}  // namespace
}  // namespace ink
