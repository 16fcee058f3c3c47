// Every op on the CUDA device against the CPU, on every sample it declares: results and all
// gradients, in f32, f16 and bf16. The CPU computes in f32 on inputs rounded to the device's type.
#include <cstdlib>

#include "cuda/allocator.h"
#include "tests/cuda/device.h"
#include "tests/ops/outcome.h"
#if INK_EMULATED
#include "cuda/emulated/control.h"
#endif

namespace ink {
namespace {

constexpr Dtype kTypes[] = {Dtype::f32, Dtype::f16, Dtype::bf16};

class OpOnDevice : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
  // The guards of every block are looked at after each launch.
  void TearDown() override {
    if (!IsSkipped()) cuda::release_device_cache();
  }
  const Sample& s = GetParam().sample;
};

// The inputs rounded to a type, as f32 on the CPU.
std::vector<Tensor> on_cpu(const Sample& s, Dtype type) {
  std::vector<Tensor> in;
  for (const Tensor& x : s.in) {
    const bool real = is_float(x.dtype());
    in.push_back(real ? converted(converted(converted(x, Dtype::f32), type), Dtype::f32) : x);
  }
  return in;
}

// Where packs may begin, and where not.
enum class Place : uint8_t { aligned, off_alignment };
Tensor placed(const Tensor& x, Place place) {
  return place == Place::aligned ? to(x, Device::cuda) : off_alignment(x);
}

// The same on the device in that type; integers stay on the host, as in a model's batches.
std::vector<Tensor> on_device(const std::vector<Tensor>& in, Dtype type, Place place) {
  std::vector<Tensor> moved;
  for (const Tensor& x : in)
    moved.push_back(is_float(x.dtype()) ? placed(converted(x, type), place) : x);
  return moved;
}

struct Both {
  Outcome device, cpu;
};

// dy is rounded as the device's y is.
Both run_both(const Sample& s, Dtype type, Place place = Place::aligned) {
  Both both;
  const std::vector<Tensor> in = on_cpu(s, type);
  const Tensor y = s.call(on_device(in, type, place));
  const Tensor dy = converted(fixed_dy(converted(to(y, Device::cpu), Dtype::f32)), y.dtype());
  both.device = run(s, on_device(in, type, place), placed(dy, place));
  both.cpu = run(s, in, converted(dy, Dtype::f32));
  return both;
}

// The gradient of sigmoid reads y and computes 1 − y, which near 1 makes a unit of y many of its
// own.
double allowed_error(const std::string& op) { return op == "sigmoid" ? 1e-10 : 1e-11; }

void expect_agreement_in_f32(const Both& both, const std::string& op) {
  const double allowed = allowed_error(op);
  EXPECT_EQ(both.device.y.device(), Device::cuda);
  EXPECT_LE(normalized_error(both.device.y, both.cpu.y), 1e-11)
      << nan_hint(both.device.y, both.cpu.y);
  for (size_t k = 0; k < both.cpu.gradients.size(); ++k) {
    if (!both.cpu.gradients[k]) continue;
    ASSERT_TRUE(both.device.gradients[k]) << "gradient " << k << " is missing";
    EXPECT_LE(normalized_error(both.device.gradients[k], both.cpu.gradients[k]), allowed)
        << "gradient " << k << nan_hint(both.device.gradients[k], both.cpu.gradients[k]);
  }
}

// What beside 2 units of each element is free, in units of the largest: ops that round on the way
// carry that rounding into small results.
struct Slack {
  double result, gradient;
};
Slack slack_of(const std::string& op) {
  // Probabilities and their gradients are factors in 16 bits.
  if (op == "attention" || op == "joined_attention") return {1, 4};
  if (op == "gru") return {1, 2};     // states are factors in 16 bits, step after step
  if (op == "linear") return {1, 1};  // what the activation reads was stored in 16 bits
  return {0, 1};                      // a gradient may read results, which are rounded
}

// Within 2 units of the storage type.
void expect_agreement_in(Dtype type, const Both& both, const std::string& op) {
  const Slack slack = slack_of(op);
  EXPECT_LE(units_apart(both.device.y, both.cpu.y, type, 1e-5 + slack.result * unit(type)), 2)
      << nan_hint(both.device.y, both.cpu.y);
  for (size_t k = 0; k < both.cpu.gradients.size(); ++k) {
    if (!both.cpu.gradients[k]) continue;
    ASSERT_TRUE(both.device.gradients[k]) << "gradient " << k << " is missing";
    EXPECT_LE(units_apart(both.device.gradients[k], both.cpu.gradients[k], type,
                          slack.gradient * unit(type)),
              2)
        << "gradient " << k << nan_hint(both.device.gradients[k], both.cpu.gradients[k]);
  }
}

void expect_agreement(const OpCase& c, Dtype type, Place place) {
  SCOPED_TRACE(name_of(type));
  const Both both = run_both(c.sample, type, place);
  if (type == Dtype::f32) {
    expect_agreement_in_f32(both, c.op->name);
  } else {
    expect_agreement_in(type, both, c.op->name);
  }
}

TEST_P(OpOnDevice, AgreesWithTheCpu) {
  for (const Dtype type : kTypes) expect_agreement(GetParam(), type, Place::aligned);
}

TEST_P(OpOnDevice, AgreesWithTheCpuOffItsAlignment) {
  for (const Dtype type : kTypes) expect_agreement(GetParam(), type, Place::off_alignment);
}

// Memory full of NaN and, on the emulated device, the threads of a block in another order between
// every two barriers: neither changes what a correct kernel computes.
void disturb(bool on) {
  cuda::fill_device_blocks(on);
#if INK_EMULATED
  cuda::emulated::set_thread_order(on ? 1 : 0);
#endif
}

TEST_P(OpOnDevice, GivesTheSameBitsTwiceInMemoryFullOfNaNAndInAnyOrderOfThreads) {
  for (const Dtype type : kTypes) {
    const Outcome expected = run_both(s, type).device;
    disturb(true);
    const Outcome got = run_both(s, type).device;
    disturb(false);
    expect_same_bits(got, expected, name_of(type));
  }
}

// Op by op: the large samples of all ops would fill gigabytes, and ThreadSanitizer needs four times
// as much. None in a process that has a share of another test (processes.h): they take seconds.
std::vector<OpCase> cases() {
  std::vector<OpCase> chosen;
  if (std::getenv("INK_TEST_SHARE")) return chosen;
  for (const OpEntry& op : all_ops()) {
    for (Sample& s : op.samples()) {
      if (s.label.find("f64") != std::string::npos) continue;  // a type of the CPU alone
#if INK_EMULATED
      if (s.bench) continue;
#endif
      chosen.push_back({&op, std::move(s)});
    }
  }
  return chosen;
}

std::string title(const testing::TestParamInfo<OpCase>& info) {
  std::string text = info.param.name();
  for (char& c : text) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return text + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Ops, OpOnDevice, testing::ValuesIn(cases()), title);

}  // namespace
}  // namespace ink
