// A tokenizer with fewer tokens: the same in everything but what is cut out of its vocabulary.
//
//   TokenSet set = indispensable_tokens(parts);   // and what else shall stay (text/token_roles.h)
//   const KeptTokens kept(set);
//   const Tokenizer smaller(reduced(tokenizer.parts(), kept));
//   write_reduced_files(folder, to, parts, kept);  // every file of the tokenizer, cut alike
//
// Tokens keep their order; the new id of a token is the number of kept tokens before it. Of the
// merges of byte-level BPE those stay whose parts and result do; scores of Unigram stay what they
// are.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "text/token_roles.h"
#include "text/tokenizer.h"

namespace ink {

class KeptTokens {
 public:
  explicit KeptTokens(const TokenSet& set);

  const std::vector<int32_t>& ids() const { return ids_; }  // old ones, ascending, by new id
  int32_t size() const { return static_cast<int32_t>(ids_.size()); }
  int32_t before() const { return static_cast<int32_t>(new_ids_.size()); }  // how many there were
  // Of an old id; none for a token that goes, and for what was no id.
  std::optional<int32_t> new_id(int64_t old_id) const;
  bool has(int64_t old_id) const { return new_id(old_id).has_value(); }

 private:
  std::vector<int32_t> ids_, new_ids_;  // new_ids_ by old id, −1 for those that go
};

// Raises Error when `kept` lacks a token that the tokenizer cannot do without.
TokenizerParts reduced(const TokenizerParts& parts, const KeptTokens& kept);

// Writes to the folder `to` those files of a tokenizer that `from` has, each cut alike and with
// everything else in it left as it is: tokenizer.json, tokenizer_config.json, added_tokens.json,
// special_tokens_map.json, vocab.txt, vocab.json, merges.txt, spiece.model,
// sentencepiece.bpe.model. `parts` are what `from` was read as. What has been written is read
// again; raises Error unless it is reduced(parts, kept).
void write_reduced_files(const std::filesystem::path& from, const std::filesystem::path& to,
                         const TokenizerParts& parts, const KeptTokens& kept);

}  // namespace ink
