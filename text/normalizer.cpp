// Normalizer: what a tokenizer does to a text before it is cut, as a chain of steps.
#include "text/normalizer.h"

#include <algorithm>
#include <numeric>

#include "text/character.h"

namespace ink {
namespace {

// Rewrites a text from left to right, reusing nothing but the places.
class Rewriter {
 public:
  explicit Rewriter(Normalized& text) : text_(text) {
    out_.text.reserve(text.text.size());
    out_.source.reserve(text.text.size());
  }
  ~Rewriter() { text_ = std::move(out_); }
  Rewriter(const Rewriter&) = delete;
  Rewriter& operator=(const Rewriter&) = delete;

  void put(std::u32string_view characters, size_t from) {
    for (const char32_t c : characters) {
      out_.text += c;
      out_.source.push_back(text_.source[from]);
    }
  }
  void keep(size_t at) { put({&text_.text[at], 1}, at); }

 private:
  Normalized& text_;
  Normalized out_;
};

// Replacements stand where the last character of what they replace stood.
void apply(const Replace& step, Normalized& text) {
  if (text.text.find(step.from) == std::u32string::npos) return;
  Rewriter out(text);
  for (size_t at = 0; at < text.text.size();) {
    if (text.text.compare(at, step.from.size(), step.from) != 0) {
      out.keep(at++);
      continue;
    }
    at += step.from.size();
    out.put(step.to, at - 1);
  }
}

void apply(const ReplaceSpaces& step, Normalized& text) {
  if (text.text.find(U"  ") == std::u32string::npos) return;
  Rewriter out(text);
  for (size_t at = 0; at < text.text.size();) {
    const size_t end = std::min(text.text.find_first_not_of(U' ', at), text.text.size());
    if (end < at + 2) {
      out.keep(at++);
      continue;
    }
    out.put(step.to, end - 1);
    at = end;
  }
}

bool any(const Normalized& text, uint16_t classes) {
  return std::any_of(text.text.begin(), text.text.end(),
                     [&](char32_t c) { return character_classes(c) & classes; });
}

void apply(const Decompose& step, Normalized& text) {
  if (any(text, character::decomposed)) text = decompose(text, step.compatible);
}

void apply(const StripAccents&, Normalized& text) {
  if (!any(text, character::accent)) return;
  Rewriter out(text);
  for (size_t i = 0; i < text.text.size(); ++i)
    if (!(character_classes(text.text[i]) & character::accent)) out.keep(i);
}

void apply(const Lowercase&, Normalized& text) {
  if (any(text, character::upper)) lowercase(text);
}

void apply(const Strip& step, Normalized& text) {
  size_t begin = 0, end = text.text.size();
  while (step.left && begin < end && is_whitespace(text.text[begin])) ++begin;
  while (step.right && end > begin && is_whitespace(text.text[end - 1])) --end;
  text.text = text.text.substr(begin, end - begin);
  text.source.assign(text.source.begin() + static_cast<ptrdiff_t>(begin),
                     text.source.begin() + static_cast<ptrdiff_t>(end));
}

void apply(const std::shared_ptr<const Charsmap>& map, Normalized& text) { map->apply(text); }

// Only where it is not the whole chain: places are relative to what earlier steps left.
void apply(const NormalizeOptions& options, Normalized& text) {
  Normalized out = normalize(text.text, options);
  for (int32_t& source : out.source) source = text.source[static_cast<size_t>(source)];
  text = std::move(out);
}

}  // namespace

Normalized Normalizer::operator()(std::u32string_view original) const {
  if (const NormalizeOptions* options = bert()) return normalize(original, *options);
  Normalized text{std::u32string(original), std::vector<int32_t>(original.size())};
  std::iota(text.source.begin(), text.source.end(), 0);
  for (const NormalizerStep& step : steps_)
    std::visit([&](const auto& one) { apply(one, text); }, step);
  return text;
}

}  // namespace ink
