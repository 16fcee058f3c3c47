// Values of options: strict numbers within ranges, choices, and the errors of wrong usage.
#pragma once
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/json.h"

namespace ink::cli {

// A wrong use of the program: the process ends with status 2 instead of 1.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct WholeRange {
  int64_t low = 0, high = std::numeric_limits<int64_t>::max();
};
struct RealRange {
  double low = 0, high = std::numeric_limits<double>::infinity();
  bool without_low = false;  // above `low` rather than from it
};

inline constexpr WholeRange kOneOrMore{.low = 1};
inline constexpr RealRange kShare{.high = 1}, kAboveZero{.without_low = true};

// The number that a word is, decimal and nothing else. `place` begins the message of UsageError.
int64_t whole_from(const std::string& word, const WholeRange& range, const std::string& place);
double real_from(const std::string& word, const RealRange& range, const std::string& place);
bool truth_from(const std::string& word, const std::string& place);

// Raises UsageError unless `word` is one of `known`; it lists them and gives the hint, or else
// suggests the nearest.
void check_choice(const std::string& word, const std::vector<std::string>& known,
                  const std::string& place, const std::string& hint = "");

// The words that a value of a JSON file would be on the command line.
std::vector<std::string> words_of(const Json& value, const std::string& place);

// "; did you mean --text?", or "" when no known name is near.
std::string suggestion(const std::string& wrong, const std::vector<std::string>& known);

// What `f` returns; its Errors are about a file of options, and so become UsageErrors.
template <class F>
auto as_usage(const F& f) {
  try {
    return f();
  } catch (const Error& error) {
    throw UsageError(error.message());
  }
}

// What `f` returns; its errors begin with `place`.
template <class F>
auto with_place(const std::string& place, const F& f) {
  try {
    return f();
  } catch (const UsageError& error) {
    throw UsageError(place + ": " + error.what());
  } catch (const Error& error) {
    fail("", place, ": ", error.message());
  }
}

}  // namespace ink::cli
