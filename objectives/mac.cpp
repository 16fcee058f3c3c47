// Similar, random or the same: a choice for each selected word.
#include "objectives/mac.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace ink {
namespace {

using Ids = std::span<int32_t>;

// One of the `nearest` similar words instead of the word; false when there is none.
bool replace_by_similar(Ids word, const MacOptions& options, Draws& draws) {
  const std::span<const int32_t> all = options.similar->of(word);
  if (all.empty()) return false;
  const size_t count = std::min(all.size() / word.size(), static_cast<size_t>(options.nearest));
  const size_t chosen = count == 1 ? 0 : static_cast<size_t>(draws.below(count));
  std::ranges::copy(all.subspan(chosen * word.size(), word.size()), word.begin());
  return true;
}

void replace_at_random(Ids word, const MacOptions& options, Draws& draws) {
  for (int32_t& id : word) id = options.random.draw(draws);
}

void check_options(const MacOptions& o) {
  check_selection(o.select);
  check(o.similar_share >= 0 && o.keep_share >= 0 && o.similar_share + o.keep_share <= 1 + 1e-9 &&
            o.fallback_share >= 0 && o.fallback_share <= 1,
        "mac: expected shares from 0 to 1 with a sum of at most 1, got ", o.similar_share, " and ",
        o.keep_share, ", and ", o.fallback_share, " for words without a similar one");
  check(o.similar && !o.similar->empty(), "mac: expected similar words, got none");
  check(o.nearest >= 1, "mac: expected to draw from one similar word or more, got ", o.nearest);
  check(o.tokens.vocabulary_size > 0, "mac: expected a vocabulary size, got ",
        o.tokens.vocabulary_size);
}

}  // namespace

Corruption similar_word_model(const MacOptions& given) {
  check_options(given);
  MacOptions options = given;
  options.random = given.random.or_all(given.tokens.vocabulary_size);
  return [options](const Instance& instance, Draws& draws) {
    const Selection selection = select(instance, options.select, draws);
    Corrupted out{.inputs = instance.ids, .positions = selection.positions(), .labels = {}};
    auto fallbacks = static_cast<int64_t>(
        std::nearbyint(options.fallback_share * static_cast<double>(selection.tokens)));
    for (const TokenWord& each : selection.words) {
      const Ids word =
          Ids(out.inputs)
              .subspan(static_cast<size_t>(each.begin), static_cast<size_t>(each.size()));
      const double r = draws.uniform();
      if (r < options.similar_share) {
        if (replace_by_similar(word, options, draws) || fallbacks < each.size()) continue;
        fallbacks -= each.size();
        replace_at_random(word, options, draws);
      } else if (r >= options.similar_share + options.keep_share) {
        replace_at_random(word, options, draws);
      }
    }
    out.labels = ids_at(instance, out.positions);
    return out;
  };
}

}  // namespace ink
