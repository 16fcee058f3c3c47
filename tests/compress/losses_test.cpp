// The losses on short formulas, and what TextBrewer does not have: KL, BCE, relations, true maps.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradient_check.h"
#include "autograd/tape.h"
#include "compress/losses/attention.h"
#include "compress/losses/gram.h"
#include "compress/losses/hidden.h"
#include "compress/losses/logits.h"
#include "compress/losses/temperature.h"
#include "tensor/ops.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

// S_k = sin(k), T_k = cos(0.7·k), k = first, first + 1, … in row-major order.
Tensor waves(Shape shape, bool teacher, int first = 1) {
  Tensor x(shape, Dtype::f64);
  for (int64_t i = 0; i < x.size(); ++i) {
    const auto k = static_cast<double>(i + first);
    x.data<double>()[i] = teacher ? std::cos(0.7 * k) : std::sin(k);
  }
  return x;
}

const std::vector<int32_t> kWhole = {0, 3, 6}, kMasked = {0, 3, 5};

TEST(Losses, LogitsOnWaves) {
  const Tensor s = waves({2, 3}, false), t = waves({2, 3}, true);
  const auto kd = [&](KdLoss type, double temperature) {
    return kd_loss(s, t, type, temperature).item();
  };
  EXPECT_NEAR(kd(KdLoss::ce, 1), 1.054434337, 1e-9);
  EXPECT_NEAR(kd(KdLoss::ce, 4), 1.095340350, 1e-9);
  EXPECT_NEAR(kd(KdLoss::ce, 8), 1.097778098, 1e-9);
  EXPECT_NEAR(kd(KdLoss::mse, 1), 0.174849087, 1e-9);
  EXPECT_NEAR(kd(KdLoss::mse, 4), 0.010928068, 1e-9);
  EXPECT_NEAR(kd(KdLoss::mse, 8), 0.002732017, 1e-9);
  EXPECT_NEAR(kd(KdLoss::regression, 8), 0.174849087, 1e-9);
  const Tensor shifted = probability_shift(t, from(std::vector<int32_t>{2, 0}));
  EXPECT_NEAR(shifted.data<double>()[0], -0.504846105, 1e-9);
  EXPECT_NEAR(shifted.data<double>()[3], -0.490260821, 1e-9);
  EXPECT_NEAR(shifted.data<double>()[5], -0.942222341, 1e-9);
  EXPECT_NEAR(kd_loss(s, shifted, KdLoss::ce, 4).item(), 1.106821045, 1e-9);
  const std::vector<Tensor> both_s = {s, waves({2, 5}, false)}, both_t = {t, waves({2, 5}, true)};
  EXPECT_NEAR(kd_loss(both_s, both_t, KdLoss::ce, 4).item(),
              kd(KdLoss::ce, 4) + kd_loss(both_s[1], both_t[1], KdLoss::ce, 4).item(), 1e-12);
}

TEST(Losses, TemperaturesOnWaves) {
  using Kind = TemperatureSchedule::Kind;
  const Tensor s = waves({2, 3}, false), t = waves({2, 3}, true);
  const auto compare = [&](const TemperatureSchedule& schedule, double a, double b, double loss) {
    const Tensor tau = row_temperatures(schedule, s, t, 4);
    EXPECT_NEAR(tau.data<double>()[0], a, 1e-9);
    EXPECT_NEAR(tau.data<double>()[1], b, 1e-9);
    EXPECT_NEAR(kd_loss(s, t, KdLoss::ce, tau).item(), loss, 1e-9);
  };
  compare({.kind = Kind::flsw, .beta = 1, .gamma = 1}, 3.820179520, 4.179820480, 1.095133209);
  compare({.kind = Kind::flsw, .beta = 1, .gamma = 2}, 3.929923867, 4.070076133, 1.095264390);
  compare({.kind = Kind::cwsm, .beta = 1}, 3.865105137, 4.134894863, 1.095188769);
  compare({}, 4, 4, 1.095340350);
  const TemperatureSchedule steep{.kind = Kind::flsw, .beta = 100};
  EXPECT_EQ(row_temperatures(steep, s, t, 4).data<double>()[0], 0.4);
  EXPECT_LT(row_temperatures(steep, s, t, 4, false).data<double>()[0], 0);
}

TEST(Losses, HiddenStatesOnWaves) {
  struct Case {
    const std::vector<int32_t>& offsets;
    double mse, cos, pkd, fsp, fsp_pair, nst, nst_pair;
  };
  for (const Case& c : {Case{kWhole, 0.907967021, 0.898056042, 2.173152408, 0.121865914,
                             0.227385667, 0.036795086, 0.347673347},
                        Case{kMasked, 0.940915839, 0.945401750, 2.173152408, 0.073971873,
                             0.211123110, 0.022325603, 0.307905961}}) {
    const auto rows = [&](bool teacher, int first) {
      return slice(waves({6, 4}, teacher, first), 0, 0, c.offsets.back());
    };
    const Tensor s = rows(false, 1), t = rows(true, 1), offsets = from(c.offsets);
    const Sequences sequences(offsets);
    EXPECT_NEAR(hidden_mse_loss(s, t).item(), c.mse, 1e-9);
    EXPECT_NEAR(hidden_cos_loss(s, t).item(), c.cos, 1e-9);
    EXPECT_NEAR(pkd_loss(s, t, offsets).item(), c.pkd, 1e-9);
    const LayerPair self_s{s, s}, self_t{t, t}, pair_s{s, rows(false, 25)},
        pair_t{t, rows(true, 25)};
    EXPECT_NEAR(fsp_loss(self_s, self_t, sequences).item(), c.fsp, 1e-9);
    EXPECT_NEAR(fsp_loss(pair_s, pair_t, sequences).item(), c.fsp_pair, 1e-9);
    EXPECT_NEAR(nst_loss(self_s, self_t, sequences).item(), c.nst, 1e-9);
    EXPECT_NEAR(nst_loss(pair_s, pair_t, sequences).item(), c.nst_pair, 1e-9);
  }
}

TEST(Losses, AttentionOnWaves) {
  const Tensor s = waves({2, 2, 3, 3}, false), t = waves({2, 2, 3, 3}, true);
  const auto compare = [&](bool masked, bool over_heads, double mse, double ce) {
    const Sequences sequences(from(masked ? kMasked : kWhole));
    const AttentionLossOptions options{.over_heads = over_heads, .negative_as_zero = !masked};
    EXPECT_NEAR(attention_mse_loss(s, t, sequences, options).item(), mse, 1e-9);
    EXPECT_NEAR(attention_ce_loss(s, t, sequences, options).item(), ce, 1e-9);
  };
  compare(false, false, 0.277297259, 0.708566316);
  compare(false, true, 0.822279204, 0.663435389);
  compare(true, false, 0.884872731, 0.999921776);
  compare(true, true, 1.802177832, 0.956110359);
}

TEST(Losses, DivergenceIsCrossEntropyLessEntropy) {
  const Tensor s = waves({4, 5}, false), t = waves({4, 5}, true);
  for (const double temperature : {1.0, 4.0}) {
    const auto kl = [&](const Tensor& x) { return kd_loss(x, t, KdLoss::kl, temperature).item(); };
    const double entropy = kd_loss(t, t, KdLoss::ce, temperature).item();
    EXPECT_NEAR(kl(s), kd_loss(s, t, KdLoss::ce, temperature).item() - entropy, 1e-12);
    EXPECT_NEAR(kl(t), 0, 1e-12);
  }
}

TEST(Losses, BinaryCrossEntropyOfEachLabel) {
  const Tensor s = waves({2, 3}, false), t = waves({2, 3}, true);
  double expected = 0;
  for (int64_t i = 0; i < 6; ++i) {
    const double q = 1 / (1 + std::exp(-s.data<double>()[i] / 2)),
                 p = 1 / (1 + std::exp(-t.data<double>()[i] / 2));
    expected -= (p * std::log(q) + (1 - p) * std::log(1 - q)) / 6;
  }
  EXPECT_NEAR(kd_loss(s, t, KdLoss::bce, 2).item(), expected, 1e-12);
  const Tensor labels = sigmoid(t);
  EXPECT_NEAR(hard_label_loss(s, labels, KdLoss::bce).item(), kd_loss(s, t, KdLoss::bce, 1).item(),
              1e-12);
  EXPECT_ERROR(hard_label_loss(s, labels, KdLoss::ce), "expected i32");
}

TEST(Losses, RowsOfNumbersWithoutALabelDoNotCount) {
  const Tensor s = waves({3, 2}, false);
  Tensor labels(Shape{3, 2}, Dtype::f32);
  for (int64_t i = 0; i < 6; ++i)
    labels.data<float>()[i] = i == 2 ? NAN : static_cast<float>(i % 2);
  for (const KdLoss type : {KdLoss::bce, KdLoss::regression}) {
    const Tensor rows = from(std::vector<int32_t>{0, 2});
    const double known =
        hard_label_loss(gather_rows(s, rows), gather_rows(labels, rows), type).item();
    EXPECT_EQ(hard_label_loss(s, labels, type).item(), known) << "also with labels in f32";
  }
  for (int64_t i = 0; i < 6; ++i) labels.data<float>()[i] = NAN;
  Tensor watched = clone(s);
  Tape tape;
  tape.watch(watched);
  const Tensor none = hard_label_loss(watched, labels, KdLoss::regression);
  EXPECT_EQ(none.item(), 0);
  const Gradients gradients = tape.backward(none);
  EXPECT_EQ(distance(gradients[watched], zeros({3, 2}, Dtype::f64)), 0);
}

// Queries, keys or values of sequences of 3, 5 and 2 tokens, 8 channels.
const std::vector<int32_t> kRagged = {0, 3, 8, 10};
Tensor rows_of(uint64_t seed) { return randn({10, 8}, seed); }

// f(b, h, q kᵀ/√D of a sequence and head), summed: what packed maps must agree with.
double each_map(const Tensor& q, const Tensor& k, int64_t heads,
                const std::function<double(const Tensor& scores, int64_t b, int64_t h)>& f) {
  double total = 0;
  const int64_t D = q.dim(1) / heads;
  for (size_t b = 0; b + 1 < kRagged.size(); ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      const auto part = [&](const Tensor& x) {
        return slice(slice(x, 0, kRagged[b], kRagged[b + 1]), 1, h * D, (h + 1) * D);
      };
      const Tensor scores =
          scale(matmul(part(q), part(k), false, true), 1 / std::sqrt(static_cast<double>(D)));
      total += f(scores, static_cast<int64_t>(b), h);
    }
  }
  return total;
}

// Relations are means over tokens and heads of KL between softmaxes.
TEST(Losses, RelationsOfEachSequenceAndHead) {
  const Sequences sequences(from(kRagged));
  const Tensor s = rows_of(1), t = rows_of(2);
  const auto teacher = [&](int64_t heads) { return attention_scores(t, t, heads, sequences); };
  for (const int64_t heads : {1, 2, 4}) {
    std::vector<Tensor> wanted;
    each_map(t, t, heads, [&](const Tensor& scores, int64_t, int64_t) {
      wanted.push_back(softmax(scores));
      return 0.0;
    });
    size_t at = 0;
    const double expected = each_map(s, s, heads, [&](const Tensor& scores, int64_t, int64_t) {
      const double rows = static_cast<double>(scores.dim(0));
      return kl_divergence(scores, wanted[at++]).item() * rows;
    });
    EXPECT_NEAR(
        relation_loss(attention_scores(s, s, heads, sequences), teacher(heads), sequences).item(),
        expected / (10.0 * static_cast<double>(heads)), 1e-12);
  }
  EXPECT_NEAR(relation_loss(teacher(2), teacher(2), sequences).item(), 0, 1e-12);
}

// What is behind a sequence's end has no part in a loss: the same sequences alone, weighed by rows
// or pairs, give it.
TEST(Losses, MapsOfAPackedBatchAreThoseOfItsSequences) {
  const Tensor qs = rows_of(1), ks = rows_of(2), qt = rows_of(3), kt = rows_of(4);
  const Sequences all(from(kRagged));
  for (const bool over_heads : {false, true}) {
    for (const bool distributions : {false, true}) {
      const AttentionLossOptions options{.over_heads = over_heads, .distributions = distributions};
      double mse = 0, ce = 0;
      const auto maps = [&](const Tensor& q, const Tensor& k, const Sequences& sequences) {
        const Tensor scores = attention_scores(q, k, 2, sequences);
        return distributions ? attention_probabilities(scores) : scores;
      };
      for (size_t b = 0; b + 1 < kRagged.size(); ++b) {
        const int32_t T = kRagged[b + 1] - kRagged[b];
        const Sequences one(from(std::vector<int32_t>{0, T}));
        const auto part = [&](const Tensor& x) { return slice(x, 0, kRagged[b], kRagged[b + 1]); };
        const Tensor s = maps(part(qs), part(ks), one), t = maps(part(qt), part(kt), one);
        mse += attention_mse_loss(s, t, one, options).item() * T * T;
        ce += attention_ce_loss(s, t, one, options).item() * T;
      }
      const Tensor s = maps(qs, ks, all), t = maps(qt, kt, all);
      EXPECT_NEAR(attention_mse_loss(s, t, all, options).item(), mse / (9 + 25 + 4), 1e-12);
      EXPECT_NEAR(attention_ce_loss(s, t, all, options).item(), ce / 10, 1e-12);
    }
  }
}

TEST(Losses, ScoresAndTheirProbabilitiesHaveOneCrossEntropy) {
  const Sequences sequences(from(kRagged));
  const Tensor s = attention_scores(rows_of(1), rows_of(2), 2, sequences),
               t = attention_scores(rows_of(3), rows_of(4), 2, sequences);
  EXPECT_NEAR(attention_ce_loss(s, t, sequences).item(),
              attention_ce_loss(attention_probabilities(s), attention_probabilities(t), sequences,
                                {.distributions = true})
                  .item(),
              1e-12);
}

TEST(Losses, GradientsOfMapsAgreeWithDifferences) {
  const Sequences sequences(from(kRagged));
  const Tensor t = attention_scores(rows_of(3), rows_of(4), 2, sequences);
  const auto expect_gradients = [&](const std::function<Tensor(const Tensor& scores)>& loss) {
    const GradientCheck result = check_gradients(
        [&](std::span<const Tensor> in) {
          return loss(attention_scores(in[0], in[1], 2, sequences));
        },
        {rows_of(1), rows_of(2)});
    EXPECT_TRUE(result.ok) << result.message;
  };
  expect_gradients([&](const Tensor& s) { return relation_loss(s, t, sequences); });
  for (const bool over_heads : {false, true}) {
    expect_gradients([&](const Tensor& s) {
      return attention_mse_loss(s, t, sequences, {.over_heads = over_heads});
    });
    expect_gradients([&](const Tensor& s) {
      return attention_ce_loss(attention_probabilities(s), attention_probabilities(t), sequences,
                               {.over_heads = over_heads, .distributions = true});
    });
  }
}

TEST(Losses, RefuseWhatDoesNotFit) {
  const Tensor s = waves({2, 3}, false);
  EXPECT_ERROR(kd_loss(s, waves({2, 4}, true), KdLoss::ce, 1),
               "logits of one shape, got (2, 3) and (2, 4)");
  EXPECT_ERROR(kd_loss(s, s, KdLoss::ce, 0), "a temperature above 0, got 0");
  EXPECT_ERROR(probability_shift(s, from(std::vector<int32_t>{0, 3})),
               "label 3 of row 1 is none of 3 classes");
  EXPECT_ERROR(Sequences(from(std::vector<int32_t>{0, 4, 2})), "offsets should not decrease");
  const Sequences sequences(from(kRagged));
  EXPECT_ERROR(sequences.apart(randn({9, 8}, 1)), "states of 10 tokens, got shape (9, 8)");
  const Tensor four = attention_scores(rows_of(1), rows_of(2), 4, sequences),
               two = attention_scores(rows_of(1), rows_of(2), 2, sequences);
  EXPECT_ERROR(attention_mse_loss(four, two, sequences), "maps of one shape");
  EXPECT_GT(attention_mse_loss(four, two, sequences, {.over_heads = true}).item(), 0);
  EXPECT_ERROR(attention_scores(rows_of(1), rows_of(2), 3, sequences), "queries and keys of 3");
}

}  // namespace
}  // namespace ink
