// Gumbel-max sampling, and what the discriminator is told.
#include "objectives/replaced_tokens.h"

#include <algorithm>

#include "autograd/tape.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

constexpr int64_t kRowsAtOnce = 64;  // keeps the noise in a few megabytes

// (M, V) numbers strictly between 0 and 1, with 24 bits, so that both logarithms are finite.
Tensor uniform(int64_t M, int64_t V, const Random& random) {
  Tensor u(Shape{M, V});
  float* out = u.data<float>();
  const int64_t blocks = (M * V + 3) / 4;
  parallel_for(blocks, grain_for(64), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto words = random.block(static_cast<uint64_t>(i));
      for (int64_t j = 4 * i; j < std::min(M * V, 4 * i + 4); ++j)
        out[j] = (static_cast<float>(words[static_cast<size_t>(j % 4)] >> 9) + 0.5F) * 0x1p-23F;
    }
  });
  return u;
}

}  // namespace

Tensor sample_tokens(const Tensor& logits, const Random& random) {
  const Pause no_gradient;
  const int64_t M = logits.dim(0), V = logits.dim(1);
  std::vector<Tensor> drawn;
  for (int64_t begin = 0; begin < M; begin += kRowsAtOnce) {
    const int64_t end = std::min(M, begin + kRowsAtOnce);
    const Tensor u = uniform(end - begin, V, random.split(static_cast<uint64_t>(begin)));
    const Tensor noise = log(scale(log(to(u, logits.device())), -1));  // −Gumbel
    drawn.push_back(argmax(subtract(cast(slice(logits, 0, begin, end), Dtype::f32), noise)));
  }
  std::vector<int32_t> all;
  for (const Tensor& part : drawn) {
    const auto ids = to_vector<int32_t>(part);
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return from(all);
}

Replaced replace_tokens(const PretrainBatch& batch, const Tensor& sampled, Dtype dtype) {
  check(sampled.shape() == batch.rows.shape(), "rtd: expected a token for each of ",
        batch.predictions(), " selected rows, got ", sampled.shape());
  std::vector<int32_t> ids = to_vector<int32_t>(batch.inputs.ids);
  std::vector<float> replaced(ids.size());
  for (int64_t i = 0; i < batch.predictions(); ++i) {
    const auto row = static_cast<size_t>(batch.rows.data<int32_t>()[i]);
    ids[row] = sampled.data<int32_t>()[i];
    replaced[row] = ids[row] != batch.labels.data<int32_t>()[i] ? 1 : 0;
  }
  Replaced out{batch.inputs, converted(from(replaced), dtype)};
  out.inputs.ids = from(ids);
  return out;
}

}  // namespace ink
