// WordList: different words numbered from 0 in the order in which they are first seen.
#include "text/word_list.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "tensor/error.h"

namespace ink {
namespace {

constexpr int32_t kFree = -1;
constexpr size_t kFirstIndex = 64;

}  // namespace

int32_t WordList::add(std::string_view word) {
  if (4 * (ends_.size() + 1) > 3 * index_.size()) make_room();
  int32_t& number = index_[slot(word)];
  if (number != kFree) return number;
  check(word.size() <= std::numeric_limits<uint32_t>::max() - text_.size() &&
            ends_.size() < size_t{std::numeric_limits<int32_t>::max()},
        "word list: expected fewer than 2^31 words in 4 GiB, got more");
  number = static_cast<int32_t>(ends_.size());
  text_ += word;
  ends_.push_back(static_cast<uint32_t>(text_.size()));
  return number;
}

std::optional<int32_t> WordList::find(std::string_view word) const {
  if (index_.empty()) return std::nullopt;
  const int32_t number = index_[slot(word)];
  return number == kFree ? std::nullopt : std::optional(number);
}

std::string_view WordList::operator[](int32_t number) const {
  check(number >= 0 && number < size(), "word list: expected a number in [0, ", size(), "), got ",
        number);
  return at(static_cast<size_t>(number));
}

std::string_view WordList::at(size_t number) const {
  const size_t begin = number == 0 ? 0 : ends_[number - 1];
  return std::string_view(text_).substr(begin, ends_[number] - begin);
}

// Where the word's number is, or the free place for it.
size_t WordList::slot(std::string_view word) const {
  size_t i = std::hash<std::string_view>{}(word) & (index_.size() - 1);
  while (index_[i] != kFree && at(static_cast<size_t>(index_[i])) != word)
    i = (i + 1) & (index_.size() - 1);
  return i;
}

void WordList::make_room() {
  index_.assign(std::max(kFirstIndex, 2 * index_.size()), kFree);
  for (size_t number = 0; number < ends_.size(); ++number)
    index_[slot(at(number))] = static_cast<int32_t>(number);
}

}  // namespace ink
