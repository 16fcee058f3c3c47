// Optimizers over a store of parameters: PyTorch's numbers, whom decay touches, state, allocations.
#include "autograd/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "autograd/gradient_sum.h"
#include "tensor/json.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

Json golden() {
  const auto path = std::filesystem::path(INK_SOURCE_DIR) / "tests/golden/optimizer.json";
  return parse_json(read_file(path, 1 << 20), path.string());
}

// The parameters and gradients of tools/golden/optimizer.py.
Parameters golden_start() {
  Parameters parameters;
  Tensor w({3, 4}, Dtype::f64), b({4}, Dtype::f64);
  for (int i = 0; i < 12; ++i) w.data<double>()[i] = std::cos(i);
  for (int i = 0; i < 4; ++i) b.data<double>()[i] = std::cos(i + 50);
  parameters.add("w", w);
  parameters.add("b", b);
  return parameters;
}

std::vector<Tensor> golden_gradients(const Parameters& parameters, int64_t t) {
  std::vector<Tensor> gradients;
  for (const Parameter& p : parameters) {
    Tensor g = empty_like(p.value);
    const double phase =
        1 + 3 * static_cast<double>(gradients.size()) + 0.7 * static_cast<double>(t);
    for (int64_t i = 0; i < g.size(); ++i)
      g.data<double>()[i] = std::sin(static_cast<double>(i) + phase);
    gradients.push_back(g);
  }
  return gradients;
}

void expect_golden(const char* kind, const OptimizerOptions& options) {
  const Json expected = golden();
  Parameters parameters = golden_start();
  Optimizer optimizer(parameters, options);
  for (int64_t t = 1; t <= expected.integer("steps"); ++t) {
    optimizer.step(parameters, golden_gradients(parameters, t), 0.01);
  }
  for (const Parameter& p : parameters) {
    const std::vector<double> values = to_vector<double>(p.value);
    const Json& numbers = expected.object(kind).array(p.name);
    ASSERT_EQ(numbers.size(), values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(values[i], numbers.items()[i].as_real(), 1e-14)
          << kind << ' ' << p.name << ' ' << i;
    }
  }
}

TEST(Optimizer, AdamWEqualsPyTorch) {
  expect_golden("adamw", {.weight_decay = 0.1, .beta2 = 0.99});
}
TEST(Optimizer, SgdEqualsPyTorch) {
  expect_golden("sgd", {.kind = OptimizerKind::sgd, .weight_decay = 0.1});
}

// The gradient 0 isolates the decay.
TEST(Optimizer, DecaysMatricesButNotBiasesAndLayerNorms) {
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::lamb, OptimizerKind::sgd}) {
    Parameters parameters;
    parameters.add("layer.weight", full({2, 2}, 1));
    parameters.add("layer.bias", full({2}, 1));
    parameters.add("LayerNorm.weight", full({2}, 1));
    Optimizer optimizer(parameters, {.kind = kind, .weight_decay = 0.5});
    optimizer.step(parameters, std::vector{zeros({2, 2}), zeros({2}), zeros({2})}, 0.1);
    EXPECT_LT(to_vector<float>(parameters.at("layer.weight").value)[0], 1) << name_of(kind);
    EXPECT_EQ(to_vector<float>(parameters.at("layer.bias").value)[0], 1) << name_of(kind);
    EXPECT_EQ(to_vector<float>(parameters.at("LayerNorm.weight").value)[0], 1) << name_of(kind);
  }
}

// As PyTorch's parameter groups: each like one of an optimizer of its own.
TEST(Optimizer, ParametersMayHaveRatesAndDecaysOfTheirOwn) {
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::lamb, OptimizerKind::sgd}) {
    Parameters together = golden_start(), matrix = golden_start(), bias = golden_start();
    together.at("w").rate = 0.25;
    together.at("w").weight_decay = 0.5;
    together.at("b").rate = 3;
    together.at("b").weight_decay = 0.5;  // a vector is not decayed
    Optimizer all(together, {.kind = kind}), of_matrix(matrix, {.kind = kind, .weight_decay = 0.5}),
        of_bias(bias, {.kind = kind});
    for (int64_t t = 1; t <= 5; ++t) {
      all.step(together, golden_gradients(together, t), 0.01);
      of_matrix.step(matrix, golden_gradients(matrix, t), 0.25 * 0.01);
      of_bias.step(bias, golden_gradients(bias, t), 3 * 0.01);
    }
    EXPECT_TRUE(equal_bits(together.at("w").value, matrix.at("w").value)) << name_of(kind);
    EXPECT_TRUE(equal_bits(together.at("b").value, bias.at("b").value)) << name_of(kind);
    together.at("b").rate = 0;
    all.step(together, golden_gradients(together, 6), 0.01);
    EXPECT_TRUE(equal_bits(together.at("b").value, bias.at("b").value)) << name_of(kind);
    together.at("b").rate = -1;
    EXPECT_ERROR(all.step(together, golden_gradients(together, 7), 0.01),
                 "the factor of the learning rate of 'b' should be a number from 0 on, got -1");
    together.at("b").rate = 1;
    together.at("w").weight_decay = -0.1;
    EXPECT_ERROR(all.step(together, golden_gradients(together, 7), 0.01),
                 "the weight decay of 'w' should be a number from 0 on, got -0.1");
  }
}

TEST(Optimizer, LeavesFrozenParametersAndThoseWithoutGradientAlone) {
  Parameters parameters;
  parameters.add("free", full({2, 2}, 1));
  parameters.add("frozen", full({2, 2}, 1)).trainable = false;
  parameters.add("elsewhere", full({2, 2}, 1));
  Optimizer optimizer(parameters);
  optimizer.step(parameters, std::vector{full({2, 2}, 1), full({2, 2}, 1), Tensor()}, 0.1);
  EXPECT_NE(to_vector<float>(parameters.at("free").value)[0], 1);
  EXPECT_EQ(to_vector<float>(parameters.at("frozen").value)[0], 1);
  EXPECT_EQ(to_vector<float>(parameters.at("elsewhere").value)[0], 1);
  EXPECT_EQ(optimizer.state().size(), 4U);  // step, and step, m, v of one parameter
}

// The bias correction of a parameter counts the steps of that parameter.
TEST(Optimizer, AParameterThatJoinsLateStartsAsIfNew) {
  Parameters late, early;
  for (Parameters* p : {&late, &early}) p->add("w", full({2, 2}, 1, Dtype::f64));
  const std::vector<Tensor> none(1), some = {full({2, 2}, 0.3, Dtype::f64)};
  Optimizer a(late), b(early);
  for (int i = 0; i < 5; ++i) a.step(late, none, 0.1);
  a.step(late, some, 0.1);
  b.step(early, some, 0.1);
  EXPECT_TRUE(equal_bits(late.at("w").value, early.at("w").value));
}

void noisy_steps(Parameters& parameters, Optimizer& optimizer, int64_t from, int64_t to) {
  for (int64_t t = from; t < to; ++t)
    optimizer.step(parameters, golden_gradients(parameters, t), 0.01);
}

TEST(Optimizer, ContinuesFromItsSavedStateBitForBit) {
  const testing::TemporaryFolder folder;
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::lamb, OptimizerKind::sgd}) {
    const std::filesystem::path file = folder.path() / "optimizer.safetensors";
    Parameters parameters = golden_start();
    Optimizer optimizer(parameters, {.kind = kind});
    noisy_steps(parameters, optimizer, 1, 8);
    optimizer.save(file);
    Parameters copy;
    for (const Parameter& p : parameters) copy.add(p.name, clone(p.value));
    noisy_steps(parameters, optimizer, 8, 15);

    Optimizer resumed(copy, {.kind = kind});
    resumed.load(file);
    EXPECT_EQ(resumed.steps(), 7);
    noisy_steps(copy, resumed, 8, 15);
    for (const Parameter& p : parameters)
      EXPECT_TRUE(equal_bits(p.value, copy.at(p.name).value)) << name_of(kind);
    const std::vector<NamedTensor> a = optimizer.state(), b = resumed.state();
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].name, b[i].name);
      EXPECT_TRUE(equal_bits(a[i].value, b[i].value)) << a[i].name;
    }
  }
}

TEST(Optimizer, StateThatDoesNotFitIsAnErrorAndChangesNothing) {
  Parameters parameters = golden_start();
  Optimizer optimizer(parameters);
  noisy_steps(parameters, optimizer, 1, 3);
  const std::vector<NamedTensor> good = optimizer.state();
  const auto without = [&](const std::string& name) {
    std::vector<NamedTensor> s = good;
    std::erase_if(s, [&](const NamedTensor& t) { return t.name == name; });
    return s;
  };
  const auto with = [&](const std::string& name, const Tensor& value) {
    std::vector<NamedTensor> s = without(name);
    s.push_back({name, value});
    return s;
  };
  EXPECT_ERROR(optimizer.restore(without("step")), "optimizer state: 'step' is missing");
  EXPECT_ERROR(optimizer.restore(without("w.v")),
               "optimizer state: 'w.v' is missing; was it saved by another kind");
  EXPECT_ERROR(optimizer.restore(with("w.m", zeros({3}, Dtype::f64))),
               "optimizer state: w.m should be f64 (3, 4), got f64 (3)");
  EXPECT_ERROR(optimizer.restore(with("x.m", zeros({3}))),
               "optimizer state: 'x.m' belongs to no parameter");
  EXPECT_ERROR(optimizer.restore(with("step", full({}, -1, Dtype::i64))),
               "'step' should not be negative, got -1");
  std::vector<NamedTensor> twice = good;
  twice.push_back(good.back());
  EXPECT_ERROR(optimizer.restore(twice), "is there twice");
  EXPECT_EQ(optimizer.steps(), 2);
  const std::vector<NamedTensor> after = optimizer.state();
  ASSERT_EQ(after.size(), good.size());
  for (size_t i = 0; i < good.size(); ++i) EXPECT_TRUE(equal_bits(after[i].value, good[i].value));
}

TEST(Optimizer, AfterTheFirstStepAsksTheSystemForNothing) {
  Parameters parameters;
  parameters.add("w", randn({300, 500}, 1, Dtype::f32));
  parameters.add("b", randn({500}, 2, Dtype::f32));
  const std::vector<Tensor> gradients = {randn({300, 500}, 3, Dtype::f32),
                                         randn({500}, 4, Dtype::f32)};
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::lamb, OptimizerKind::sgd}) {
    Optimizer optimizer(parameters, {.kind = kind});
    optimizer.step(parameters, gradients, 0.01);
    const AllocatorStatistics before = pool_statistics();
    optimizer.step(parameters, gradients, 0.01);
    EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
    EXPECT_EQ(pool_statistics().in_use, before.in_use);
  }
}

TEST(Optimizer, MinimisesAQuadratic) {
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::lamb, OptimizerKind::sgd}) {
    Parameters parameters;
    parameters.add("w", randn({4, 4}, 1, Dtype::f64));
    const Tensor target = randn({4, 4}, 2, Dtype::f64);
    Optimizer optimizer(parameters, {.kind = kind, .weight_decay = 0});
    GradientSum sum(parameters);
    for (int64_t step = 0; step < 600; ++step) {
      Tape tape;
      tape.watch(parameters);
      Gradients gradients = tape.backward(mse_loss(parameters.at("w").value, target));
      sum.add(parameters, gradients);
      optimizer.step(parameters, sum.gradients(), 0.05 * (1 - static_cast<double>(step) / 600));
      sum.clear();
    }
    EXPECT_LT(mse_loss(parameters.at("w").value, target).item(), 1e-4) << name_of(kind);
  }
}

TEST(Optimizer, ErrorsSayWhatWasExpected) {
  Parameters parameters = golden_start();
  Optimizer optimizer(parameters);
  std::vector<Tensor> gradients = golden_gradients(parameters, 1);
  const Tensor before = clone(parameters.at("w").value);
  EXPECT_ERROR(optimizer.step(parameters, gradients, -1),
               "optimizer: the learning rate should be a number from 0 on, got -1");
  EXPECT_ERROR(optimizer.step(parameters, gradients, NAN),
               "optimizer: the learning rate should be a number from 0 on");
  EXPECT_ERROR(optimizer.step(parameters, gradients, 1, NAN),
               "optimizer: the gradient scale is nan");
  EXPECT_ERROR(optimizer.step(parameters, std::span(gradients).first(1), 1),
               "expected one gradient for each of 2 parameters, got 1");
  gradients[1] = zeros({5}, Dtype::f64);
  EXPECT_ERROR(optimizer.step(parameters, gradients, 1),
               "b: the gradient should be f64 (4), got f64 (5)");
  EXPECT_TRUE(equal_bits(parameters.at("w").value, before));
  EXPECT_EQ(optimizer.steps(), 0);
  Parameters other;
  other.add("w", zeros({3, 4}, Dtype::f64));
  other.add("c", zeros({4}, Dtype::f64));
  EXPECT_ERROR(optimizer.step(other, golden_gradients(parameters, 1), 1),
               "optimizer: made for parameter 'b', got 'c'");
  EXPECT_ERROR(Optimizer(parameters, {.beta2 = 1}), "optimizer: beta2 should be in [0, 1), got 1");
  EXPECT_ERROR(Optimizer(parameters, {.weight_decay = -1}),
               "optimizer: weight_decay should not be negative");
  EXPECT_ERROR(optimizer_from("adam"), "optimizer: expected adamw, lamb or sgd, got 'adam'");
  EXPECT_EQ(optimizer_from("lamb"), OptimizerKind::lamb);
}

TEST(Optimizer, DoesNotWriteIntoMappedFiles) {
  const float foreign[4] = {};
  Parameters parameters;
  parameters.add("w", Tensor(StorageRef(Storage::borrow(foreign, 16, std::make_shared<int>())),
                             {2, 2}, {2, 1}, 0, Dtype::f32));
  Optimizer optimizer(parameters);
  EXPECT_ERROR(optimizer.step(parameters, std::vector{full({2, 2}, 1)}, 1),
               "optimizer: 'w' lies in a mapped file");
  parameters.own();
  optimizer.step(parameters, std::vector{full({2, 2}, 1)}, 1);
  EXPECT_NE(to_vector<float>(parameters.at("w").value)[0], 0);
}

}  // namespace
}  // namespace ink
