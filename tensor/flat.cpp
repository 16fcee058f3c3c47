// Copies of many tensors in one launch, and the sum in order of rank.
#include "tensor/flat.h"

#include "tensor/op.h"

#if INK_CUDA
#include "cuda/pieces.cuh"
#endif

namespace ink {

Tensor Flat::part(size_t k, const Shape& shape) const {
  check(k + 1 < places_.size() && shape.size() <= places_[k + 1] - places_[k],
        "flat: there is no part ", k, " of ", shape);
  return view(values_, shape, row_major(shape), places_[k]);
}

#if INK_CUDA

namespace {

constexpr int64_t kFour = 4;

int64_t rounded(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// out = factor·x, and 0 from element `filled` on.
struct FlatEntry {
  float* out;
  const void* x;
  int64_t size, filled, first_piece;
  float factor;
  Dtype type;
  bool packed;
};

__global__ void flatten_kernel(const FlatEntry* entries, int count) {
  const FlatEntry e = entries[cuda::entry_of(entries, count, blockIdx.x)];
  cuda::each_four(e, blockIdx.x, [&](int64_t i, int n) {
    cuda::Four y = {};
    const int64_t left = e.filled - i;
    if (left > 0) {
      const int there = left < kFour ? static_cast<int>(left) : static_cast<int>(kFour);
      const cuda::Four x = cuda::load_four(e.x, e.type, i, there, e.packed);
#pragma unroll
      for (int j = 0; j < kFour; ++j) y.at[j] = j < there ? e.factor * x.at[j] : 0.0f;
    }
    cuda::store_four(e.out, Dtype::f32, i, y, n, true);
  });
}

__global__ void add_in_order_kernel(float* mine, const float* theirs, int rank, int ranks,
                                    int64_t n) {
  const int64_t at = cuda::global_thread() * kFour;
  if (at >= n) return;
  const auto of = [&](int r) {
    return cuda::load_pack<float, kFour>((r == rank ? mine : theirs + r * n) + at);
  };
  cuda::Pack<float, kFour> sum = of(0);
  for (int r = 1; r < ranks; ++r) {
    const auto more = of(r);
#pragma unroll
    for (int j = 0; j < kFour; ++j) sum.at[j] += more.at[j];
  }
  cuda::store_pack(mine + at, sum);
}

// The kernel writes to `out`.
FlatEntry describe(const FlatPart& part, const Tensor& value,
                   float* out,  // NOLINT(readability-non-const-parameter)
                   int64_t size) {
  FlatEntry entry{.out = out,
                  .x = nullptr,
                  .size = size,
                  .filled = 0,
                  .first_piece = 0,
                  .factor = static_cast<float>(part.factor),
                  .type = Dtype::f32,
                  .packed = true};
  if (!value) return entry;
  check(value.device() == Device::cuda && value.size() == part.size, "flat: expected ", part.size,
        " elements on cuda, got ", value.shape(), " on ", name_of(value.device()));
  entry.x = static_cast<const char*>(value.storage()->data()) +
            value.offset() * static_cast<int64_t>(size_of(value.dtype()));
  entry.filled = part.size;
  entry.type = value.dtype();
  entry.packed = cuda::in_fours(entry.x, entry.type);
  return entry;
}

}  // namespace

Flat::Flat(std::span<const FlatPart> parts, int64_t multiple) {
  int64_t end = 0;
  for (const FlatPart& part : parts) {
    places_.push_back(end);
    end += rounded(part.size, kFour);
  }
  places_.push_back(end);
  const int64_t all = rounded(end, rounded(multiple, kFour));
  values_ = Tensor({all}, Dtype::f32, Device::cuda);
  float* const out = values_.data<float>();
  std::vector<Tensor> read;  // lives until the kernel is launched
  std::vector<FlatEntry> entries;
  int64_t pieces = 0;
  const auto add = [&](const FlatPart& part, int64_t begin, int64_t size) {
    read.push_back(part.value ? contiguous(part.value) : Tensor());
    entries.push_back(describe(part, read.back(), out + begin, size));
    entries.back().first_piece = pieces;
    pieces += cuda::pieces_of(size);
  };
  for (size_t k = 0; k < parts.size(); ++k) add(parts[k], places_[k], places_[k + 1] - places_[k]);
  add({}, end, all - end);
  const auto bytes = std::as_bytes(std::span(entries));
  const Tensor table({static_cast<int64_t>(bytes.size())}, Dtype::u8, Device::cuda);
  cuda_backend().upload(table.storage()->data(), bytes.data(), bytes.size());
  cuda::launch("flatten", flatten_kernel, {pieces, cuda::kPieceThreads},
               static_cast<const FlatEntry*>(table.storage()->data()),
               static_cast<int>(entries.size()));
}

void add_in_order(float* mine, const float* theirs, int rank, int ranks, int64_t n) {
  constexpr int kThreads = 256;
  const int64_t fours = n / kFour;
  cuda::launch("add_in_order", add_in_order_kernel, {(fours + kThreads - 1) / kThreads, kThreads},
               mine, theirs, rank, ranks, n);
}

#else

Flat::Flat(std::span<const FlatPart>, int64_t) { fail_without_kernels("flat"); }
void add_in_order(float*, const float*, int, int, int64_t) { fail_without_kernels("add_in_order"); }

#endif

}  // namespace ink
