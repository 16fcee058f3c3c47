// Edit distance, and errors about keys.
#include "tensor/keys.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace ink {
namespace {

char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Wagner & Fischer 1974, one row at a time; capitals are as good as small letters.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] =
          std::min({above + 1, row[j - 1] + 1, diagonal + (small(a[i - 1]) != small(b[j - 1]))});
      diagonal = above;
    }
  }
  return row.back();
}

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  size_t least = std::string_view::npos;
  for (const std::string_view candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    const size_t limit = (std::max(word.size(), candidate.size()) + 1) / 3;
    if (distance > limit || distance >= least) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

std::string in_quotes(std::string_view word) {
  constexpr size_t kShown = 40;
  const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; };
  size_t characters = 0, end = 0;
  while (end < word.size() && characters + begins(word[end]) <= kShown)
    characters += begins(word[end++]);
  return '\'' + std::string(word.substr(0, end)) + (end < word.size() ? "…'" : "'");
}

std::string alternatives(std::span<const std::string_view> names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 < names.size() ? ", " : " or ";
    text += names[i];
  }
  return text;
}

std::string correction(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view near = nearest_word(word, known);
  return near.empty() ? "expected one of " + alternatives(known)
                      : "did you mean '" + std::string(near) + "'?";
}

void check_keys(const Json& object, std::initializer_list<std::string_view> known) {
  check_keys(object, std::span(known.begin(), known.size()));
}

void check_keys(const Json& object, std::span<const std::string_view> known) {
  for (const Json::Member& member : object.members()) {
    if (std::ranges::find(known, member.key) != known.end()) continue;
    const std::string_view near = nearest_word(member.key, known);
    fail("", object.where(), ": unknown key ", in_quotes(member.key), "; ",
         near.empty() ? "known keys: " + listed(known)
                      : "did you mean '" + std::string(near) + "'?");
  }
}

size_t choice(const Json& object, std::string_view key,
              std::initializer_list<std::string_view> names) {
  const std::string& value = object.string(key);
  const auto at = std::ranges::find(names, value);
  if (at == names.end())
    fail("", object.where(key), ": unknown value ", in_quotes(value), "; expected one of ",
         listed({names.begin(), names.size()}));
  return static_cast<size_t>(at - names.begin());
}

}  // namespace ink
