// Sequences in groups of like lengths: each is in one of them, and no loss changes.
#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/tape.h"
#include "compress/match_loss.h"
#include "tensor/op.h"

namespace ink {
namespace {

const std::vector<int32_t> kOffsets = {0, 40, 43, 79, 112, 112, 212, 229};  // 40 3 36 33 0 100 17
constexpr int64_t kTokens = 229, kChannels = 8;

TEST(Sequences, GroupsOfLikeLengthsHoldEachOnce) {
  const Sequences all(from(kOffsets));
  std::vector<std::vector<int64_t>> lengths;
  double padded = 0;
  for (const Sequences& group : all.of_like_lengths()) {
    lengths.push_back(group.lengths());
    padded += static_cast<double>(group.count() * group.longest() * group.longest());
  }
  EXPECT_EQ(lengths, (std::vector<std::vector<int64_t>>{{100}, {40, 36, 33}, {17, 3, 0}}));
  EXPECT_LT(padded, 1.25 * all.pairs());
}

TEST(Sequences, OfOneLengthAreOneGroupOfRowsAsTheyLie) {
  const Sequences all(from(std::vector<int32_t>{0, 50, 100}));
  const std::vector<Sequences> groups = all.of_like_lengths();
  ASSERT_EQ(groups.size(), 1u);
  const Tensor rows = randn({100, 4}, 1);
  EXPECT_EQ(groups[0].apart(rows).data<double>(), rows.data<double>()) << "nothing is copied";
}

ModelOutputs outputs(uint64_t seed) {
  const auto states = [&] { return randn({kTokens, kChannels}, seed++); };
  ModelOutputs o;
  o.hidden = {states(), states()};
  o.attention = {{states(), states(), states()}};
  o.heads = {2};
  return o;
}

struct LossAndGradients {
  double loss = 0;
  std::vector<Tensor> gradients = {};  // of all that the student says; undefined: not read
};

LossAndGradients learned(const IntermediateMatch& match, std::span<const Sequences> groups,
                         const Sequences& all, const Tensor& offsets, bool compatible) {
  ModelOutputs student = outputs(1);
  const ModelOutputs teacher = outputs(100);
  Tape tape;
  std::vector<Tensor*> said = {&student.hidden[0], &student.hidden[1], &student.attention[0].query,
                               &student.attention[0].key, &student.attention[0].value};
  for (Tensor* x : said) tape.watch(*x);
  const MatchContext context{
      .sequences = all, .offsets = offsets, .groups = groups, .compatible = compatible};
  const Tensor loss = match_loss(match, student, teacher, context);
  LossAndGradients result{.loss = loss.item()};
  Gradients gradients = tape.backward(loss);
  for (Tensor* x : said) result.gradients.push_back(gradients.take(*x));
  return result;
}

void expect_close(const Tensor& got, const Tensor& wanted, const std::string& name) {
  ASSERT_EQ(static_cast<bool>(got), static_cast<bool>(wanted)) << name;
  if (!got) return;
  const std::vector<double> g = to_vector<double>(got), w = to_vector<double>(wanted);
  for (size_t i = 0; i < g.size(); ++i) ASSERT_NEAR(g[i], w[i], 1e-12) << name << ' ' << i;
}

void expect_groups_change_nothing(const IntermediateMatch& match, bool compatible) {
  const Tensor offsets = from(kOffsets);
  const Sequences all(offsets);
  const LossAndGradients together = learned(match, {}, all, offsets, compatible),
                         apart = learned(match, all.of_like_lengths(), all, offsets, compatible);
  const std::string name = match.name() + (compatible ? " compatible" : "");
  EXPECT_NEAR(apart.loss, together.loss, 1e-12 * std::max(1.0, together.loss)) << name;
  for (size_t i = 0; i < together.gradients.size(); ++i)
    expect_close(apart.gradients[i], together.gradients[i], name);
}

// A loss of groups is the mean over the same tokens, or pairs, as that of all together; so are
// TextBrewer's forms, in which padding counts.
TEST(Sequences, LossesOfGroupsAreThoseOfTheBatch) {
  using enum MatchLoss;
  for (const bool compatible : {false, true}) {
    for (const MatchLoss loss : {fsp, nst})
      for (const int64_t second : {0, 1})
        expect_groups_change_nothing({.layer_teacher = 1,
                                      .layer_student = 1,
                                      .loss = loss,
                                      .second_teacher = second,
                                      .second_student = second},
                                     compatible);
    for (const MatchLoss loss : {attention_mse, attention_mse_sum, attention_ce, attention_ce_mean})
      for (const AttentionMaps maps : {AttentionMaps::scores, AttentionMaps::probabilities})
        expect_groups_change_nothing(
            {.layer_teacher = 1, .layer_student = 1, .loss = loss, .attention = maps}, compatible);
    for (const MatchLoss loss : {minilm_query_key, minilm_value, minilm_query, minilm_key})
      expect_groups_change_nothing({.layer_teacher = 1, .layer_student = 1, .loss = loss},
                                   compatible);
  }
}

}  // namespace
}  // namespace ink
