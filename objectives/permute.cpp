// A shuffle inside the cells of a random 90 % of the selected tokens.
#include "objectives/permute.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace ink {
namespace {

struct Member {
  int32_t cell, position;
};

int32_t cell_of(const TokenWord& word, Granularity granularity) {
  switch (granularity) {
    case Granularity::no_limit: return 0;
    case Granularity::word: return word.begin;
    case Granularity::ngram: return word.ngram;
    case Granularity::sentence: return word.sentence;
  }
  fail("perlm: unknown granularity ", static_cast<int>(granularity));
}

// A random `shuffle_share` of the selected tokens, cell after cell.
std::vector<Member> movable(const Selection& selection, const PermuteOptions& options,
                            Draws& draws) {
  std::vector<Member> all;
  for (const TokenWord& word : selection.words)
    for (int32_t i = word.begin; i < word.end; ++i)
      all.push_back({cell_of(word, options.granularity), i});
  draws.shuffle(all);
  const double count = options.shuffle_share * static_cast<double>(all.size());
  all.resize(static_cast<size_t>(std::nearbyint(count)));
  std::ranges::stable_sort(all, {}, &Member::cell);
  return all;
}

std::vector<int32_t> predicted(const Instance& instance, const Selection& selection,
                               Predict predict) {
  if (predict == Predict::partial) return selection.positions();
  std::vector<int32_t> all;
  for (size_t i = 0; i < instance.ids.size(); ++i)
    if (!instance.special[i]) all.push_back(static_cast<int32_t>(i));
  return all;
}

}  // namespace

Corruption permuted_language_model(const PermuteOptions& options) {
  check(options.shuffle_share >= 0 && options.shuffle_share <= 1,
        "perlm: expected a share from 0 to 1 of tokens to shuffle, got ", options.shuffle_share);
  check_selection(options.select);
  return [options](const Instance& instance, Draws& draws) {
    const Selection selection = select(instance, options.select, draws);
    const std::vector<Member> members = movable(selection, options, draws);
    Corrupted out{.inputs = instance.ids,
                  .positions = predicted(instance, selection, options.predict),
                  .labels = {}};
    std::vector<int32_t> label(instance.ids.size());  // of every place: itself unless moved
    std::iota(label.begin(), label.end(), 0);
    for (size_t begin = 0, end = 0; begin < members.size(); begin = end) {
      std::vector<int32_t> from;
      for (; end < members.size() && members[end].cell == members[begin].cell; ++end)
        from.push_back(members[end].position);
      draws.shuffle(from);
      for (size_t i = begin; i < end; ++i) {  // the token of place `source` goes to `place`
        const int32_t place = members[i].position, source = from[i - begin];
        out.inputs[static_cast<size_t>(place)] = instance.ids[static_cast<size_t>(source)];
        if (options.label == PertLabel::inverse)
          label[static_cast<size_t>(source)] = place;
        else
          label[static_cast<size_t>(place)] = source;
      }
    }
    out.labels = ids_at(instance, out.positions);
    for (const int32_t position : out.positions)
      out.places.push_back(label[static_cast<size_t>(position)]);
    return out;
  };
}

}  // namespace ink
