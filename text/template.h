// Template: how a family of models frames one text or a pair, and which part has which segment.
//
//   BERT, ALBERT     [CLS] A [SEP]       [CLS] A [SEP] B [SEP]         0 0 0   1 1
//   RoBERTa, XLM-R   <s> A </s>          <s> A </s> </s> B </s>        0 throughout
//   XLNet            A <sep> <cls>       A <sep> B <sep> <cls>         0 0  1 1  2
#pragma once
#include <cstdint>
#include <vector>

#include "text/encoding.h"
#include "text/vocabulary.h"

namespace ink {

struct TemplatePart {
  enum class Kind : uint8_t { token, first, second };  // an added token, or one of the texts
  Kind kind;
  int32_t id;  // of the token
  int32_t segment;
  bool operator==(const TemplatePart&) const = default;
};

struct Template {
  std::vector<TemplatePart> single, pair;

  // How many tokens it adds.
  static int64_t added(const std::vector<TemplatePart>& parts);
  // The first `n_first` and `n_second` tokens of the texts, framed; a null `second`: `single`.
  Encoding join(const Encoding& first, int64_t n_first, const Encoding* second,
                int64_t n_second) const;
  bool operator==(const Template&) const = default;

  static Template bert(const Vocabulary& vocabulary);
  static Template roberta(const Vocabulary& vocabulary);
  static Template xlnet(const Vocabulary& vocabulary);
};

// Where a sequence that is too long loses tokens; always at the end of a text.
enum class Truncation : uint8_t {
  longest_first,  // the longer text down to the shorter one, then both alike
  first,          // the first text only
  second,         // the second text only
};

struct Lengths {
  int64_t first, second;
};
// How many tokens of each text to keep so that they fit into `room` together. Raises Error when the
// text to be shortened is too short for that.
Lengths truncated(Lengths lengths, int64_t room, Truncation truncation);

}  // namespace ink
