// Embedding in batches and putting the vectors back in order.
#include "tasks/embed.h"

#include <algorithm>
#include <cmath>

#include "tasks/classification.h"
#include "tensor/error.h"
#include "tensor/safetensors.h"

namespace ink {
namespace {

void normalize_rows(Tensor& x) {
  const int64_t C = x.dim(1);
  for (int64_t i = 0; i < x.dim(0); ++i) {
    float* row = x.data<float>() + i * C;
    double squares = 0;
    for (int64_t c = 0; c < C; ++c) squares += double{row[c]} * row[c];
    if (squares == 0) continue;
    const double factor = 1 / std::sqrt(squares);
    for (int64_t c = 0; c < C; ++c) row[c] = static_cast<float>(row[c] * factor);
  }
}

// Row where each text begins among the results, and the end of the last.
Tensor result_rows(const Features& texts, bool tokens) {
  Tensor offsets(Shape{texts.size() + 1}, Dtype::i64);
  int64_t* at = offsets.data<int64_t>();
  at[0] = 0;
  for (int64_t i = 0; i < texts.size(); ++i) at[i + 1] = at[i] + (tokens ? texts.length(i) : 1);
  return offsets;
}

}  // namespace

Embeddings embed(const Session& session, const Features& texts, Pooling pooling, bool normalize) {
  const bool tokens = pooling == Pooling::tokens;
  const Tensor offsets = result_rows(texts, tokens);
  const int64_t* at = offsets.data<int64_t>();
  const int64_t C = session.model().config.hidden_size;
  Embeddings result{Tensor(Shape{at[texts.size()], C}), tokens ? offsets : Tensor()};
  for (const std::vector<int64_t>& rows : texts.plan(kInferencePlan)) {
    const Packed batch = texts.batch(rows).inputs;
    const Tensor vectors = on_host(session.embed(batch, pooling));
    const float* from = vectors.data<float>();
    for (const int64_t row : rows) {
      const int64_t count = (at[row + 1] - at[row]) * C;
      std::copy_n(from, count, result.vectors.data<float>() + at[row] * C);
      from += count;
    }
  }
  if (normalize) normalize_rows(result.vectors);
  return result;
}

void save_embeddings(const Embeddings& embeddings, const std::filesystem::path& path) {
  std::vector<NamedTensor> tensors = {{"embeddings", embeddings.vectors}};
  if (embeddings.offsets) tensors.push_back({"offsets", embeddings.offsets});
  write_safetensors(path, tensors);
}

}  // namespace ink
