// KnownTokens: what the small files beside a tokenizer say about its special and added tokens.
//
//   tokenizer_config.json    unk_token, …, added_tokens_decoder, extra_special_tokens
//   special_tokens_map.json  unk_token, …; wins where there is no added_tokens_decoder
//   added_tokens.json        token → id, where there is no added_tokens_decoder
//
// All of it is read as transformers 5 does.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tensor/json.h"
#include "text/added_list.h"
#include "text/added_tokens.h"
#include "text/vocabulary.h"

namespace ink {

struct KnownTokens {
  std::optional<AddedToken> bos = {}, eos = {}, unk = {}, sep = {}, pad = {}, cls = {}, mask = {};
  std::vector<AddedToken> added = {};       // in the order of their ids
  std::vector<AddedToken> extra;            // more special ones: "additional" or "extra"
  std::optional<SpecialTokens> usual = {};  // what the tokenizer's class calls those without a name

  // Puts them to the list: `added` first, then the special ones that are known by name, then the
  // extra ones.
  void put_to(AddedList& list) const;
  // The names, where they are known; "" for the others.
  SpecialTokens names() const;
};

// The tokens in the order of their ids, with an empty one for an id that none has. Raises Error for
// an id that two have, and for too many that none has.
std::vector<std::string> tokens_by_id(std::vector<std::pair<int32_t, std::string>> numbered,
                                      const std::string& source);

KnownTokens read_known_tokens(const std::filesystem::path& folder, const Json& config);

}  // namespace ink
