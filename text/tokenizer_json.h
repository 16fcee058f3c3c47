// tokenizer.json ⇄ the parts of a tokenizer.
//
// The file describes a chain (normalizer, pre-tokenizer, model, post-processor); read is what
// BERT's kin use, and any other link is an Error that names it and what is known instead.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/json.h"
#include "text/tokenizer.h"

namespace ink {

// Names of special tokens as far as they are known; the others are taken from the file.
struct KnownNames {
  std::optional<std::string> unk, cls, sep, mask, pad;
};

// `text` is the file's content; `source` names it in messages.
TokenizerParts parse_tokenizer_json(std::string_view text, const std::string& source,
                                    const KnownNames& names = {});
// The whole file, with null where the parts have nothing.
Json tokenizer_json(const TokenizerParts& parts);

}  // namespace ink
