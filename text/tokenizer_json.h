// tokenizer.json ⇄ the parts of a tokenizer.
//
// The file describes a chain (normalizer, pre-tokenizer, model, post-processor); read is what
// BERT's kin use, and any other link is an Error that names it and what is known instead.
#pragma once
#include <string>
#include <string_view>

#include "tensor/json.h"
#include "text/known_tokens.h"
#include "text/tokenizer.h"

namespace ink {

// `text` is the file's content; `source` names it in messages. Special tokens that are not known by
// name are found by what the file does with them.
TokenizerParts parse_tokenizer_json(std::string_view text, const std::string& source,
                                    const KnownTokens& known = {});
// The whole file, with null where the parts have nothing.
Json tokenizer_json(const TokenizerParts& parts);

}  // namespace ink
