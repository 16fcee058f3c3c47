// The 80/10/10 rule on selected tokens.
#include "objectives/mask.h"

#include "tensor/error.h"

namespace ink {

Corruption masked_language_model(const MaskOptions& options) {
  check(options.mask_share >= 0 && options.keep_share >= 0 &&
            options.mask_share + options.keep_share <= 1 + 1e-9,
        "masking: expected shares ≥ 0 with a sum of at most 1, got ", options.mask_share, " and ",
        options.keep_share);
  check(options.tokens.vocabulary_size > 0, "masking: expected a vocabulary size, got ",
        options.tokens.vocabulary_size);
  check_selection(options.select);
  return [options, random = options.random.or_all(options.tokens.vocabulary_size)](
             const Instance& instance, Draws& draws) {
    const Selection selection = select(instance, options.select, draws);
    Corrupted out{.inputs = instance.ids, .positions = selection.positions(), .labels = {}};
    for (const int32_t position : out.positions) {
      int32_t& token = out.inputs[static_cast<size_t>(position)];
      const double r = draws.uniform();
      if (r < options.mask_share) {
        token = options.tokens.mask;
      } else if (r >= options.mask_share + options.keep_share) {
        token = random.draw(draws);
      }
    }
    out.labels = ids_at(instance, out.positions);
    return out;
  };
}

}  // namespace ink
