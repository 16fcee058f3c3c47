// One launch adds up Σ g² piece by piece, one block of a second adds up the pieces and decides.
#include "tensor/step_control.h"

#include <cmath>
#include <cstring>

#include "tensor/op.h"

#if INK_CUDA
#include "cuda/in_flight.cuh"
#include "cuda/pieces.cuh"
#endif

namespace ink {
namespace {

constexpr float kFirstScale = 0x1p16f;

}  // namespace

#if INK_CUDA
namespace {

constexpr float kLargestScale = 0x1p30f;
constexpr int kDoublingSteps = 2000;

// sums[p] = Σ g² over piece p.
__global__ void gradient_squares_kernel(const PartEntry* parts, int count, float* sums) {
  INK_SHARED(float, room, [cuda::kWarp]);
  const int64_t piece = blockIdx.x;
  const PartEntry part = parts[cuda::entry_of(parts, count, piece)];
  float sum = 0;
  cuda::with_storage(part.gradient_type, [&](auto t) {
    using G = decltype(t);
    constexpr int U = 4;
    const auto whole = [&](int64_t i, int64_t step) {
      const cuda::Fours<U, G> g(static_cast<const G*>(part.g), i, step);
#pragma unroll
      for (int j = 0; j < 4 * U; ++j) {
        const float x = cuda::widen(g.at[j / 4].at[j % 4]);
        sum += x * x;
      }
    };
    cuda::each_fours<U>(part, piece, whole, [&](int64_t i, int n) {
      const cuda::Four g = cuda::load_four(part.g, part.gradient_type, i, n, part.packed);
#pragma unroll
      for (float x : g.at) sum += x * x;
    });
  });
  sum = cuda::block_sum(sum, room);
  if (threadIdx.x == 0) sums[piece] = sum;
}

INK_DEVICE bool finite(float x) { return fabsf(x) <= 3.402823466e38f; }

// The first of the losses that is not finite, −1 when all are.
INK_DEVICE int first_bad_loss(const float* const* losses, int count) {
  for (int k = 0; k < count; ++k) {
    if (!finite(*losses[k])) return k;
  }
  return -1;
}

// Writes the record, the factor and the loss scale; says whether the step is good.
INK_DEVICE bool decide_step(float squares, float bad_parameter, int bad_loss, bool scales_losses,
                            const float* settings, float* state) {
  using Step = StepControl;
  const float scale = state[Step::kScale], share = settings[Step::kShare] / scale;
  const float norm = sqrtf(squares) * share, longest = settings[Step::kLongest];
  state[Step::kNorm] = norm;
  if (static_cast<Verdict>(state[Step::kVerdict]) == Verdict::halted) return false;
  const auto conclude = [&](Verdict verdict, int culprit) {
    state[Step::kVerdict] = static_cast<float>(verdict);
    state[Step::kCulprit] = static_cast<float>(culprit);
    return verdict == Verdict::good;
  };
  if (bad_loss >= 0) return conclude(Verdict::halted, -1 - bad_loss);
  if (!finite(squares)) {
    if (!scales_losses || scale <= 1)
      return conclude(Verdict::halted, static_cast<int>(bad_parameter));
    state[Step::kScale] = scale / 2;
    state[Step::kGoodSteps] = 0;
    return conclude(Verdict::skipped, 0);
  }
  state[Step::kFactor] = share * (longest > 0 && norm > longest ? longest / norm : 1.0f);
  if (scales_losses && ++state[Step::kGoodSteps] >= kDoublingSteps) {
    state[Step::kScale] = fminf(2 * scale, kLargestScale);
    state[Step::kGoodSteps] = 0;
  }
  return conclude(Verdict::good, 0);
}

// One block: adds up the pieces in an order that depends on their count alone, decides, and counts
// the step.
__global__ void decide_kernel(StepControl::View step, const float* sums, const float* const* losses,
                              int loss_count, bool scales_losses) {
  INK_SHARED(float, room, [cuda::kWarp]);
  INK_SHARED(int, good, [1]);
  float squares = 0;
  float minus_parameter = -static_cast<float>(step.parameters);  // the largest: of the first
  const auto add = [&](float sum, int64_t p) {
    squares += sum;
    if (finite(sum)) return;
    const int32_t number = step.parts[cuda::entry_of(step.parts, step.count, p)].number;
    minus_parameter = fmaxf(minus_parameter, -static_cast<float>(number));
  };
  cuda::each_in_flight<4>(
      threadIdx.x, step.pieces, blockDim.x, [&](int64_t p) { return sums[p]; }, add);
  squares = cuda::block_sum(squares, room);
  minus_parameter = cuda::block_max(minus_parameter, room);
  if (threadIdx.x == 0) {
    good[0] = decide_step(squares, -minus_parameter, first_bad_loss(losses, loss_count),
                          scales_losses, step.settings, step.state);
    if (good[0]) ++step.steps[step.parameters];
  }
  __syncthreads();
  if (!good[0]) return;
  for (int k = static_cast<int>(threadIdx.x); k < step.count; k += static_cast<int>(blockDim.x))
    ++step.steps[step.parts[k].number];
}

// What a kernel needs to know of a part whose first piece has this number.
PartEntry describe(const ParameterPart& part, int64_t first_piece) {
  const auto address = [](const Tensor& x) -> char* {
    if (!x) return nullptr;
    check(x.device() == Device::cuda && x.is_contiguous(),
          "step: expected contiguous tensors on cuda");
    return static_cast<char*>(x.storage()->data()) +
           x.offset() * static_cast<int64_t>(size_of(x.dtype()));
  };
  const auto floats = [&](const Tensor& x) { return reinterpret_cast<float*>(address(x)); };
  const auto in_fours = [&](const Tensor& x) {
    return !x || cuda::in_fours(address(x), x.dtype());
  };
  return {.w = address(part.w),
          .g = address(part.g),
          .m = floats(part.m),
          .v = floats(part.v),
          .weight = floats(part.master ? part.master : part.w),
          .size = part.w.size(),
          .first_piece = first_piece,
          .number = part.number,
          .rate = static_cast<float>(part.rate),
          .weight_decay = static_cast<float>(part.weight_decay),
          .type = part.w.dtype(),
          .gradient_type = part.g.dtype(),
          .ratio = part.ratio,
          .packed = in_fours(part.w) && in_fours(part.g) && in_fours(part.m) && in_fours(part.v) &&
                    in_fours(part.master)};
}

}  // namespace
#endif

namespace {

// A tensor that begins its storage, in the order of the stream and without a copy of its own.
void send(Tensor& to, const void* bytes) {
  cuda_backend().upload(to.storage()->data(), bytes, to.bytes());
  to.touch();
}

Tensor view_of(const Tensor& words, Shape shape, int64_t first) {
  return view(words, shape, row_major(shape), first);
}

}  // namespace

StepControl::StepControl(size_t parameters, bool scales_losses)
    : scales_losses_(scales_losses),
      settings_({kSettingsWords}, Dtype::f32, Device::cuda),
      state_({kStateWords}, Dtype::f32, Device::cuda),
      steps_(Shape{static_cast<int64_t>(parameters) + 1}, Dtype::i32, Device::cuda) {
  restore(std::vector<int64_t>(parameters + 1), {scales_losses ? kFirstScale : 1, 0});
  set({});
}

void StepControl::set(const StepSettings& settings) {
  const std::array<float, kSettingsWords> words = {static_cast<float>(settings.learning_rate),
                                                   static_cast<float>(settings.share),
                                                   static_cast<float>(settings.longest)};
  send(settings_, words.data());
}

Tensor StepControl::record() const { return view_of(state_, {kRecordWords}, kNorm); }
Tensor StepControl::loss_scale() const { return view_of(state_, {}, kScale); }

StepRecord StepControl::record_from(std::span<const float> words) {
  return {.norm = words[kNorm],
          .verdict = static_cast<Verdict>(words[kVerdict]),
          .culprit = static_cast<int64_t>(words[kCulprit])};
}

StepRecord StepControl::read() const { return record_from(to_vector<float>(record())); }

void StepControl::go_on() {
  const auto good = static_cast<float>(Verdict::good);
  cuda_backend().upload(state_.data<float>() + kVerdict, &good, sizeof good);
}

std::vector<int64_t> StepControl::steps() const {
  const std::vector<int32_t> counts = to_vector<int32_t>(steps_);
  return {counts.begin(), counts.end()};
}

std::array<double, 2> StepControl::loss_scaling() const {
  const std::vector<float> words = to_vector<float>(state_);
  return {words[kScale], words[kGoodSteps]};
}

void StepControl::restore(std::span<const int64_t> steps, std::array<double, 2> loss_scaling) {
  std::vector<int32_t> counts(steps.begin(), steps.end());
  check(std::ssize(counts) == steps_.size(), "step: expected ", steps_.size(), " counts, got ",
        counts.size());
  send(steps_, counts.data());
  std::array<float, kStateWords> words = {};
  words[kScale] = static_cast<float>(loss_scaling[0]);
  words[kGoodSteps] = static_cast<float>(loss_scaling[1]);
  send(state_, words.data());
}

#if INK_CUDA

void StepControl::decide(std::span<const ParameterPart> parts, std::span<const Tensor> losses) {
  upload_table(parts, losses);
  const View step = view();
  Tensor sums(Shape{step.pieces}, Dtype::f32, Device::cuda);
  cuda::launch("gradient_squares", gradient_squares_kernel, {step.pieces, cuda::kPieceThreads},
               step.parts, step.count, sums.data<float>());
  cuda::launch("decide_step", decide_kernel, {1, 1024}, step, sums.data<float>(),
               reinterpret_cast<const float* const*>(step.parts + step.count), loss_count_,
               scales_losses_);
}

// The table: an entry for each part, then the addresses of the losses.
void StepControl::upload_table(std::span<const ParameterPart> parts,
                               std::span<const Tensor> losses) {
  std::vector<PartEntry> entries;
  pieces_ = 0;
  for (const ParameterPart& part : parts) {
    entries.push_back(describe(part, pieces_));
    pieces_ += cuda::pieces_of(part.w.size());
  }
  std::vector<const float*> addresses;
  for (const Tensor& loss : losses) addresses.push_back(loss.data<float>());
  count_ = static_cast<int>(entries.size());
  loss_count_ = static_cast<int>(addresses.size());
  const auto of_entries = std::as_bytes(std::span(entries)),
             of_losses = std::as_bytes(std::span(addresses));
  std::vector<std::byte> bytes(of_entries.begin(), of_entries.end());
  bytes.insert(bytes.end(), of_losses.begin(), of_losses.end());
  // What is recorded sends a table of its own with every replay.
  const bool recording = cuda_backend().recording();
  if (!recording && bytes == bytes_) return;
  const auto size = static_cast<int64_t>(bytes.size());
  if (recording || bytes.size() != bytes_.size()) table_ = Tensor({size}, Dtype::u8, Device::cuda);
  send(table_, bytes.data());
  bytes_ = recording ? std::vector<std::byte>() : std::move(bytes);
}

#else

void StepControl::decide(std::span<const ParameterPart>, std::span<const Tensor>) {
  fail_without_kernels("step");
}

#endif

StepControl::View StepControl::view() const {
  return {.parts = table_ ? static_cast<const PartEntry*>(table_.storage()->data()) : nullptr,
          .count = count_,
          .parameters = static_cast<int>(steps_.size()) - 1,
          .pieces = pieces_,
          .settings = settings_.data<float>(),
          .state = static_cast<float*>(state_.storage()->data()),
          .steps = static_cast<int32_t*>(steps_.storage()->data())};
}

}  // namespace ink
