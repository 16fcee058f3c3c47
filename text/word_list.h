// WordList: different words numbered from 0 in the order in which they are first seen.
//
// The common ground of word vectors, synonym groups, neighbours and counts: each speaks of words by
// number and keeps its spelling here, once, in one string.
//
//   WordList words;
//   words.add("砚台");       // 0
//   words.add("墨");         // 1
//   words.add("砚台");       // 0 again
//   words.find("纸");        // nothing
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

class WordList {
 public:
  // The word's number, the next free one if it is new. Raises Error beyond 2^31 − 1 words or 4 GiB.
  int32_t add(std::string_view word);
  std::optional<int32_t> find(std::string_view word) const;
  // Lives until the next add. Raises Error when number is outside [0, size()).
  std::string_view operator[](int32_t number) const;
  int32_t size() const { return static_cast<int32_t>(ends_.size()); }
  bool operator==(const WordList& o) const { return text_ == o.text_ && ends_ == o.ends_; }

 private:
  std::string_view at(size_t number) const;
  size_t slot(std::string_view word) const;
  void make_room();

  std::string text_;            // all words, one behind the other
  std::vector<uint32_t> ends_;  // where each ends
  std::vector<int32_t> index_;  // numbers by their word's hash, probed linearly; at most ¾ in use
};

}  // namespace ink
