// From matches to the teacher's outputs that they read, and from outputs to tensors of a file.
#include "compress/cached_fields.h"

#include <algorithm>

#include "compress/top_logits.h"
#include "tensor/error.h"

namespace ink {
namespace {

using Kind = CachedField::Kind;

std::vector<Kind> attention_read(const IntermediateMatch& match) {
  switch (match.loss) {
    case MatchLoss::minilm_query: return {Kind::query};
    case MatchLoss::minilm_key: return {Kind::key};
    case MatchLoss::minilm_value: return {Kind::value};
    default: return {Kind::query, Kind::key};
  }
}

std::vector<CachedField> fields_read(const ModelConfig& teacher, const IntermediateMatch& match) {
  const int64_t layer = match.layer_teacher;
  if (feature_of(match.loss) != MatchFeature::hidden) {
    const int64_t width =
        teacher.heads_per_layer.at(static_cast<size_t>(layer - 1)) * teacher.head_size;
    std::vector<CachedField> fields;
    for (const Kind kind : attention_read(match)) fields.push_back({kind, layer, width});
    return fields;
  }
  std::vector<CachedField> fields = {{Kind::hidden, layer, teacher.hidden_size}};
  if (takes_pairs(match.loss))
    fields.push_back({Kind::hidden, match.second_teacher, teacher.hidden_size});
  return fields;
}

template <class T>
T& at_grown(std::vector<T>& list, int64_t index) {
  if (std::ssize(list) <= index) list.resize(static_cast<size_t>(index + 1));
  return list[static_cast<size_t>(index)];
}

bool keeps_top(const CachedField& field, int64_t top_k) {
  return field.kind == Kind::logits && top_k > 0 && top_k < field.width;
}

}  // namespace

std::string CachedField::name() const {
  const std::string number = std::to_string(layer);
  switch (kind) {
    case Kind::logits: return "logits";
    case Kind::hidden: return "hidden." + number;
    case Kind::query: return "attention." + number + ".query";
    case Kind::key: return "attention." + number + ".key";
    case Kind::value: return "attention." + number + ".value";
  }
  fail("teacher_cache: unknown kind of field ", static_cast<int>(kind));
}

std::vector<CachedField> cached_fields(const ModelConfig& teacher, const DistillationConfig& config,
                                       const Heads& heads) {
  std::vector<CachedField> all = {
      {.width = logits_width(teacher, heads), .of_tokens = heads.tagging || heads.span}};
  std::vector<IntermediateMatch> matches = config.intermediate_matches;
  for (const EmdMatch& match : config.emd) {
    const int64_t first = match.compares_embeddings() ? 0 : 1;
    for (int64_t layer = first; layer <= teacher.layers(); ++layer)
      matches.push_back(match.between(1, layer));
  }
  for (const IntermediateMatch& match : matches)
    for (const CachedField& field : fields_read(teacher, match))
      if (std::ranges::find(all, field) == all.end()) all.push_back(field);
  return all;
}

int64_t logits_width(const ModelConfig& model, const Heads& heads) {
  return heads.span ? 2 : model.label_count();
}

Tensor& place_of(const CachedField& field, ModelOutputs& outputs) {
  if (field.kind == Kind::logits) return outputs.logits;
  if (field.kind == Kind::hidden) return at_grown(outputs.hidden, field.layer);
  AttentionInputs& inputs = at_grown(outputs.attention, field.layer - 1);
  if (field.kind == Kind::query) return inputs.query;
  return field.kind == Kind::key ? inputs.key : inputs.value;
}

std::vector<StoredTensor> stored_tensors(const CachedField& field, Dtype dtype, int64_t top_k) {
  const std::string name = field.name();
  if (!keeps_top(field, top_k)) return {{name, field.width, dtype}};
  return {{name + ".values", top_k, dtype},
          {name + ".indices", top_k, Dtype::i32},
          {name + ".rest", 1, Dtype::f32}};
}

std::vector<Tensor> stored_values(const CachedField& field, const Tensor& x, Dtype dtype,
                                  int64_t top_k) {
  if (!keeps_top(field, top_k)) return {converted(x, dtype)};
  TopLogits top = top_logits(x, top_k);
  return {converted(top.values, dtype), std::move(top.indices), std::move(top.rest)};
}

Tensor restored_values(const CachedField& field, std::span<const Tensor> stored) {
  const Tensor values = converted(stored[0], Dtype::f32);
  return stored.size() == 1 ? values : restored({values, stored[1], stored[2]}, field.width);
}

}  // namespace ink
