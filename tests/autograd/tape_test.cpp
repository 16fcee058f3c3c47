// The tape: what it records, what it gives back, how long things live, and recomputation.
#include "autograd/tape.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

double item_of(const Tensor& x) { return x.item(); }

TEST(Tape, DifferentiatesAChain) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  const Gradients g = tape.backward(square(scale(x, 2)));  // 4x²
  EXPECT_EQ(item_of(g[x]), 24);
}

TEST(Tape, AddsUpTheUsesOfATensor) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  const Tensor y = multiply(x, x);
  EXPECT_EQ(item_of(tape.backward(add(multiply(y, x), add(y, y)))[x]), 27 + 12);  // x³ + 2x²
}

// One parameter in two places of a model.
TEST(Tape, AddsUpTheGradientsOfTiedParameters) {
  Parameters parameters;
  Parameter& shared = parameters.add("shared", randn({4, 4}, 1));
  const Tensor x = randn({3, 4}, 2);
  const auto gradient_with = [&](const Tensor& first, const Tensor& second, const Tensor& of,
                                 Tape& tape) {
    return clone(
        tape.backward(sum(square(linear(linear(x, first, Tensor()), second, Tensor()))))[of]);
  };
  Tensor tied, a, b, copy = clone(shared.value);
  {
    Tape tape;
    tape.watch(parameters);
    tied = gradient_with(shared.value, shared.value, shared.value, tape);
  }
  {
    Tape tape;
    tape.watch(parameters);
    a = gradient_with(shared.value, copy, shared.value, tape);
  }
  {
    Tape tape;
    tape.watch(parameters);
    b = gradient_with(copy, shared.value, shared.value, tape);
  }
  const std::vector<double> expected = to_vector<double>(add(a, b)),
                            found = to_vector<double>(tied);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12);
}

TEST(Tape, RecordsNothingWithoutWatchedTensors) {
  Tape tape;
  const Tensor y = exp(randn({3}, 1));
  EXPECT_EQ(tape.steps(), 0U);
  EXPECT_EQ(y.grad_id.tape, 0U);
  EXPECT_ERROR(tape.backward(sum(y)),
               "the result does not depend on any watched tensor of this tape");
}

TEST(Tape, WatchesOnlyTrainableParameters) {
  Parameters parameters;
  parameters.add("free", randn({2}, 1)).trainable = true;
  parameters.add("frozen", randn({2}, 2)).trainable = false;
  Tape tape;
  tape.watch(parameters);
  const Gradients g =
      tape.backward(sum(multiply(parameters.at("free").value, parameters.at("frozen").value)));
  EXPECT_TRUE(equal_bits(g[parameters.at("free").value], parameters.at("frozen").value));
  EXPECT_FALSE(g[parameters.at("frozen").value]);
}

TEST(Tape, GivesNoGradientWhereTheResultDoesNotDepend) {
  Tensor x = full({}, 1, Dtype::f64), unused = full({}, 1, Dtype::f64);
  Tape tape;
  tape.watch(x);
  tape.watch(unused);
  const Tensor also_unused = exp(unused);
  const Gradients g = tape.backward(exp(x));
  EXPECT_FALSE(g[unused]);
  EXPECT_FALSE(g[also_unused]);
  EXPECT_TRUE(g[x]);
}

TEST(Tape, TakesADyForResultsThatAreNoScalars) {
  Tensor x = randn({2, 3}, 1);
  const Tensor dy = randn({2, 3}, 2);
  Tape tape;
  tape.watch(x);
  const Tensor y = scale(x, 3);
  EXPECT_TRUE(equal_bits(tape.backward(y, dy)[x], scale(dy, 3)));
}

TEST(Tape, ErrorsSayWhatToDo) {
  Tensor x = randn({2}, 1), ids = arange(3);
  Tape tape;
  tape.watch(x);
  EXPECT_ERROR(tape.backward(exp(x)),
               "backward: expected a scalar, got shape (2); pass dy as well");
  EXPECT_ERROR(tape.backward(exp(x), zeros({3}, Dtype::f64)),
               "backward: dy should be (2), got (3)");
  EXPECT_ERROR(tape.watch(ids), "tape: only f32 and f64 tensors can be watched");
  Tensor nothing;
  EXPECT_ERROR(tape.watch(nothing), "tape: only f32 and f64 tensors can be watched");
}

TEST(Tape, IsUsedUpByBackward) {
  Tensor x = full({}, 1, Dtype::f64);
  Tape tape;
  tape.watch(x);
  const Tensor y = exp(x);
  const Gradients g = tape.backward(y);
  EXPECT_EQ(tape.steps(), 0U);
  EXPECT_TRUE(g[x]);  // what backward gave stays readable
  EXPECT_ERROR(tape.backward(y), "tape: this tape was used up by backward; make a new one");
  EXPECT_ERROR(tape.watch(x), "this tape was used up by backward");
}

// What is computed under a used tape is not recorded on the steps that are gone.
TEST(Tape, RecordsNothingOnceUsed) {
  Tensor w = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(w);
  tape.backward(square(w));
  const Tensor y = multiply(square(w), w);
  EXPECT_EQ(tape.steps(), 0U);
  EXPECT_EQ(y.grad_id.tape, 0U);
  EXPECT_ERROR(tape.backward(y), "used up by backward");
  Tape fresh;
  fresh.watch(w);
  EXPECT_EQ(item_of(fresh.backward(multiply(square(w), w))[w]), 27);
}

// backward needs no more memory than what forward has kept, plus the gradients on their way.
TEST(Tape, FreesWhatAStepKeptAsSoonAsItIsPassed) {
  Tensor x = randn({1 << 16}, 1);
  const size_t one = x.bytes();
  Tape tape;
  tape.watch(x);
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = exp(scale(y, 0.01));
  y = sum(y);
  const size_t kept = pool_statistics().in_use;
  reset_peak();
  const Gradients g = tape.backward(y);
  EXPECT_LT(pool_statistics().peak, kept + 5 * one);
  EXPECT_LT(pool_statistics().in_use, kept - 15 * one);
  EXPECT_TRUE(g[x]);
}

TEST(Tape, TakeMovesAGradientOut) {
  Tensor x = randn({3}, 1);
  Tape tape;
  tape.watch(x);
  Gradients g = tape.backward(sum(x));
  const Tensor taken = g.take(x);
  EXPECT_EQ(to_vector<double>(taken), (std::vector<double>{1, 1, 1}));
  EXPECT_FALSE(g[x]);
}

// ── lives of tapes ──────────────────────────────────────────────────────────────────────────────

TEST(Tape, ATensorThatOutlivesItsTapeIsAConstantForTheNext) {
  Tensor x = full({}, 2, Dtype::f64), y;
  {
    Tape tape;
    tape.watch(x);
    y = square(x);
  }
  EXPECT_EQ(exp(y).grad_id.tape, 0U);
  Tape tape;
  EXPECT_EQ(multiply(x, y).grad_id.tape, 0U);  // x was watched by the other tape
  tape.watch(x);
  const Gradients g = tape.backward(multiply(x, y));
  EXPECT_EQ(item_of(g[x]), 4);
  EXPECT_FALSE(g[y]);
}

TEST(Tape, InnermostRecordsAndTheOuterGoesOnAfterwards) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape outer;
  outer.watch(x);
  const Tensor y = square(x);
  {
    Tensor z = full({}, 5, Dtype::f64);
    Tape inner;
    inner.watch(z);
    EXPECT_EQ(item_of(inner.backward(multiply(square(z), y))[z]),
              2 * 5 * 9);  // y is a constant here
  }
  EXPECT_EQ(outer.steps(), 2U);
  EXPECT_EQ(item_of(outer.backward(exp(scale(y, 0)))[x]), 0);
}

TEST(Tape, APauseRecordsNothing) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  Tensor y;
  {
    const Pause pause;
    y = square(x);
  }
  EXPECT_EQ(y.grad_id.tape, 0U);
  EXPECT_EQ(item_of(tape.backward(multiply(x, y))[x]), 9);
}

TEST(Tape, ThreadsHaveTapesOfTheirOwn) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  std::thread([&] {
    EXPECT_EQ(Recorder::current, nullptr);
    Tensor z = full({}, 2, Dtype::f64);
    Tape other;
    other.watch(z);
    EXPECT_EQ(item_of(other.backward(square(z))[z]), 4);
  }).join();
  EXPECT_EQ(Recorder::current, &tape);
}

TEST(Tape, AnExceptionLeavesNoRecorderBehind) {
  Tensor x = full({2, 2}, 1, Dtype::f64);
  EXPECT_THROW(
      {
        Tape tape;
        tape.watch(x);
        const Tensor y = exp(x);
        matmul(y, zeros({3, 2}, Dtype::f64));
      },
      Error);
  EXPECT_EQ(Recorder::current, nullptr);
  Tape tape;
  tape.watch(x);
  EXPECT_EQ(tape.steps(), 1U);
  EXPECT_TRUE(tape.backward(sum(exp(x)))[x]);
}

// ── recomputation ───────────────────────────────────────────────────────────────────────────────

struct Block {
  Tensor w, b, gamma, beta;
  Tensor operator()(const Tensor& x, const Random& random) const {
    const Tensor h = dropout(linear(x, w, b, Activation::gelu), 0.3, random);
    return residual_layer_norm(h, x, gamma, beta, 1e-5);
  }
};

struct BlocksRun {
  Tensor y;
  std::vector<Tensor> gradients;
  size_t kept;
};

// Four blocks in a row, each with parameters and dropout of its own. What goes into a block also
// goes into the loss, as hidden states do in distillation.
BlocksRun run_blocks(bool again) {
  const int64_t C = 64, N = 256;
  Tensor x = randn({N, C}, 1, Dtype::f32);
  std::vector<Block> blocks;
  Tape tape;
  tape.watch(x);
  for (uint64_t i = 0; i < 4; ++i) {
    blocks.push_back({randn({C, C}, 10 + i, Dtype::f32), randn({C}, 20 + i, Dtype::f32),
                      full({C}, 1), zeros({C})});
    for (Tensor* t :
         {&blocks.back().w, &blocks.back().b, &blocks.back().gamma, &blocks.back().beta})
      tape.watch(*t);
  }
  const size_t before = pool_statistics().in_use;
  Tensor y = x;
  std::vector<Tensor> inputs;
  for (uint64_t i = 0; i < 4; ++i) {
    const Random random = Random(5).split(i);
    inputs.push_back(y);
    y = again ? recompute([=] { return blocks[i](y, random); }) : blocks[i](y, random);
  }
  Tensor loss = sum(square(y));
  for (const Tensor& input : inputs) loss = add(loss, sum(exp(input)));
  BlocksRun run{y, {}, pool_statistics().in_use - before};
  const Gradients g = tape.backward(loss);
  run.gradients.push_back(clone(g[x]));
  for (const Block& block : blocks) {
    for (const Tensor* t : {&block.w, &block.b, &block.gamma, &block.beta})
      run.gradients.push_back(clone(g[*t]));
  }
  return run;
}

TEST(Recompute, GivesTheSameBitsAndKeepsLess) {
  const BlocksRun plain = run_blocks(false), again = run_blocks(true);
  EXPECT_TRUE(equal_bits(plain.y, again.y));
  ASSERT_EQ(plain.gradients.size(), again.gradients.size());
  for (size_t i = 0; i < plain.gradients.size(); ++i) {
    EXPECT_TRUE(equal_bits(plain.gradients[i], again.gradients[i])) << i;
  }
  EXPECT_LT(again.kept, plain.kept * 2 / 3);
}

TEST(Recompute, Nests) {
  Tensor x = randn({5}, 1);
  const auto f = [](const Tensor& v) { return tanh(exp(scale(v, 0.3))); };
  Tensor plain, nested;
  {
    Tape tape;
    tape.watch(x);
    plain = clone(tape.backward(sum(f(f(x))))[x]);
  }
  {
    Tape tape;
    tape.watch(x);
    const Tensor y = recompute([=] {
      const Tensor inner = recompute([=] { return f(x); });
      return f(inner);
    });
    nested = clone(tape.backward(sum(y))[x]);
  }
  EXPECT_TRUE(equal_bits(plain, nested));
}

TEST(Recompute, ReadsATensorThatIsUsedOutsideToo) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  const Tensor y = recompute([=] { return square(x); });
  EXPECT_EQ(item_of(tape.backward(multiply(y, x))[x]), 27);
}

TEST(Recompute, WithoutATapeJustCalls) {
  int calls = 0;
  const Tensor y = recompute([&] {
    ++calls;
    return full({}, 2);
  });
  EXPECT_EQ(y.item(), 2);
  Tape tape;
  const Tensor z = recompute([&] {
    ++calls;
    return exp(y);
  });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(z.grad_id.tape, 0U);  // reads nothing watched
  EXPECT_EQ(tape.steps(), 0U);
}

TEST(Recompute, ResultThatIsAnInput) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  const Tensor y = recompute([=] { return dropout(x, 0, Random(1)); });  // p = 0 returns x itself
  EXPECT_EQ(item_of(tape.backward(square(y))[x]), 6);
}

TEST(Recompute, ResultThatDoesNotDependOnWhatIsRead) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  const Tensor two = recompute([=] {
    (void)exp(x);
    return full({}, 2, Dtype::f64);
  });
  EXPECT_EQ(item_of(tape.backward(multiply(x, two))[x]), 2);
}

TEST(Recompute, ExceptionsPassThroughInBothDirections) {
  Tensor x = full({}, 3, Dtype::f64);
  Tape tape;
  tape.watch(x);
  EXPECT_THROW(recompute([=]() -> Tensor {
                 (void)exp(x);
                 throw std::runtime_error("forward");
               }),
               std::runtime_error);
  EXPECT_EQ(Recorder::current, &tape);

  int calls = 0;
  const Tensor y = recompute([x, &calls] {
    if (++calls == 2) throw std::runtime_error("backward");
    return exp(x);
  });
  EXPECT_THROW(tape.backward(y), std::runtime_error);
  EXPECT_EQ(Recorder::current, &tape);
}

}  // namespace
}  // namespace ink
