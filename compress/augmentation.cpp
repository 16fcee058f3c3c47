// Copies of examples with changed tokens, and what changes them from JSON.
#include "compress/augmentation.h"

#include <numeric>

#include "tensor/error.h"
#include "tensor/keys.h"
#include "tensor/ops.h"

namespace ink {
namespace {

constexpr int64_t kMostCopies = 1000, kLongest = 1 << 20;

double probability_in(const Json& json, const char* key) {
  const double p = json.real(key, 0);
  check(p >= 0 && p <= 1, "", json.where(key), ": expected a probability from 0 to 1, got ", p);
  return p;
}

std::vector<double> weights_in(const Json& json, const char* key, size_t count) {
  const Json& list = json.array(key);
  check(list.size() == count, "", list.where(), ": expected ", count, " weights, got ",
        list.size());
  std::vector<double> weights;
  for (size_t i = 0; i < count; ++i) {
    weights.push_back(list.real(i));
    check(weights[i] >= 0, "", list.where(), ": expected weights of at least 0, got ", weights[i]);
  }
  check(std::accumulate(weights.begin(), weights.end(), 0.0) > 0, "", list.where(),
        ": expected a weight above 0");
  return weights;
}

template <class List>
Json list_of(const List& values) {
  Json list = Json::make_array();
  for (const auto value : values) list.append(value);
  return list;
}

bool disorders(const Augmentation& a) {
  return std::any_of(a.short_disorder.begin() + 1, a.short_disorder.end(),
                     [](double weight) { return weight > 0; });
}

bool changes_tokens(const Augmentation& a) {
  return a.masking > 0 || a.deleting > 0 || a.ngram_sampling > 0 || disorders(a) ||
         a.long_disorder > 0;
}

// One text of an encoding after the other, between tokens that belong to none.
Encoding changed(const Encoding& encoding, const Augmentation& augmentation, int32_t mask,
                 Draws& draws) {
  Encoding out;
  const auto put = [&](int32_t id, size_t like) {
    out.ids.push_back(id);
    out.segments.push_back(encoding.segments[like]);
    out.texts.push_back(encoding.texts[like]);
  };
  const size_t size = encoding.ids.size();
  for (size_t i = 0; i < size;) {
    if (encoding.texts[i] == Encoding::no_text) {
      put(encoding.ids[i], i);
      ++i;
      continue;
    }
    size_t end = i;
    while (end < size && encoding.texts[end] == encoding.texts[i]) ++end;
    const auto at = [&](size_t place) {
      return encoding.ids.begin() + static_cast<int64_t>(place);
    };
    for (const int32_t id : augmented({at(i), at(end)}, augmentation, mask, draws)) put(id, i);
    i = end;
  }
  return out;
}

}  // namespace

size_t drawn_by(std::span<const double> weights, Draws& draws) {
  double left = draws.uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = i;
    if (left < weights[i]) break;
    left -= weights[i];
  }
  return last;
}

Augmentation Augmentation::from_json(const Json& json) {
  check_keys(json, {"copies", "masking", "deleting", "ngram_sampling", "ngram_lengths",
                    "ngram_weights", "short_disorder", "long_disorder", "long_disorder_length"});
  Augmentation a;
  a.copies = json.has("copies") ? json.integer_between("copies", 0, kMostCopies) : 1;
  a.masking = probability_in(json, "masking");
  a.deleting = probability_in(json, "deleting");
  a.ngram_sampling = probability_in(json, "ngram_sampling");
  if (json.has("ngram_lengths")) {
    const Json& list = json.array("ngram_lengths");
    check(list.size() > 0, "", list.where(), ": expected lengths of spans, got none");
    a.ngram_lengths.clear();
    for (size_t i = 0; i < list.size(); ++i)
      a.ngram_lengths.push_back(list.integer_between(i, 1, kLongest));
  }
  if (json.has("ngram_weights"))
    a.ngram_weights = weights_in(json, "ngram_weights", a.ngram_lengths.size());
  if (json.has("short_disorder"))
    std::ranges::copy(weights_in(json, "short_disorder", a.short_disorder.size()),
                      a.short_disorder.begin());
  a.long_disorder = probability_in(json, "long_disorder");
  a.long_disorder_length = json.real("long_disorder_length", a.long_disorder_length);
  check(a.long_disorder_length > 0 && a.long_disorder_length <= kLongest &&
            (a.long_disorder_length < 1 || a.long_disorder_length >= 2),
        "", json.where("long_disorder_length"),
        ": expected 2 tokens or more, or a share of the text below 1, got ",
        a.long_disorder_length);
  check(a.copies == 0 || changes_tokens(a), "", json.where("copies"),
        ": copies without a change say what their originals say; expected masking, deleting, "
        "ngram_sampling, short_disorder or long_disorder");
  return a;
}

Json Augmentation::to_json() const {
  return Json::make_object({{"copies", copies},
                            {"masking", masking},
                            {"deleting", deleting},
                            {"ngram_sampling", ngram_sampling},
                            {"ngram_lengths", list_of(ngram_lengths)},
                            {"ngram_weights", list_of(ngram_weights)},
                            {"short_disorder", list_of(short_disorder)},
                            {"long_disorder", long_disorder},
                            {"long_disorder_length", long_disorder_length}});
}

std::vector<int32_t> augmented(std::vector<int32_t> tokens, const Augmentation& a, int32_t mask,
                               Draws& draws) {
  if (a.ngram_sampling > 0 && draws.uniform() < a.ngram_sampling) {
    const std::vector<double> alike(a.ngram_lengths.size(), 1.0);
    tokens =
        ngram(tokens, a.ngram_lengths, a.ngram_weights.empty() ? alike : a.ngram_weights, draws);
  }
  if (a.deleting > 0) tokens = deleted(tokens, a.deleting, draws);
  if (disorders(a)) tokens = short_disorder(std::move(tokens), a.short_disorder, draws);
  if (a.long_disorder > 0)
    tokens = long_disorder(std::move(tokens), a.long_disorder, a.long_disorder_length, draws);
  if (a.masking > 0) tokens = masked(std::move(tokens), a.masking, mask, draws);
  return tokens;
}

Features with_copies(const Features& features, const Augmentation& augmentation, int32_t mask,
                     const Random& random) {
  std::vector<Feature> all;
  for (int64_t i = 0; i < features.size(); ++i) all.push_back(features[i]);
  for (int64_t copy = 0; copy < augmentation.copies; ++copy) {
    for (int64_t i = 0; i < features.size(); ++i) {
      Draws draws(random.split(static_cast<uint64_t>(copy)).split(static_cast<uint64_t>(i)));
      const Feature& original = features[i];
      all.push_back({.encoding = changed(original.encoding, augmentation, mask, draws),
                     .targets = {},
                     .line = original.line,
                     .truncated = original.truncated});
      forget_label(all.back(), original);
    }
  }
  return Features(std::move(all));
}

}  // namespace ink
