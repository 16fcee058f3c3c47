// The files of tokenizers from before tokenizer.json ⇄ the parts of a tokenizer.
//
//   BERT, ELECTRA, DistilBERT, MobileBERT   vocab.txt: one token a line
//   RoBERTa                                 vocab.json: token → id; merges.txt: one rule a line
//   XLM-R                                   sentencepiece.bpe.model, ids shifted by fairseq's four
//   ALBERT, XLNet                           spiece.model
#pragma once
#include <filesystem>
#include <string>

#include "tensor/json.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace ink {

enum class TokenizerClass : uint8_t { bert, roberta, xlm_roberta, albert, xlnet };

// By `tokenizer_class` of tokenizer_config.json, or `model_type` of config.json, or the files that
// are there. Raises Error for a class of another kind.
TokenizerClass tokenizer_class_of(const std::filesystem::path& folder, const Json& config);
// By what the parts look like.
TokenizerClass tokenizer_class_of(const TokenizerParts& parts);
const char* class_of(TokenizerClass family);  // "BertTokenizer", …

TokenizerParts read_older_files(const std::filesystem::path& folder, const Json& config,
                                const KnownNames& names);
void write_older_files(const std::filesystem::path& folder, const TokenizerParts& parts);

}  // namespace ink
