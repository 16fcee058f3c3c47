// Small tokenizer.json files, one for each model, that tests read and damage.
#pragma once
#include <string>

#include "tensor/json.h"
#include "text/byte_bpe.h"
#include "text/sentencepiece_file.h"
#include "text/utf8.h"

namespace ink::testing {

// RoBERTa's: all bytes, and merges that spell " the" and "ink".
inline Json tiny_bpe() {
  Json vocab = Json::make_object({{"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}});
  char32_t next = 0x100;
  const auto add = [&](const std::string& token) { vocab.set(token, vocab.size()); };
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    add(encode_utf8(std::u32string(1, visible ? byte : next++)));
  }
  Json merges = Json::make_array();
  for (const auto& [left, right] :
       {std::pair{"t", "h"}, {"Ġ", "th"}, {"Ġth", "e"}, {"i", "n"}, {"in", "k"}, {"Ġ", "ink"}}) {
    add(std::string(left) + right);
    merges.append(Json::make_array({left, right}));
  }
  add("<mask>");
  Json added = Json::make_array();
  for (const char* name : {"<s>", "<pad>", "</s>", "<unk>", "<mask>"})
    added.append(Json::make_object({{"id", vocab.integer(name)},
                                    {"content", name},
                                    {"lstrip", std::string(name) == "<mask>"},
                                    {"normalized", false},
                                    {"special", true}}));
  return Json::make_object(
      {{"added_tokens", std::move(added)},
       {"normalizer", nullptr},
       {"pre_tokenizer", Json::make_object({{"type", "ByteLevel"}, {"add_prefix_space", false}})},
       {"post_processor", Json::make_object({{"type", "RobertaProcessing"},
                                             {"sep", Json::make_array({"</s>", 2})},
                                             {"cls", Json::make_array({"<s>", 0})},
                                             {"trim_offsets", true},
                                             {"add_prefix_space", false}})},
       {"model",
        Json::make_object(
            {{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", std::move(merges)}})}});
}

// XLNet's: NFKD without accents, pieces for 砚台 and "stone".
inline Json tiny_unigram() {
  return parse_json(R"({
    "added_tokens": [
      {"id": 0, "content": "<unk>", "special": true},
      {"id": 1, "content": "<cls>", "special": true},
      {"id": 2, "content": "<sep>", "special": true},
      {"id": 3, "content": "<pad>", "special": true},
      {"id": 4, "content": "<mask>", "special": true, "lstrip": true},
      {"id": 15, "content": "磨墨", "special": false, "normalized": true, "single_word": true}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Replace", "pattern": {"String": "``"}, "content": "\""},
      {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
      {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "<sep>", "type_id": 0}},
                 {"SpecialToken": {"id": "<cls>", "type_id": 2}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "<sep>", "type_id": 0}},
               {"Sequence": {"id": "B", "type_id": 1}},
               {"SpecialToken": {"id": "<sep>", "type_id": 1}},
               {"SpecialToken": {"id": "<cls>", "type_id": 2}}],
      "special_tokens": {"<sep>": {"id": "<sep>", "ids": [2], "tokens": ["<sep>"]},
                         "<cls>": {"id": "<cls>", "ids": [1], "tokens": ["<cls>"]}}},
    "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [
      ["<unk>", 0.0], ["<cls>", 0.0], ["<sep>", 0.0], ["<pad>", 0.0], ["<mask>", 0.0],
      ["▁", -2.0], ["砚台", -3.0], ["砚", -4.0], ["台", -4.5], ["▁ink", -3.5], ["stone", -5.0],
      ["s", -6.0], ["▁in", -3.0], ["k", -3.0], ["\"", -5.0]]}})",
                    "tiny_unigram");
}

// A file of SentencePiece with pieces for ink and 砚.
inline SentencePieceFile tiny_sentencepiece() {
  using Type = SentencePieceFile::Type;
  return {{{"<unk>", 0, Type::unknown},
           {"<s>", 0, Type::control},
           {"</s>", 0, Type::control},
           {"▁ink", -2, Type::normal},
           {"砚", -3, Type::normal},
           {"▁", -4, Type::normal}},
          ""};
}

}  // namespace ink::testing
