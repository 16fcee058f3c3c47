// The files of tokenizers from before tokenizer.json ⇄ the parts of a tokenizer.
//
//   BERT, ELECTRA, DistilBERT, MobileBERT   vocab.txt: one token a line
//   RoBERTa                                 vocab.json: token → id; merges.txt: one rule a line
//   XLM-R                                   sentencepiece.bpe.model, ids shifted by fairseq's four
//   ALBERT, XLNet                           spiece.model
#pragma once
#include <filesystem>
#include <optional>

#include "tensor/json.h"
#include "text/known_tokens.h"
#include "text/tokenizer.h"

namespace ink {

enum class TokenizerClass : uint8_t { bert, roberta, xlm_roberta, albert, xlnet };

// An object without keys where there is no such file.
Json read_json_if_there(const std::filesystem::path& path);

// The family that `tokenizer_class` of tokenizer_config.json names, or without it `model_type` of
// config.json; none where they name no class of BERT's kin.
std::optional<TokenizerClass> tokenizer_class_named(const std::filesystem::path& folder,
                                                    const Json& config);
// The same, or by the files that are there. Raises Error for a class of another kind.
TokenizerClass tokenizer_class_of(const std::filesystem::path& folder, const Json& config);
// By what the parts look like.
TokenizerClass tokenizer_class_of(const TokenizerParts& parts);
const char* class_of(TokenizerClass family);  // "BertTokenizer", …
SpecialTokens usual_names(TokenizerClass family);
// What a class makes of tokenizer_config.json, with its defaults for what is not there.
NormalizeOptions bert_options(const Json& config);
ByteBpeOptions byte_bpe_options(const Json& config);

TokenizerParts read_older_files(const std::filesystem::path& folder, const Json& config,
                                KnownTokens known);
void write_older_files(const std::filesystem::path& folder, const TokenizerParts& parts);

}  // namespace ink
