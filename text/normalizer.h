// Normalizer: what a tokenizer does to a text before it is cut, as a chain of steps.
//
// BERT has one step, its own (text/normalize.h); byte-level BPE none; the SentencePiece families
// several small ones. Every step keeps where each character came from, by the rules of the fast
// tokenizers, so that offsets agree too.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/charsmap.h"
#include "text/normalize.h"

namespace ink {

// Every occurrence of `from`, left to right, becomes `to`; `from` is not empty.
struct Replace {
  std::u32string from, to;
  bool operator==(const Replace&) const = default;
};
// Every run of two or more U+0020 becomes `to`.
struct ReplaceSpaces {
  std::u32string to;
  bool operator==(const ReplaceSpaces&) const = default;
};
// Unicode's NFD or, compatible, NFKD.
struct Decompose {
  bool compatible = false;
  bool operator==(const Decompose&) const = default;
};
// All marks (\p{M}) are dropped.
struct StripAccents {
  bool operator==(const StripAccents&) const = default;
};
struct Lowercase {
  bool operator==(const Lowercase&) const = default;
};
// Whitespace at the ends is dropped.
struct Strip {
  bool left = true, right = true;
  bool operator==(const Strip&) const = default;
};
using NormalizerStep =
    std::variant<NormalizeOptions, Replace, ReplaceSpaces, Decompose, StripAccents, Lowercase,
                 Strip, std::shared_ptr<const Charsmap>>;

class Normalizer {
 public:
  Normalizer() = default;  // leaves text as it is
  explicit Normalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {}

  Normalized operator()(std::u32string_view original) const;
  const std::vector<NormalizerStep>& steps() const { return steps_; }
  // BERT's options where BERT's step is the only one, else null.
  const NormalizeOptions* bert() const {
    return steps_.size() == 1 ? std::get_if<NormalizeOptions>(steps_.data()) : nullptr;
  }

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace ink
