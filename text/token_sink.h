// TokenSink: where the models of a tokenizer put the tokens of a text, with their places.
#pragma once
#include "text/encoding.h"
#include "text/utf8.h"

namespace ink {

class TokenSink {
 public:
  // Appends to `out`, continuing its numbering of words.
  TokenSink(const Decoded& text, Encoding& out)
      : bytes_(text.bytes), out_(out), word_(out.words.empty() ? -1 : out.words.back()) {}

  void begin_word() { ++word_; }  // what is added next is another word
  // A token of the current word that covers code points [begin, end) of the text.
  void add(int32_t id, int32_t begin, int32_t end) {
    out_.ids.push_back(id);
    out_.segments.push_back(0);
    out_.texts.push_back(0);
    out_.words.push_back(word_);
    out_.offsets.push_back({begin, end});
    out_.bytes.push_back({bytes_[static_cast<size_t>(begin)], bytes_[static_cast<size_t>(end)]});
  }

 private:
  const std::vector<int32_t>& bytes_;
  Encoding& out_;
  int32_t word_;
};

}  // namespace ink
