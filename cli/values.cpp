// Parsing of words, and messages about those that do not fit.
#include "cli/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "tensor/keys.h"

namespace ink::cli {
namespace {

// A whole word as a number; numbers beyond the type fail too.
template <class T>
bool parses(const std::string& word, T& value) {
  const char* end = word.data() + word.size();
  const std::from_chars_result result = std::from_chars(word.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

std::string shown(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

[[noreturn]] void fail_value(const std::string& place, const std::string& expected,
                             const std::string& word) {
  throw UsageError(place + ": expected " + expected + ", got " + in_quotes(word));
}

std::string described(const WholeRange& range) {
  const std::string low = std::to_string(range.low);
  if (range.high == WholeRange{}.high) return "a whole number of at least " + low;
  return "a whole number from " + low + " to " + std::to_string(range.high);
}

std::string described(const RealRange& range) {
  const bool open = std::isinf(range.high);
  if (range.without_low)
    return "a number above " + shown(range.low) + (open ? "" : " up to " + shown(range.high));
  if (open) return "a number of at least " + shown(range.low);
  return "a number from " + shown(range.low) + " to " + shown(range.high);
}

std::vector<std::string_view> views_of(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

}  // namespace

int64_t whole_from(const std::string& word, const WholeRange& range, const std::string& place) {
  int64_t value = 0;
  if (!parses(word, value) || value < range.low || value > range.high)
    fail_value(place, described(range), word);
  return value;
}

double real_from(const std::string& word, const RealRange& range, const std::string& place) {
  double value = 0;
  const bool fits = parses(word, value) && std::isfinite(value) && value <= range.high &&
                    (range.without_low ? value > range.low : value >= range.low);
  if (!fits) fail_value(place, described(range), word);
  return value;
}

bool truth_from(const std::string& word, const std::string& place) {
  if (word != "true" && word != "false") fail_value(place, "true or false", word);
  return word == "true";
}

void check_choice(const std::string& word, const std::vector<std::string>& known,
                  const std::string& place, const std::string& hint) {
  if (std::ranges::find(known, word) != known.end()) return;
  throw UsageError(place + ": expected " + alternatives(views_of(known)) + ", got " +
                   in_quotes(word) + (hint.empty() ? suggestion(word, known) : "; " + hint));
}

std::vector<std::string> words_of(const Json& value, const std::string& place) {
  std::vector<std::string> words;
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      const std::vector<std::string> inner = words_of(item, place);
      words.insert(words.end(), inner.begin(), inner.end());
    }
  } else if (value.is_string()) {
    words.push_back(value.as_string());
  } else if (value.is_object() || value.is_null()) {
    throw UsageError(place + ": expected a string, a number, true, false or a list of them");
  } else {
    words.push_back(value.to_string());
  }
  return words;
}

std::string suggestion(const std::string& wrong, const std::vector<std::string>& known) {
  std::string_view near = nearest_word(wrong, views_of(known));
  const auto cuda = std::ranges::find(known, "cuda");  // which a GPU is, and not a CPU misspelt
  if (cuda != known.end() && (wrong == "gpu" || wrong == "GPU")) near = *cuda;
  return near.empty() ? "" : "; did you mean " + std::string(near) + "?";
}

}  // namespace ink::cli
