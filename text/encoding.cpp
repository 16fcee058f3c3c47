// Whole-word groups: tokens joined when they share a word of the tokenizer or of the segmenter.
#include "text/encoding.h"

#include "tensor/error.h"

namespace ink {
namespace {

// Walks the words of one text along with its tokens: whether a token begins inside a word that an
// earlier token has touched.
class WordCursor {
 public:
  explicit WordCursor(std::span<const Span> words) : words_(words) {}

  bool continues(const Span& token) {
    const int32_t touched_end = touched_end_;
    while (next_ < words_.size() && words_[next_].begin < token.end) {
      check(next_ == 0 || words_[next_].begin >= words_[next_ - 1].end,
            "whole_words: expected words in order without overlap, got word ", next_, " at ",
            words_[next_].begin);
      if (words_[next_].end > token.begin) touched_end_ = words_[next_].end;
      ++next_;
    }
    return token.begin < touched_end;
  }

 private:
  std::span<const Span> words_;
  size_t next_ = 0;
  int32_t touched_end_ = 0;
};

}  // namespace

std::vector<Span> whole_words(const Encoding& encoding, std::span<const Span> words,
                              std::span<const Span> second) {
  WordCursor cursors[] = {WordCursor(words), WordCursor(second)};
  std::vector<Span> groups;
  int32_t last_word = Encoding::no_word, last_text = 0;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const int32_t word = encoding.words[i], text = encoding.texts[i];
    if (word != Encoding::no_word) {
      const auto position = static_cast<int32_t>(i);
      const bool inside = cursors[text].continues(encoding.offsets[i]);
      const bool follows = last_word != Encoding::no_word && last_text == text;
      if (follows && (inside || word == last_word))
        groups.back().end = position + 1;
      else
        groups.push_back({position, position + 1});
    }
    last_word = word;
    last_text = text;
  }
  return groups;
}

}  // namespace ink
