// Attention on the device against the CPU's kernel in f32 on the same (rounded) inputs: ragged
// lengths, head sizes of every path, strides, dropout; guard values around everything written.
#include "cuda/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "autograd/tape.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"

namespace ink {
namespace {

using cuda::AttentionKernels;

constexpr float kGuard = 777;

// q, k, v and dout are columns of one matrix, and so are the results; between and behind them stand
// guard values.
struct Problem {
  std::vector<int32_t> offsets;
  int64_t heads, head_size;
  double dropout = 0;
  int64_t gap = 8, extra_rows = 3;
  double scale = 0.2;

  int64_t channels() const { return heads * head_size; }
  int64_t rows() const { return offsets.back() + extra_rows; }
  int64_t ld() const { return 4 * (channels() + gap); }
  int64_t column(int which) const { return which * (channels() + gap); }
  Tensor inputs(Dtype type) const { return converted(randn({rows(), ld()}, 7, Dtype::f32), type); }
};

struct Results {
  Tensor matrices, log_sum;  // out, dq, dk, dv side by side, f32 on the host
};

template <class T>
AttentionInput<T> input(const Problem& p, const T* in, const int32_t* offsets) {
  return {.q = {in, p.ld()},
          .k = {in + p.column(1), p.ld()},
          .v = {in + p.column(2), p.ld()},
          .offsets = {offsets, p.offsets.size()},
          .heads = p.heads,
          .head_size = p.head_size,
          .scale = p.scale,
          .dropout = p.dropout,
          .random = Random(31)};
}

Results on_cpu(const Problem& p, Dtype type) {
  const Tensor in = converted(p.inputs(type), Dtype::f32);
  Results r{full({p.rows(), p.ld()}, kGuard), full({p.rows(), p.heads}, kGuard)};
  const auto a = input(p, in.data<float>(), p.offsets.data());
  float *to = r.matrices.data<float>(), *log_sum = r.log_sum.data<float>();
  const auto part = [&](int i) { return Rows<float>{to + p.column(i), p.ld()}; };
  const Rows<const float> dout{in.data<float>() + p.column(3), p.ld()};
  attention_forward(a, part(0), log_sum);
  // The device's backward reads an `out` that was rounded.
  const Tensor rounded = converted(converted(r.matrices, type), Dtype::f32);
  attention_backward(a, Rows<const float>{rounded.data<float>(), p.ld()}, log_sum, dout, part(1),
                     part(2), part(3));
  return r;
}

template <class T>
Results on_device(const Problem& p, AttentionKernels kernels) {
  const Tensor in = to(p.inputs(dtype_of<T>), Device::cuda);
  const Tensor offsets = to(from(p.offsets), Device::cuda);
  Tensor matrices = to(full({p.rows(), p.ld()}, kGuard, dtype_of<T>), Device::cuda);
  Tensor log_sum = to(full({p.rows(), p.heads}, kGuard), Device::cuda);
  const auto a = input(p, in.data<T>(), offsets.data<int32_t>());
  T* base = matrices.data<T>();
  const auto part = [&](int i) { return Rows<T>{base + p.column(i), p.ld()}; };
  const Rows<const T> out{base, p.ld()}, dout{in.data<T>() + p.column(3), p.ld()};
  cuda::attention_forward(a, p.rows(), part(0), log_sum.data<float>(), kernels);
  cuda::attention_backward(a, p.rows(), out, log_sum.data<float>(), dout, part(1), part(2), part(3),
                           kernels);
  return {converted(to(matrices, Device::cpu), Dtype::f32), to(log_sum, Device::cpu)};
}

void expect_guards(const Problem& p, const Results& r, Dtype type) {
  const float guard = converted(converted(full({1}, kGuard), type), Dtype::f32).data<float>()[0];
  for (int64_t i = 0; i < p.rows(); ++i) {
    for (int64_t c = 0; c < p.ld(); ++c) {
      const bool written = i < p.offsets.back() && c % (p.channels() + p.gap) < p.channels();
      if (!written) {
        ASSERT_EQ(r.matrices.data<float>()[i * p.ld() + c], guard)
            << "row " << i << ", column " << c;
      }
    }
  }
}

// In f32 the error of f32; in 16 bits that of probabilities and results rounded to the type.
template <class T>
void expect_like_cpu(const Problem& p, AttentionKernels kernels) {
  const Results device = on_device<T>(p, kernels), cpu = on_cpu(p, dtype_of<T>);
  const double step = unit(dtype_of<T>), tolerance = sizeof(T) == 4 ? 1e-11 : step * step;
  for (int i = 0; i < 4; ++i) {
    const auto part = [&](const Tensor& x) {
      return slice(slice(x, 0, 0, p.offsets.back()), 1, p.column(i), p.column(i) + p.channels());
    };
    EXPECT_LE(normalized_error(part(device.matrices), part(cpu.matrices)), tolerance)
        << (i == 0   ? "out"
            : i == 1 ? "dq"
            : i == 2 ? "dk"
                     : "dv");
  }
  EXPECT_LE(normalized_error(device.log_sum, cpu.log_sum), 1e-11);
  expect_guards(p, device, dtype_of<T>);
  const Results again = on_device<T>(p, kernels);
  EXPECT_TRUE(equal_bits(again.matrices, device.matrices));
  EXPECT_TRUE(equal_bits(again.log_sum, device.log_sum));
}

template <class T>
void expect_every_path(const Problem& p) {
  SCOPED_TRACE(testing::Message() << name_of(dtype_of<T>) << ", head size " << p.head_size
                                  << ", dropout " << p.dropout);
  {
    SCOPED_TRACE("fastest");
    expect_like_cpu<T>(p, AttentionKernels::fastest);
  }
  if (sizeof(T) == 2) {
    SCOPED_TRACE("plain");
    expect_like_cpu<T>(p, AttentionKernels::plain);
  }
}

void expect_every_type(const Problem& p) {
  expect_every_path<Bfloat16>(p);
  expect_every_path<Float16>(p);
  expect_every_path<float>(p);
}

class AttentionOnDevice : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

TEST_F(AttentionOnDevice, HeadSizes) {
  for (const int64_t d : {1, 5, 8, 24, 32, 64, 80, 128, 136})
    expect_every_type({.offsets = {0, 1, 1, 10, 47}, .heads = 2, .head_size = d});
}

TEST_F(AttentionOnDevice, SeveralTiles) {
  for (const int64_t d : {32, 64, 128})
    expect_every_path<Bfloat16>({.offsets = {0, 5, 153, 217}, .heads = 1, .head_size = d});
  expect_every_path<float>({.offsets = {0, 5, 153}, .heads = 1, .head_size = 64});
}

TEST_F(AttentionOnDevice, Dropout) {
  for (const int64_t d : {32, 64, 128})
    expect_every_type({.offsets = {0, 3, 73}, .heads = 2, .head_size = d, .dropout = 0.3});
  expect_every_type({.offsets = {0, 3, 73}, .heads = 2, .head_size = 64, .dropout = 0.7});
}

// Its probability is 0 for every query, and so is what its value gets; rows behind the last query,
// which are zeros, must not turn that into NaN.
TEST_F(AttentionOnDevice, AnInfiniteKeyGetsNoShare) {
  for (const Dtype type : {Dtype::f32, Dtype::bf16}) {
    const auto there = [&](const Tensor& x) { return converted(to(x, Device::cuda), type); };
    Tensor k = randn({5, 64}, 1, Dtype::f32);
    std::fill_n(k.data<float>() + 3 * 64, 64, -std::numeric_limits<float>::infinity());
    Tensor v = there(randn({5, 64}, 2, Dtype::f32));
    Tape tape;
    tape.watch(v);
    const Tensor y =
        attention(there(full({5, 64}, 0.5)), there(k), v, from(std::vector<int32_t>{0, 5}), {});
    const Tensor dv = to(converted(tape.backward(y, y)[v], Dtype::f32), Device::cpu);
    for (int64_t i = 0; i < dv.size(); ++i) {
      const float g = dv.data<float>()[i];
      EXPECT_TRUE(i / 64 == 3 ? g == 0 : std::isfinite(g) && g != 0) << i << ": " << g;
    }
  }
}

TEST_F(AttentionOnDevice, UnalignedRows) {
  expect_every_type({.offsets = {0, 20}, .heads = 2, .head_size = 8, .gap = 3});
}

TEST_F(AttentionOnDevice, NegativeScale) {
  expect_every_type({.offsets = {0, 20}, .heads = 1, .head_size = 16, .scale = -0.3});
}

// Scores in the hundreds, rising from block to block: the running maximum has to follow.
TEST_F(AttentionOnDevice, LargeScores) {
  Problem p{.offsets = {0, 130}, .heads = 1, .head_size = 64};
  p.scale = 8;
  for (const Results& r : {on_device<Bfloat16>(p, AttentionKernels::fastest),
                           on_device<float>(p, AttentionKernels::fastest)}) {
    for (int64_t i = 0; i < r.matrices.size(); ++i)
      ASSERT_TRUE(std::isfinite(r.matrices.data<float>()[i]));
  }
  const Results device = on_device<Bfloat16>(p, AttentionKernels::fastest);
  const Results cpu = on_cpu(p, Dtype::bf16);
  const auto out = [&](const Tensor& x) { return slice(slice(x, 0, 0, 130), 1, 0, p.channels()); };
  EXPECT_LE(normalized_error(out(device.matrices), out(cpu.matrices)), 1e-4);
  EXPECT_LE(normalized_error(device.log_sum, cpu.log_sum), 1e-11);
}

// More sequences than a warp looks at in one step of its search, many of them empty.
TEST_F(AttentionOnDevice, ManySequences) {
  std::vector<int32_t> offsets = {0};
  for (int b = 0; b < 1100; ++b) offsets.push_back(offsets.back() + (b % 9 == 0 ? b % 4 : 0));
  const Problem p{.offsets = offsets, .heads = 1, .head_size = 8};
  expect_like_cpu<Bfloat16>(p, AttentionKernels::fastest);
  expect_like_cpu<float>(p, AttentionKernels::fastest);
}

TEST_F(AttentionOnDevice, ASequenceGetsTheSameBitsWhateverStandsBesideIt) {
  const Problem all{.offsets = {0, 30, 100}, .heads = 2, .head_size = 64, .dropout = 0.2};
  Problem alone = all;
  alone.offsets = {0, 30};
  alone.extra_rows = all.rows() - 30;
  const Results a = on_device<Bfloat16>(all, AttentionKernels::fastest);
  const Results b = on_device<Bfloat16>(alone, AttentionKernels::fastest);
  EXPECT_TRUE(
      equal_bits(contiguous(slice(a.matrices, 0, 0, 30)), contiguous(slice(b.matrices, 0, 0, 30))));
}

TEST_F(AttentionOnDevice, RejectsHeadsThatAreTooLarge) {
  const Tensor x = to(randn({4, 300}, 1, Dtype::f32), Device::cuda);
  try {
    attention(x, x, x, from(std::vector<int32_t>{0, 4}), {});
    FAIL() << "no Error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.message()).find("256"), std::string::npos) << e.message();
  }
}

}  // namespace
}  // namespace ink
