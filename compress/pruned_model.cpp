// Layers first, then heads and neurons, then channels.
#include "compress/pruned_model.h"

#include "compress/mask_rows.h"
#include "compress/stream_surgery.h"
#include "compress/surgery.h"
#include "compress/values.h"

namespace ink {

Model pruned_model(const Model& model, const Masks& masks) {
  if (!masks.layers.empty())
    return pruned_model(with_layers(model, masks.layers),
                        rows_left(masks, model.config.shared.groups > 0));
  if (!masks.channels.empty())
    return with_channels(pruned_model(model, {masks.heads, masks.ffn}), masks.channels);
  const PrunedModel pruned = prune_with_masks(model.config, model.parameters, masks);
  return Model(pruned.config, model.heads, values_of(pruned.parameters));
}

Model masked_model(const Model& model, const Masks& masks) {
  Model masked(model.config, model.heads, copies_of(model.parameters));
  zero_masked(masked.config, masked.parameters, masks);
  return masked;
}

}  // namespace ink
