// Finding the channels of the residual stream by growing it, and cutting.
#include "compress/stream_surgery.h"

#include "compress/cut.h"
#include "compress/make_student.h"
#include "compress/values.h"
#include "nn/parameter_count.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// ELECTRA's embeddings are the stream itself where nothing projects them.
ModelConfig resized(ModelConfig config, int64_t channels) {
  if (config.embedding_size == config.hidden_size && config.shared.groups == 0)
    config.embedding_size = channels;
  config.hidden_size = channels;
  return config;
}

void check_mask(const std::vector<uint8_t>& keep, int64_t count, const char* what) {
  check(std::ssize(keep) == count, "prune: expected a mask of ", count, ' ', what, ", got ",
        keep.size());
  check(kept_in(keep) > 0, "prune: the mask leaves no ", what, "; at least one must stay");
}

std::vector<int64_t> places(const std::vector<uint8_t>& keep) {
  std::vector<int64_t> kept;
  for (size_t i = 0; i < keep.size(); ++i)
    if (keep[i]) kept.push_back(static_cast<int64_t>(i));
  return kept;
}

}  // namespace

bool projects_embeddings(const ModelConfig& config, int64_t channels) {
  return config.shared.groups > 0 || config.embedding_size == config.hidden_size ||
         channels != config.embedding_size;
}

ModelConfig config_with_channels(const ModelConfig& config, const std::vector<uint8_t>& keep) {
  check(config.family->body_kind == BodyKind::bert, "prune: the hidden channels of ",
        config.family->model_type, " cannot be cut; expected bert, roberta, xlm-roberta, electra, ",
        "albert or distilbert, or no target_hidden_size and no channel_mask");
  check_mask(keep, config.hidden_size, "hidden channels");
  check(projects_embeddings(config, kept_in(keep)), "prune: a hidden size of ", kept_in(keep),
        " is that of the embeddings, and ", config.family->model_type,
        " projects embeddings only to another; expected more or fewer");
  return resized(config, kept_in(keep));
}

Model with_channels(const Model& model, const std::vector<uint8_t>& keep) {
  ModelConfig config = config_with_channels(model.config, keep);
  // Shapes that grow with the stream are cut. It may not grow to the width of the embeddings, where
  // their projection would be missing.
  const int64_t more = model.config.hidden_size + 1 == model.config.embedding_size ? 2 : 1;
  const auto grown =
      parameter_shapes(resized(model.config, model.config.hidden_size + more), model.heads);
  return Model(std::move(config), model.heads,
               [&](const std::string& name, const Shape&, const Initial&) {
                 Tensor value = clone(model.parameters.at(name).value);
                 const Shape& larger = grown.at(name);
                 for (int axis = 0; axis < larger.rank(); ++axis)
                   if (larger[axis] != value.dim(axis)) value = cut_out(value, {axis, keep});
                 return value;
               });
}

ModelConfig config_with_layers(const ModelConfig& config, const std::vector<uint8_t>& keep) {
  check_mask(keep, config.layers(), "layers");
  check(config.shared.groups <= 1, "prune: the ", config.shared.groups, " groups of ",
        config.family->model_type,
        " share out the layers among them; expected one group, or no layers that go");
  ModelConfig cut = config;
  cut.heads_per_layer.clear();
  cut.ffn_per_layer.clear();
  for (const int64_t layer : places(keep)) {
    cut.heads_per_layer.push_back(config.heads_per_layer[static_cast<size_t>(layer)]);
    cut.ffn_per_layer.push_back(config.ffn_per_layer[static_cast<size_t>(layer)]);
  }
  return cut;
}

Model with_layers(const Model& model, const std::vector<uint8_t>& keep) {
  ModelConfig config = config_with_layers(model.config, keep);
  if (config.shared.groups == 0) return model_from_layers(model, places(keep));
  return Model(std::move(config), model.heads, copies_of(model.parameters));
}

}  // namespace ink
