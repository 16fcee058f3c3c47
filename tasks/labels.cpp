// Names of classes: order, look-up, and errors that say what is known.
#include "tasks/labels.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

std::optional<int64_t> integer_in(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_placeholder(const std::string& name, size_t id) {
  return name == "LABEL_" + std::to_string(id);
}

}  // namespace

Labels::Labels(std::vector<std::string> names) : names_(std::move(names)) {
  std::vector<std::string> sorted = names_;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  check(twice == sorted.end(), "labels: expected distinct names, got '",
        twice == sorted.end() ? "" : *twice, "' twice");
  check(sorted.empty() || !sorted.front().empty(), "labels: expected names, got an empty one");
}

Labels Labels::of_data(std::vector<std::string> names) {
  const bool numbers =
      std::ranges::all_of(names, [](const auto& n) { return integer_in(n).has_value(); });
  std::ranges::sort(names, [&](const std::string& a, const std::string& b) {
    if (numbers && *integer_in(a) != *integer_in(b)) return *integer_in(a) < *integer_in(b);
    return a < b;
  });
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return Labels(std::move(names));
}

const std::string& Labels::name(int32_t id) const {
  check(id >= 0 && id < size(), "labels: expected an id from 0 to ", size() - 1, ", got ", id);
  return names_[static_cast<size_t>(id)];
}

int32_t Labels::find(std::string_view name) const {
  const auto at = std::ranges::find(names_, name);
  return at == names_.end() ? -1 : static_cast<int32_t>(at - names_.begin());
}

int32_t Labels::id_of(std::string_view name, std::string_view where,
                      std::string_view advice) const {
  if (const int32_t id = find(name); id >= 0) return id;
  size_t placeholders = 0;
  while (placeholders < names_.size() && is_placeholder(names_[placeholders], placeholders))
    ++placeholders;
  if (const auto id = integer_in(name); id && placeholders == names_.size()) {
    check(*id >= 0 && *id < size(), "", where, ": label ", *id, " is out of range; expected 0 to ",
          size() - 1);
    return static_cast<int32_t>(*id);
  }
  fail("", where, ": unknown label ", in_quotes(name), "; known labels: ", known(),
       advice.empty() ? "" : "; ", advice);
}

std::string Labels::known() const {
  constexpr size_t kShown = 12;
  std::string text;
  for (size_t i = 0; i < std::min(names_.size(), kShown); ++i) text += (i ? ", " : "") + names_[i];
  if (names_.size() > kShown) text += ", … (" + std::to_string(names_.size()) + " in all)";
  return text.empty() ? "none" : text;
}

}  // namespace ink
