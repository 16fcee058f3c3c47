// Charsmap: the normalization that a SentencePiece model carries, as the fast tokenizers apply it.
//
// A table from short strings to strings, mostly NFKC with blanks unified ("ﬁ" → "fi", "　" → " ").
// It is a double-array trie over UTF-8 (Yata et al. 2007), read where it is and never trusted:
// every step is checked against its end. A grapheme cluster of fewer than 6 bytes is looked up as a
// whole, and if any prefix of it is a key, the shortest decides; other characters are looked up
// singly.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalize.h"

namespace ink {

class Charsmap {
 public:
  // The bytes of `precompiled_charsmap`: the trie's size (u32), the trie, strings ended by NUL.
  // Raises Error naming `source` when they do not fit together.
  Charsmap(std::string bytes, const std::string& source);
  Charsmap(const Charsmap&) = delete;
  Charsmap& operator=(const Charsmap&) = delete;

  void apply(Normalized& text) const;
  const std::string& bytes() const { return bytes_; }

 private:
  std::optional<std::string_view> find(std::string_view text) const;
  uint32_t unit(size_t index) const;
  bool is_key_start(char32_t c) const { return c > 0x10FFFF || starts_[c >> 6] >> (c & 63) & 1; }
  void collect_starts(size_t node, int length, char32_t value);

  std::string bytes_;
  size_t units_ = 0;              // of the trie, which begins at byte 4
  std::string_view strings_;      // in bytes_
  std::vector<uint64_t> starts_;  // one bit for each code point that begins a key
};

}  // namespace ink
