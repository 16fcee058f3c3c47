// Optimizers and gradient sums on the CUDA device: the CPU's numbers, masters of 16-bit parameters,
// loss scaling, steps that change nothing, and state that resumes bit for bit.
#include "autograd/optimizer.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autograd/gradient_sum.h"
#include "tensor/op.h"
#include "tensor/update.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Sizes with and without fours, of several pieces and of none; one parameter is frozen, one never
// has a gradient, some have rates and a decay of their own.
Parameters make_parameters() {
  Parameters parameters;
  parameters.add("large", randn({3, 11003}, 1, Dtype::f32)).rate = 0.5;
  parameters.add("bias", randn({7}, 2, Dtype::f32)).rate = 3;
  parameters.add("empty", zeros({0, 4}));
  parameters.add("frozen", randn({5}, 3, Dtype::f32)).trainable = false;
  parameters.add("matrix", randn({8, 16}, 4, Dtype::f32)).weight_decay = 0.3;
  parameters.add("unused", randn({4}, 5, Dtype::f32));
  return parameters;
}

// The same on both devices, in a type that holds all of them.
std::vector<Tensor> gradients_of(const Parameters& parameters, uint64_t t, Dtype dtype,
                                 double size = 1) {
  std::vector<Tensor> gradients;
  for (const Parameter& p : parameters) {
    Tensor g = randn(p.value.shape(), 100 * t + gradients.size(), Dtype::f32);
    scale_in_place(g, size);
    g = to(converted(g, dtype), p.value.device());
    gradients.push_back(p.name == "unused" ? Tensor() : g);
  }
  return gradients;
}

std::vector<Tensor> in_f32(std::vector<Tensor> gradients) {
  for (Tensor& g : gradients)
    if (g) g = converted(to(g, Device::cpu), Dtype::f32);
  return gradients;
}

double clipped(const Parameters& parameters, const std::vector<Tensor>& gradients, double share,
               double longest, double* norm = nullptr) {
  double squares = 0;
  size_t i = 0;
  for (const Parameter& p : parameters) {
    if (p.trainable && gradients[i]) squares += squared_norm(gradients[i]);
    ++i;
  }
  const double found = std::sqrt(squares) * share;
  if (norm) *norm = found;
  return share * clip_factor(found, longest);
}

void expect_close(const std::vector<NamedTensor>& got, const std::vector<NamedTensor>& expected,
                  double error = 1e-11) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].name, expected[i].name);
    EXPECT_LE(normalized_error(got[i].value, expected[i].value), error) << got[i].name;
  }
}

// Everything that a step may change, on the host.
std::vector<NamedTensor> snapshot(const Parameters& parameters, const Optimizer& optimizer) {
  std::vector<NamedTensor> all = optimizer.state();
  for (const Parameter& p : parameters) all.push_back({"value of " + p.name, p.value});
  for (NamedTensor& t : all) t.value = clone(to(t.value, Device::cpu));
  return all;
}

void expect_same_bits(const std::vector<NamedTensor>& got,
                      const std::vector<NamedTensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].name, expected[i].name);
    EXPECT_TRUE(equal_bits(got[i].value, expected[i].value)) << got[i].name;
  }
}

std::vector<OptimizerOptions> all_kinds() {
  return {{.kind = OptimizerKind::adamw},
          {.kind = OptimizerKind::adamw, .weight_decay = 0, .beta1 = 0, .bias_correction = false},
          {.kind = OptimizerKind::lamb, .weight_decay = 0.1},
          {.kind = OptimizerKind::sgd, .weight_decay = 0.01}};
}

class OptimizerOnDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

TEST_F(OptimizerOnDevice, TakesTheStepsOfTheCpu) {
  for (const OptimizerOptions& options : all_kinds()) {
    Parameters here = make_parameters(), there = make_parameters();
    Optimizer cpu(here, options), device(there, options);
    device.place(there, Device::cuda);
    for (uint64_t t = 1; t <= 5; ++t) {
      const auto gradients = gradients_of(here, t, Dtype::f32);
      const double longest = t % 2 ? 3 : 0;
      double norm = 0;
      cpu.step(here, gradients, 0.01, clipped(here, gradients, 0.5, longest, &norm));
      device.step(there, gradients_of(there, t, Dtype::f32),
                  {.learning_rate = 0.01, .share = 0.5, .longest = longest});
      EXPECT_NEAR(device.control()->read().norm, norm, 1e-5 * norm);
    }
    EXPECT_EQ(device.steps(), 5);
    expect_close(device.exact(there), cpu.exact(here));
    expect_close(device.state(), cpu.state());
  }
}

TEST_F(OptimizerOnDevice, RoundsMastersIntoParametersOf16Bits) {
  for (const Dtype type : {Dtype::bf16, Dtype::f16}) {
    for (const OptimizerOptions& options : all_kinds()) {
      Parameters here = make_parameters(), there = make_parameters();
      Optimizer cpu(here, options), device(there, options);
      device.place(there, Device::cuda, type);
      for (uint64_t t = 1; t <= 3; ++t) {
        // In f32 when summed over micro-batches. With a loss scale they come multiplied by it.
        const auto rounded = gradients_of(there, t, t == 2 ? Dtype::f32 : type);
        const double scale = device.loss_scale() ? device.loss_scale().item() : 1;
        cpu.step(here, in_f32(rounded), 0.01, 1 / scale);
        device.step(there, rounded, 0.01);
      }
      const auto exact = device.exact(there);
      expect_close(exact, cpu.exact(here));
      size_t i = 0;
      for (const Parameter& p : there) {
        EXPECT_EQ(p.value.dtype(), type);
        const Tensor master = to(exact[i++].value, Device::cpu);
        EXPECT_EQ(master.dtype(), Dtype::f32);
        EXPECT_TRUE(equal_bits(p.value, converted(master, type))) << p.name;
      }
    }
  }
}

TEST_F(OptimizerOnDevice, GivesTheSameBitsTwice) {
  const auto run = [] {
    Parameters parameters = make_parameters();
    Optimizer optimizer(parameters, {.kind = OptimizerKind::lamb});
    optimizer.place(parameters, Device::cuda, Dtype::bf16);
    for (uint64_t t = 1; t <= 3; ++t) {
      optimizer.step(parameters, gradients_of(parameters, t, Dtype::bf16),
                     {.learning_rate = 0.01, .longest = 1});
    }
    return snapshot(parameters, optimizer);
  };
  expect_same_bits(run(), run());
}

TEST_F(OptimizerOnDevice, TakesParametersAndGradientsThatBeginAnywhere) {
  const auto run = [](bool parameters_off, bool gradients_off) {
    Parameters parameters = make_parameters();
    Optimizer optimizer(parameters);
    optimizer.place(parameters, Device::cuda, Dtype::bf16);
    if (parameters_off)
      for (Parameter& p : parameters) p.value = off_alignment(p.value);
    std::vector<Tensor> gradients = gradients_of(parameters, 1, Dtype::bf16);
    if (gradients_off)
      for (Tensor& g : gradients)
        if (g) g = off_alignment(g);
    optimizer.step(parameters, gradients, {.learning_rate = 0.01, .longest = 1});
    return snapshot(parameters, optimizer);
  };
  const auto expected = run(false, false);
  expect_same_bits(run(true, false), expected);
  expect_same_bits(run(false, true), expected);
}

// A gradient or a loss that is not finite: nothing changes until go_on(), and the record says why.
TEST_F(OptimizerOnDevice, HaltsAtAStepThatIsNotFinite) {
  Parameters parameters = make_parameters();
  Optimizer optimizer(parameters);
  optimizer.place(parameters, Device::cuda);
  const auto good = gradients_of(parameters, 1, Dtype::f32);
  optimizer.step(parameters, good, 0.01);
  const auto before = snapshot(parameters, optimizer);

  for (const float bad : {kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    auto gradients = good;
    Tensor g = to(good[4], Device::cpu);
    g.data<float>()[100] = bad;
    gradients[4] = to(g, Device::cuda);
    optimizer.step(parameters, gradients, 0.01);
    EXPECT_EQ(optimizer.control()->read().verdict, Verdict::halted);
    EXPECT_EQ(optimizer.control()->read().culprit, 4);
    optimizer.step(parameters, good, 0.01);
    EXPECT_EQ(optimizer.control()->read().verdict, Verdict::halted);
    EXPECT_EQ(optimizer.control()->read().culprit, 4);
    expect_same_bits(snapshot(parameters, optimizer), before);
    optimizer.control()->go_on();
  }
  const std::vector<Tensor> losses = {full({}, 1, Dtype::f32, Device::cuda),
                                      full({}, NAN, Dtype::f32, Device::cuda)};
  optimizer.step(parameters, good, StepSettings{.learning_rate = 0.01}, losses);
  EXPECT_EQ(optimizer.control()->read().culprit, -2);
  expect_same_bits(snapshot(parameters, optimizer), before);
  optimizer.control()->go_on();

  const auto huge = gradients_of(parameters, 1, Dtype::f32, 1e25);  // the squares overflow
  optimizer.step(parameters, huge, 0.01);
  EXPECT_EQ(optimizer.control()->read().verdict, Verdict::halted);
  optimizer.control()->go_on();
  optimizer.step(parameters, good, 0.01);
  EXPECT_EQ(optimizer.control()->read().verdict, Verdict::good);
  EXPECT_EQ(optimizer.steps(), 2);
}

TEST_F(OptimizerOnDevice, ScalesLossesInF16) {
  Parameters parameters = make_parameters();
  Optimizer optimizer(parameters);
  EXPECT_FALSE(optimizer.loss_scale());
  optimizer.place(parameters, Device::cuda, Dtype::f16);
  StepControl& control = *optimizer.control();
  EXPECT_EQ(optimizer.loss_scale().item(), 65536);
  const auto good = gradients_of(parameters, 1, Dtype::f16);
  auto overflown = good;
  overflown[0] = full(good[0].shape(), kInfinity, Dtype::f16, Device::cuda);

  optimizer.step(parameters, good, {.learning_rate = 0.01, .longest = 1e-9});
  EXPECT_EQ(control.read().verdict, Verdict::good);
  const auto before = snapshot(parameters, optimizer);
  optimizer.step(parameters, overflown, 0.01);
  EXPECT_EQ(control.read().verdict, Verdict::skipped);
  EXPECT_EQ(optimizer.loss_scale().item(), 32768);
  EXPECT_EQ(optimizer.steps(), 1);
  control.restore(control.steps(), {65536, 1});
  expect_same_bits(snapshot(parameters, optimizer), before);

  control.restore(control.steps(), {1024, 1999});
  optimizer.step(parameters, good, 0.01);
  EXPECT_EQ(optimizer.loss_scale().item(), 2048);
  EXPECT_EQ(control.loss_scaling()[1], 0);
  control.restore(control.steps(), {0x1p30, 1999});  // as large as it gets
  optimizer.step(parameters, good, 0.01);
  EXPECT_EQ(control.loss_scaling(), (std::array<double, 2>{0x1p30, 0}));
  control.restore(control.steps(), {1, 0});  // no smaller scale would help
  optimizer.step(parameters, overflown, 0.01);
  EXPECT_EQ(control.read().verdict, Verdict::halted);
  EXPECT_EQ(control.read().culprit, 0);
}

TEST_F(OptimizerOnDevice, ResumesFromAFileBitForBit) {
  const testing::TemporaryFolder folder;
  for (const Dtype type : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
    for (const OptimizerOptions& options : all_kinds()) {
      const auto step = [&](Parameters& parameters, Optimizer& optimizer, uint64_t t) {
        optimizer.step(parameters, gradients_of(parameters, t, type),
                       {.learning_rate = 0.01, .longest = 1});
      };
      Parameters whole = make_parameters();
      Optimizer first(whole, options);
      first.place(whole, Device::cuda, type);
      for (uint64_t t = 1; t <= 2; ++t) step(whole, first, t);
      first.save(folder / "optimizer.safetensors");
      std::vector<NamedTensor> values;
      for (const Parameter& p : whole) values.push_back({p.name, p.value});
      write_safetensors(folder / "model.safetensors", values);

      Parameters resumed = make_parameters();
      Optimizer second(resumed, options);
      second.place(resumed, Device::cuda, type);
      step(resumed, second, 9);  // to be replaced
      second.load(folder / "optimizer.safetensors");
      const SafeTensors model(folder / "model.safetensors");
      for (Parameter& p : resumed) copy_into(p.value, model.tensor(p.name));
      expect_same_bits(snapshot(resumed, second), snapshot(whole, first));
      for (uint64_t t = 3; t <= 4; ++t) step(whole, first, t), step(resumed, second, t);
      expect_same_bits(snapshot(resumed, second), snapshot(whole, first));
    }
  }
}

TEST_F(OptimizerOnDevice, NamesItsState) {
  Parameters parameters;
  parameters.add("w", randn({2, 2}, 1, Dtype::f32));
  Optimizer optimizer(parameters);
  optimizer.place(parameters, Device::cuda, Dtype::f16);
  optimizer.step(parameters, gradients_of(parameters, 1, Dtype::f16), 0.01);
  std::string names;
  for (const NamedTensor& t : optimizer.state()) names += t.name + ' ';
  EXPECT_EQ(names, "step loss_scale w.master w.step w.m w.v ");
}

// To the device after two steps on the CPU, and back after two there.
TEST_F(OptimizerOnDevice, MovesWithWhatItKeeps) {
  Parameters here = make_parameters(), moving = make_parameters();
  Optimizer cpu(here), optimizer(moving);
  for (uint64_t t = 1; t <= 6; ++t) {
    if (t == 3) optimizer.place(moving, Device::cuda);
    if (t == 5) optimizer.place(moving, Device::cpu);
    cpu.step(here, gradients_of(here, t, Dtype::f32), 0.01);
    optimizer.step(moving, gradients_of(moving, t, Dtype::f32), 0.01);
  }
  EXPECT_EQ(optimizer.steps(), 6);
  expect_close(optimizer.exact(moving), cpu.exact(here));
  expect_close(optimizer.state(), cpu.state());
}

TEST_F(OptimizerOnDevice, ErrorsSayWhatWasExpected) {
  Parameters parameters = make_parameters();
  Optimizer optimizer(parameters);
  EXPECT_ERROR(optimizer.place(parameters, Device::cpu, Dtype::bf16),
               "expected f32 on cpu, and f32, f16 or bf16 on cuda, got bf16 on cpu");
  EXPECT_ERROR(optimizer.step(parameters, gradients_of(parameters, 1, Dtype::f32), StepSettings{}),
               "a step that clips is one of parameters on cuda");
  const auto on_host = gradients_of(parameters, 1, Dtype::f32);
  optimizer.place(parameters, Device::cuda);
  EXPECT_ERROR(optimizer.step(parameters, on_host, 0.01),
               "the gradient of 'large' is on cpu, expected it on cuda");
  Parameters moved = make_parameters();
  Optimizer other(moved);
  for (Parameter& p : moved) p.value = to(p.value, Device::cuda);
  EXPECT_ERROR(other.step(moved, gradients_of(moved, 1, Dtype::f32), 0.01),
               "made for 'large' on cpu, got it on cuda");
}

// ── gradients ───────────────────────────────────────────────────────────────────────────────────

TEST_F(OptimizerOnDevice, UpdatesEqualThoseOfTheCpu) {
  for (const int64_t n : {int64_t{1}, int64_t{24}, int64_t{20001}}) {
    for (const Dtype type : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      const Tensor a = converted(randn({n}, 1, Dtype::f32), type),
                   b = converted(randn({n}, 2, Dtype::f32), type);
      Tensor sum = to(a, Device::cuda), expected = clone(converted(a, Dtype::f32));
      add_gradient(sum, to(b, Device::cuda));
      add_gradient(expected, converted(b, Dtype::f32));
      EXPECT_TRUE(equal_bits(sum, converted(expected, type)));

      const double norm = squared_norm(to(a, Device::cuda));
      EXPECT_NEAR(norm, squared_norm(converted(a, Dtype::f32)), 1e-5 * norm);
      EXPECT_TRUE(all_finite(sum));
      scale_in_place(sum, 0.5);
      Tensor half = converted(converted(expected, type), Dtype::f32);
      scale_in_place(half, 0.5);
      EXPECT_TRUE(equal_bits(sum, converted(half, type)));
    }
  }
}

TEST_F(OptimizerOnDevice, FindsWhatIsNotFinite) {
  Tensor x = zeros({40000});
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    x.data<float>()[39999] = bad;
    EXPECT_FALSE(all_finite(to(x, Device::cuda)));
  }
  x.data<float>()[39999] = std::numeric_limits<float>::max();
  EXPECT_TRUE(all_finite(to(x, Device::cuda)));
}

// Sums of gradients with weights, which 16 bits would round away.
TEST_F(OptimizerOnDevice, SumsMicroBatchesInF32) {
  for (const Dtype type : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    std::vector<Tensor> sums(3), expected(3);
    for (uint64_t t = 1; t <= 4; ++t) {
      std::vector<Tensor> gradients(3);
      gradients[0] = to(converted(randn({5, 4001}, t, Dtype::f32), type), Device::cuda);
      if (t % 2) gradients[2] = to(converted(randn({6}, 9 + t, Dtype::f32), type), Device::cuda);
      if (t == 1) sums[0] = gradients[0];  // taken as it is, and shared
      if (t == 1) expected[0] = in_f32(gradients)[0], gradients[0] = Tensor();
      const auto f32 = in_f32(gradients);
      add_gradients(sums, gradients, 0.25 * static_cast<double>(t));
      for (size_t i = 0; i < 3; ++i) {
        if (!f32[i]) continue;
        Tensor term = clone(f32[i]);
        scale_in_place(term, 0.25 * static_cast<double>(t));
        add_gradient(expected[i], term);
      }
    }
    EXPECT_FALSE(sums[1]);
    for (const size_t i : {0, 2}) {
      EXPECT_EQ(sums[i].dtype(), Dtype::f32);
      EXPECT_LE(normalized_error(sums[i], expected[i]), 1e-12);
    }
  }
}

}  // namespace
}  // namespace ink
