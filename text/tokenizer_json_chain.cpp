// The links of tokenizer.json around the model: normalizer, pre-tokenizer, post-processor.
#include "text/tokenizer_json_chain.h"

#include "tensor/error.h"
#include "text/added_list.h"
#include "text/base64.h"

namespace ink {
namespace {

std::string type_of(const Json& link) { return link.string("type", ""); }

// The links of a Sequence, or the link itself, or none for null or an absent one.
std::vector<const Json*> links(const Json& file, std::string_view key, std::string_view list) {
  const Json* link = file.find(key);
  if (!link || link->is_null()) return {};
  if (type_of(file.object(key)) != "Sequence") return {link};
  std::vector<const Json*> out;
  for (const Json& item : link->array(list).items()) out.push_back(&item);
  return out;
}

NormalizerStep read_replace(const Json& link) {
  const Json& pattern = link.object("pattern");
  const std::u32string to = decode_utf8(link.string("content"));
  if (pattern.has("Regex")) {
    check(pattern.string("Regex") == " {2,}", "tokenizer: ", pattern.where("Regex"),
          ": expected ' {2,}', the only expression known here, got '", pattern.string("Regex"),
          "'");
    return ReplaceSpaces{to};
  }
  Replace step{decode_utf8(pattern.string("String")), to};
  check(!step.from.empty(), "tokenizer: ", pattern.where("String"),
        ": expected some text, got none");
  return step;
}

NormalizerStep read_step(const Json& link) {
  const std::string type = type_of(link);
  if (type == "BertNormalizer") {
    check(link.boolean("clean_text", true), "tokenizer: ", link.where("clean_text"),
          ": expected true, as all of BERT's kin have it");
    return NormalizeOptions{.do_lower_case = link.boolean("lowercase", true),
                            .strip_accents = optional_boolean(link, "strip_accents"),
                            .tokenize_chinese_chars = link.boolean("handle_chinese_chars", true)};
  }
  if (type == "Precompiled") {
    const std::string place = link.where("precompiled_charsmap");
    return std::make_shared<const Charsmap>(
        decode_base64(link.string("precompiled_charsmap"), place), place);
  }
  if (type == "Replace") return read_replace(link);
  if (type == "NFD" || type == "NFKD") return Decompose{.compatible = type == "NFKD"};
  if (type == "StripAccents") return StripAccents{};
  if (type == "Lowercase") return Lowercase{};
  if (type == "Strip") return Strip{link.boolean("strip_left"), link.boolean("strip_right")};
  fail("tokenizer: ", link.where("type"),
       ": expected BertNormalizer, Precompiled, Replace, NFD, NFKD, StripAccents, Lowercase or "
       "Strip, got '",
       type, "'");
}

Json write_step(const NormalizerStep& step) {
  const auto typed = [](const char* type, Json::Members members = {}) {
    members.insert(members.begin(), {"type", type});
    return Json::make_object(std::move(members));
  };
  if (const auto* bert = std::get_if<NormalizeOptions>(&step))
    return typed("BertNormalizer",
                 {{"clean_text", true},
                  {"handle_chinese_chars", bert->tokenize_chinese_chars},
                  {"strip_accents", bert->strip_accents ? Json(*bert->strip_accents) : Json()},
                  {"lowercase", bert->do_lower_case}});
  if (const auto* map = std::get_if<std::shared_ptr<const Charsmap>>(&step))
    return typed("Precompiled", {{"precompiled_charsmap", encode_base64((*map)->bytes())}});
  if (const auto* replace = std::get_if<Replace>(&step))
    return typed("Replace",
                 {{"pattern", Json::make_object({{"String", encode_utf8(replace->from)}})},
                  {"content", encode_utf8(replace->to)}});
  if (const auto* spaces = std::get_if<ReplaceSpaces>(&step))
    return typed("Replace", {{"pattern", Json::make_object({{"Regex", " {2,}"}})},
                             {"content", encode_utf8(spaces->to)}});
  if (const auto* decompose = std::get_if<Decompose>(&step))
    return typed(decompose->compatible ? "NFKD" : "NFD");
  if (const auto* strip = std::get_if<Strip>(&step))
    return typed("Strip", {{"strip_left", strip->left}, {"strip_right", strip->right}});
  return typed(std::holds_alternative<StripAccents>(step) ? "StripAccents" : "Lowercase");
}

// "A" and "B", or a special token, in a TemplateProcessing.
TemplatePart read_part(const Json& piece, const Json& special, int64_t vocabulary_size) {
  using Kind = TemplatePart::Kind;
  const bool is_text = piece.has("Sequence");
  const Json& content = piece.object(is_text ? "Sequence" : "SpecialToken");
  const auto segment = static_cast<int32_t>(content.integer_between("type_id", 0, 255));
  const std::string& id = content.string("id");
  if (is_text) {
    check(id == "A" || id == "B", "tokenizer: ", content.where("id"), ": expected A or B, got '",
          id, "'");
    return {id == "A" ? Kind::first : Kind::second, 0, segment};
  }
  const Json& ids = special.object(id).array("ids");
  check(ids.size() == 1, "tokenizer: ", special.where(id), ": expected one id, got ", ids.size());
  return {Kind::token, static_cast<int32_t>(ids.integer_between(0, 0, vocabulary_size - 1)),
          segment};
}

Template read_template(const Json& link, int64_t vocabulary_size) {
  const Json none = Json::make_object();
  const Json& special = link.has("special_tokens") ? link.object("special_tokens") : none;
  Template out;
  for (const Json& piece : link.array("single").items())
    out.single.push_back(read_part(piece, special, vocabulary_size));
  for (const Json& piece : link.array("pair").items())
    out.pair.push_back(read_part(piece, special, vocabulary_size));
  const auto count = [](const std::vector<TemplatePart>& parts, TemplatePart::Kind kind) {
    return std::count_if(parts.begin(), parts.end(),
                         [&](const TemplatePart& p) { return p.kind == kind; });
  };
  using Kind = TemplatePart::Kind;
  check(count(out.single, Kind::first) == 1 && count(out.single, Kind::second) == 0 &&
            count(out.pair, Kind::first) == 1 && count(out.pair, Kind::second) == 1,
        "tokenizer: ", link.where(), ": expected A once in single, A and B once each in pair");
  return out;
}

// BertProcessing and RobertaProcessing: {"sep": ["</s>", 2], "cls": ["<s>", 0]}.
Template read_frame(const Json& link, bool roberta, int64_t vocabulary_size) {
  using Kind = TemplatePart::Kind;
  const auto id = [&](const char* key) {
    return static_cast<int32_t>(link.array(key).integer_between(1, 0, vocabulary_size - 1));
  };
  const TemplatePart cls{Kind::token, id("cls"), 0}, sep{Kind::token, id("sep"), 0};
  const TemplatePart first{Kind::first, 0, 0};
  const int32_t b = roberta ? 0 : 1;
  Template out{{cls, first, sep}, {cls, first, sep}};
  if (roberta) out.pair.push_back(sep);
  out.pair.push_back({Kind::second, 0, b});
  out.pair.push_back({Kind::token, sep.id, b});
  return out;
}

}  // namespace

Normalizer read_normalizer(const Json& file) {
  std::vector<NormalizerStep> steps;
  for (const Json* link : links(file, "normalizer", "normalizers"))
    steps.push_back(read_step(*link));
  return Normalizer(std::move(steps));
}

Json write_normalizer(const Normalizer& normalizer) {
  const auto& steps = normalizer.steps();
  if (steps.empty()) return {};
  if (steps.size() == 1) return write_step(steps[0]);
  Json all = Json::make_array();
  for (const NormalizerStep& step : steps) all.append(write_step(step));
  return Json::make_object({{"type", "Sequence"}, {"normalizers", std::move(all)}});
}

void check_bert_pre_tokenizer(const Json& file) {
  const auto found = links(file, "pre_tokenizer", "pretokenizers");
  check(found.size() == 1 && type_of(*found[0]) == "BertPreTokenizer",
        "tokenizer: ", file.where("pre_tokenizer"),
        ": expected BertPreTokenizer for a WordPiece model");
}

UnigramOptions read_metaspace(const Json& file) {
  UnigramOptions out;
  const auto found = links(file, "pre_tokenizer", "pretokenizers");
  out.split_whitespace = found.size() == 2 && type_of(*found[0]) == "WhitespaceSplit";
  check(!found.empty() && found.size() == (out.split_whitespace ? 2 : 1) &&
            type_of(*found.back()) == "Metaspace",
        "tokenizer: ", file.where("pre_tokenizer"),
        ": expected Metaspace, or WhitespaceSplit and Metaspace, for a Unigram model");
  const Json& link = *found.back();
  check(link.string("replacement", "▁") == "▁", "tokenizer: ", link.where("replacement"),
        ": expected '▁', got '", link.string("replacement", ""), "'");
  const std::string otherwise = link.boolean("add_prefix_space", true) ? "always" : "never";
  const std::string scheme = link.string("prepend_scheme", otherwise);
  check(scheme == "always" || scheme == "first" || scheme == "never",
        "tokenizer: ", link.where("prepend_scheme"), ": expected always, first or never, got '",
        scheme, "'");
  out.prefix_space = scheme == "always"  ? PrefixSpace::always
                     : scheme == "first" ? PrefixSpace::first
                                         : PrefixSpace::never;
  out.split_words = link.boolean("split", true);
  return out;
}

ByteBpeOptions read_byte_level(const Json& file) {
  const auto found = links(file, "pre_tokenizer", "pretokenizers");
  check(found.size() == 1 && type_of(*found[0]) == "ByteLevel" &&
            found[0]->boolean("use_regex", true),
        "tokenizer: ", file.where("pre_tokenizer"),
        ": expected ByteLevel with its pattern for a BPE model");
  ByteBpeOptions out{.add_prefix_space = found[0]->boolean("add_prefix_space", true),
                     .trim_offsets = false};
  for (const Json* link : links(file, "post_processor", "processors")) {
    const std::string type = type_of(*link);
    if (type != "RobertaProcessing" && type != "ByteLevel") continue;
    out.trim_offsets = link->boolean("trim_offsets", true);
    check(!out.trim_offsets || link->boolean("add_prefix_space", true) == out.add_prefix_space,
          "tokenizer: ", link->where("add_prefix_space"),
          ": expected the same as in the pre-tokenizer");
  }
  return out;
}

Template read_post_processor(const Json& file, int64_t vocabulary_size) {
  using Kind = TemplatePart::Kind;
  Template out{{{Kind::first, 0, 0}}, {{Kind::first, 0, 0}, {Kind::second, 0, 1}}};
  for (const Json* link : links(file, "post_processor", "processors")) {
    const std::string type = type_of(*link);
    if (type == "TemplateProcessing") {
      out = read_template(*link, vocabulary_size);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      out = read_frame(*link, type == "RobertaProcessing", vocabulary_size);
    } else {
      check(type == "ByteLevel", "tokenizer: ", link->where("type"),
            ": expected TemplateProcessing, BertProcessing, RobertaProcessing or ByteLevel, got '",
            type, "'");
    }
  }
  return out;
}

Json write_post_processor(const Template& frame, const Vocabulary& vocabulary) {
  Json special = Json::make_object();
  const auto write = [&](const std::vector<TemplatePart>& parts) {
    Json out = Json::make_array();
    for (const TemplatePart& part : parts) {
      const bool is_token = part.kind == TemplatePart::Kind::token;
      const std::string id(is_token                                 ? vocabulary.token(part.id)
                           : part.kind == TemplatePart::Kind::first ? "A"
                                                                    : "B");
      if (is_token)
        special.set(id, Json::make_object({{"id", id},
                                           {"ids", Json::make_array({part.id})},
                                           {"tokens", Json::make_array({id})}}));
      out.append(Json::make_object({{is_token ? "SpecialToken" : "Sequence",
                                     Json::make_object({{"id", id}, {"type_id", part.segment}})}}));
    }
    return out;
  };
  Json single = write(frame.single), pair = write(frame.pair);
  return Json::make_object({{"type", "TemplateProcessing"},
                            {"single", std::move(single)},
                            {"pair", std::move(pair)},
                            {"special_tokens", std::move(special)}});
}

}  // namespace ink
