// RandomTokens: what a random replacement is drawn from, evenly.
//
// BERT's create_pretraining_data.py draws any id of the vocabulary, [MASK], [CLS] and [unused1]
// among them, and so does a RandomTokens made of its size. words_of() leaves out what never stands
// for text: special tokens, and those in brackets such as [unused1] and <S>. In BERT's Chinese
// vocabulary that is about one id in two hundred.
//
//   const RandomTokens words = RandomTokens::words_of(tokenizer.vocabulary());
//   const int32_t id = words.draw(draws);
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/philox.h"
#include "text/vocabulary.h"

namespace ink {

class RandomTokens {
 public:
  RandomTokens() = default;  // of none
  // Ids 0 to size − 1.
  explicit RandomTokens(int64_t size) : size_(size) {}
  // Raises Error where the vocabulary has no words.
  static RandomTokens words_of(const Vocabulary& vocabulary);

  int64_t size() const { return size_; }
  RandomTokens or_all(int64_t vocabulary_size) const {
    return size_ > 0 ? *this : RandomTokens(vocabulary_size);
  }
  int32_t draw(Draws& draws) const {
    const uint64_t i = draws.below(static_cast<uint64_t>(size_));
    return ids_ ? (*ids_)[i] : static_cast<int32_t>(i);
  }

 private:
  int64_t size_ = 0;
  std::shared_ptr<const std::vector<int32_t>> ids_ = {};  // null: all from 0 on
};

}  // namespace ink
