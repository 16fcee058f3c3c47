// Tokenizers with fewer tokens: what must stay, that kept text is cut alike, and what files become.
#include "text/reduced_tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "tests/text/golden.h"
#include "tests/text/tiny_tokenizers.h"
#include "text/sentencepiece_file.h"
#include "text/tokenizer_json.h"

namespace ink {
namespace {

Tokenizer wordpiece() {
  return Tokenizer(Vocabulary({"[PAD]", "unused", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ink", "in",
                               "##k", "##stone", "砚", "台", "##台", "s", "##s"}));
}

Tokenizer from_json(const Json& file) {
  return Tokenizer(parse_tokenizer_json(file.to_string(), "tokenizer.json"));
}

Json small_unigram() {
  Json file = testing::tiny_unigram();
  Json special = Json::make_array();  // as the older files have no others
  for (size_t i = 0; i < 5; ++i) special.append(file.array("added_tokens")[i]);
  return file.set("added_tokens", std::move(special));
}

// The indispensable ones, those of `texts` and what they are merged from.
KeptTokens kept_for(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  TokenSet set = indispensable_tokens(tokenizer.parts());
  for (const std::string& text : texts)
    for (const int32_t id : tokenizer.encode(text).ids) set[static_cast<size_t>(id)] = 1;
  MergeTree(tokenizer.parts()).complete(set);
  return KeptTokens(set);
}

std::vector<std::string> names(const Tokenizer& tokenizer, const KeptTokens& kept) {
  std::vector<std::string> out;
  for (const int32_t id : kept.ids()) out.emplace_back(tokenizer.vocabulary().token(id));
  return out;
}

// The same tokens at the same places, under their new ids.
void expect_cut_alike(const Tokenizer& before, const Tokenizer& after, const KeptTokens& kept,
                      const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    Encoding expected = before.encode(text, text);
    for (int32_t& id : expected.ids) id = kept.new_id(id).value_or(-1);
    EXPECT_EQ(after.encode(text, text), expected) << text;
  }
}

TEST(TokenRoles, WordPieceNeedsItsSpecialTokensAlone) {
  const Tokenizer tokenizer = wordpiece();
  EXPECT_EQ(names(tokenizer, kept_for(tokenizer, {})),
            (std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}));
}

TEST(TokenRoles, ByteBpeNeedsBytesAndWhatTokensAreMergedFrom) {
  const Tokenizer tokenizer = from_json(testing::tiny_bpe());
  EXPECT_EQ(kept_for(tokenizer, {}).size(), 256 + 5);
  const KeptTokens kept = kept_for(tokenizer, {" the"});
  const auto has = [&](const char* token) { return kept.has(*tokenizer.vocabulary().find(token)); };
  for (const char* token : {"th", "Ġth", "Ġthe", "<mask>"}) EXPECT_TRUE(has(token)) << token;
  for (const char* token : {"in", "ink", "Ġink"}) EXPECT_FALSE(has(token)) << token;
  const Tokenizer after(reduced(tokenizer.parts(), kept));
  EXPECT_EQ(std::get<ByteBpe>(after.parts().model).merges().size(), 3U);
  expect_cut_alike(tokenizer, after, kept, {" the the<mask>", "xé砚 the"});
  // What went is cut into what is left of it, down to bytes.
  EXPECT_EQ(after.decode(after.encode(" ink").ids), " ink");
  EXPECT_EQ(after.pieces(" ink").size(), 4);
}

TEST(TokenRoles, UnigramKeepsItsWorstPiece) {
  const Tokenizer tokenizer = from_json(testing::tiny_unigram());
  EXPECT_EQ(names(tokenizer, kept_for(tokenizer, {})),
            (std::vector<std::string>{"<unk>", "<cls>", "<sep>", "<pad>", "<mask>", "s", "磨墨"}));
  Json with_byte = testing::tiny_unigram();
  Json model = with_byte.object("model");
  Json pieces = model.array("vocab");
  pieces.append(Json::make_array({"<0x0A>", -1.0}));
  with_byte.set("model", model.set("vocab", pieces));
  const Tokenizer other = from_json(with_byte);
  EXPECT_TRUE(kept_for(other, {}).has(*other.vocabulary().find("<0x0A>")));
}

// ▁a b c d costs 17. ▁ <unk> bcd costs 18.6, and 15.6 if "s", the worst piece, were not there.
TEST(TokenRoles, TheCostOfUnknownCharactersStays) {
  const Json file = parse_json(R"({"added_tokens": [{"id": 0, "content": "<unk>", "special": true},
      {"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true}],
    "pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "always"},
    "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]},
    "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["<s>", 0], ["</s>", 0],
      ["▁a", -5.0], ["b", -4.0], ["c", -4.0], ["d", -4.0], ["▁", -0.1], ["bcd", -0.5], ["s", -8.0],
      ["t", -6.0]]}})",
                               "t.json");
  const Tokenizer tokenizer = from_json(file);
  const std::vector<std::string> texts = {"abcd", "bcd"};
  const KeptTokens kept = kept_for(tokenizer, texts);
  EXPECT_LT(kept.size(), kept.before());
  expect_cut_alike(tokenizer, Tokenizer(reduced(tokenizer.parts(), kept)), kept, texts);
}

TEST(TokenRoles, Kinds) {
  const Tokenizer tokenizer = wordpiece();
  const std::vector<TokenKind> kinds = token_kinds(tokenizer.parts());
  EXPECT_EQ(kinds[0], TokenKind::special);
  EXPECT_EQ(kinds[1], TokenKind::word);
  EXPECT_EQ(kinds[8], TokenKind::character);  // ##k
  EXPECT_EQ(kinds[9], TokenKind::continuation);
  EXPECT_EQ(kinds[10], TokenKind::character);
  const Tokenizer bpe = from_json(testing::tiny_bpe());
  EXPECT_EQ(std::ranges::count(token_kinds(bpe.parts()), TokenKind::byte), 256);
}

TEST(ReducedTokenizer, WordPieceCutsKeptTextAlike) {
  const Tokenizer tokenizer = wordpiece();
  const std::vector<std::string> texts = {"ink 砚台 [MASK]", "Inkstone!", "inks"};
  const KeptTokens kept = kept_for(tokenizer, texts);
  EXPECT_EQ(kept.size(), 5 + 5);  // ink, ##stone, 砚, 台, ##s
  EXPECT_EQ(kept.new_id(6), 5);
  EXPECT_EQ(kept.new_id(7), std::nullopt);
  EXPECT_EQ(kept.new_id(-1), std::nullopt);
  EXPECT_EQ(kept.new_id(15), std::nullopt);
  expect_cut_alike(tokenizer, Tokenizer(reduced(tokenizer.parts(), kept)), kept, texts);
}

TEST(ReducedTokenizer, UnigramKeepsScores) {
  const Tokenizer tokenizer = from_json(testing::tiny_unigram());
  const std::vector<std::string> texts = {"砚台 ink 磨墨", "inks x"};
  const KeptTokens kept = kept_for(tokenizer, texts);
  const Tokenizer after(reduced(tokenizer.parts(), kept));
  const auto& before_scores = std::get<Unigram>(tokenizer.parts().model).scores();
  const auto& scores = std::get<Unigram>(after.parts().model).scores();
  for (size_t i = 0; i < scores.size(); ++i)
    EXPECT_EQ(scores[i], before_scores[static_cast<size_t>(kept.ids()[i])]);
  expect_cut_alike(tokenizer, after, kept, texts);
}

TEST(ReducedTokenizer, RefusesToGoWithoutWhatItNeeds) {
  const Tokenizer tokenizer = wordpiece();
  TokenSet set = indispensable_tokens(tokenizer.parts());
  set[5] = 0;
  EXPECT_ERROR(reduced(tokenizer.parts(), KeptTokens(set)), "cannot do without '[MASK]' (id 5)");
  EXPECT_ERROR(reduced(tokenizer.parts(), KeptTokens(TokenSet(3, 1))), "among 15 tokens");
}

// ── files ───────────────────────────────────────────────────────────────────────────────────────

// From all files together, and from the older ones alone.
void expect_files_cut_alike(const std::filesystem::path& folder,
                            const std::vector<std::string>& texts) {
  const testing::TemporaryFolder to;
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const KeptTokens kept = kept_for(tokenizer, texts);
  ASSERT_LT(kept.size(), kept.before());
  write_reduced_files(folder, to / "a", tokenizer.parts(), kept);
  expect_cut_alike(tokenizer, Tokenizer::load(to / "a"), kept, texts);
  if (!std::filesystem::remove(to / "a" / "tokenizer.json")) return;
  expect_cut_alike(tokenizer, Tokenizer::load(to / "a"), kept, texts);
}

TEST(ReducedFiles, OfEveryModel) {
  const testing::TemporaryFolder folder;
  wordpiece().save(folder / "wordpiece");
  expect_files_cut_alike(folder / "wordpiece", {"ink 砚台", "inks"});
  from_json(testing::tiny_bpe()).save(folder / "bpe");
  expect_files_cut_alike(folder / "bpe", {"the ink", "xé"});
  from_json(small_unigram()).save(folder / "unigram");
  expect_files_cut_alike(folder / "unigram", {"砚台 ink", "inks x"});
}

// What was added to a vocabulary is no piece of its words, before and after.
TEST(ReducedFiles, AddedTokensStayOutsideTheVocabulary) {
  const testing::TemporaryFolder folder;
  wordpiece().vocabulary().save(folder / "vocab.txt");
  write_file(folder / "added_tokens.json", R"({"sto": 15})");
  write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  expect_files_cut_alike(folder.path(), {"ink sto stos", "inks"});
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  const KeptTokens kept = kept_for(tokenizer, {"ink"});
  const TokenizerParts after = reduced(tokenizer.parts(), kept);
  EXPECT_EQ(after.vocabulary.size(), 5 + 1 + 1);
  EXPECT_EQ(std::get<WordPiece>(after.model).own(), 5 + 1);
  write_reduced_files(folder.path(), folder / "to", tokenizer.parts(), kept);
  EXPECT_EQ(read_file(folder / "to" / "vocab.txt", 1 << 20),
            "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nink\n");
}

TEST(ReducedFiles, OfEveryModelAgain) {
  const testing::TemporaryFolder folder;
  from_json(testing::tiny_bpe()).save(folder / "bpe");
  const Tokenizer tokenizer = Tokenizer::load(folder / "bpe");
  write_reduced_files(folder / "bpe", folder / "once", tokenizer.parts(),
                      kept_for(tokenizer, {" the ink"}));
  expect_files_cut_alike(folder / "once", {" the", "the"});
}

TEST(ReducedFiles, KeepWhatElseTheySay) {
  const testing::TemporaryFolder folder;
  const Tokenizer tokenizer = wordpiece();
  tokenizer.save(folder / "from");
  Json file = parse_json(read_file(folder / "from" / "tokenizer.json", 1 << 20), "t.json");
  file.set("truncation", Json::make_object({{"max_length", 128}}));
  file.set("padding", Json::make_object({{"pad_id", 0}, {"pad_token", "[MASK]"}}));
  write_file(folder / "from" / "tokenizer.json", file.to_string());
  write_file(folder / "from" / "added_tokens.json", R"({"[MASK]": 5})");
  write_file(folder / "from" / "special_tokens_map.json", R"({"mask_token": "[MASK]"})");
  write_file(folder / "from" / "tokenizer_config.json",
             R"({"tokenizer_class": "BertTokenizer", "model_max_length": 512,
                 "added_tokens_decoder": {"5": {"content": "[MASK]", "special": true}}})");
  const Tokenizer read = Tokenizer::load(folder / "from");
  write_reduced_files(folder / "from", folder / "to", read.parts(), kept_for(read, {"砚台"}));
  const auto written = [&](const char* name) {
    return parse_json(read_file(folder / "to" / name, 1 << 20), name);
  };
  // "unused" has gone: everything behind it is one lower
  EXPECT_EQ(written("tokenizer.json").object("truncation").integer("max_length"), 128);
  EXPECT_EQ(written("tokenizer.json").object("padding").integer("pad_id"), 4);
  EXPECT_EQ(written("added_tokens.json").integer("[MASK]"), 4);
  EXPECT_EQ(written("special_tokens_map.json").string("mask_token"), "[MASK]");
  const Json config = written("tokenizer_config.json");
  EXPECT_EQ(config.integer("model_max_length"), 512);
  EXPECT_EQ(config.object("added_tokens_decoder").members().at(0).key, "4");
}

SentencePieceFile piece_file() {
  using Type = SentencePieceFile::Type;
  SentencePieceFile file = testing::tiny_sentencepiece();
  file.pieces.insert(std::prev(file.pieces.end()),
                     {{"台", -9, Type::normal}, {"<extra>", -3, Type::user_defined}});
  return file;
}

// Ids of XLM-R are shifted by fairseq's four; the pieces of its file are not.
TEST(ReducedFiles, XlmRobertaKeepsItsShift) {
  const testing::TemporaryFolder folder;
  write_file(folder / "sentencepiece.bpe.model", write_sentencepiece(piece_file()));
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  const std::vector<std::string> texts = {"ink", "ink x"};
  const KeptTokens kept = kept_for(tokenizer, texts);
  write_reduced_files(folder.path(), folder / "to", tokenizer.parts(), kept);
  const SentencePieceFile file =
      parse_sentencepiece(read_file(folder / "to" / "sentencepiece.bpe.model", 1 << 20), "m");
  SentencePieceFile expected = piece_file();  // 台 is the worst piece, <extra> user-defined
  expected.pieces.erase(expected.pieces.begin() + 4);
  EXPECT_EQ(file, expected);
  const Tokenizer after = Tokenizer::load(folder / "to");
  EXPECT_EQ(after.vocabulary().pad(), 1);
  EXPECT_EQ(after.vocabulary().mask(), after.vocabulary().size() - 1);
  expect_cut_alike(tokenizer, after, kept, texts);
}

TEST(SentencePiece, WithPiecesKeepsAllElse) {
  // trainer: vocab_size 8, unk_id 0, pad_id −1; normalizer: a charsmap and a flag; an unknown field
  std::string bytes = write_sentencepiece(piece_file());
  const std::string trainer = std::string("\x20\x08\xC0\x02\x00\xC8\x02\x01\xD8\x02", 10) +
                              "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01";
  bytes += std::string("\x12") + static_cast<char>(trainer.size()) + trainer;
  const std::string rest("\x1A\x02\x18\x00\x78\x07", 6);
  bytes += rest;
  const auto not_control = [](const SentencePieceFile::Piece& piece) {
    return piece.text != "<unk>" && piece.text != "砚";
  };
  const std::string cut = with_pieces(bytes, "m", not_control);
  EXPECT_EQ(parse_sentencepiece(cut, "m").pieces.size(), 6U);
  EXPECT_EQ(parse_sentencepiece(cut, "m").pieces[3].score, -9);
  EXPECT_TRUE(cut.ends_with(rest));
  EXPECT_NE(cut.find(std::string("\x20\x06", 2)), std::string::npos) << "vocab_size";
  EXPECT_NE(cut.find(std::string("\xC8\x02\x00", 3)), std::string::npos) << "bos_id is 0 now";
  EXPECT_EQ(with_pieces(bytes, "m", [](const auto&) { return true; }), bytes);
  EXPECT_ERROR(with_pieces(bytes.substr(0, 5), "m", not_control), "m: expected");
}

// The vocabularies in use, with the text that they are cut for.
TEST(ReducedFiles, OfPublishedVocabularies) {
  const auto data = golden::data_folder();
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no data (INK_DATA)";
  struct Case {
    const char *kind, *name;
    std::vector<std::pair<const char*, const char*>> files;
  };
  const std::vector<Case> cases = {
      {"BertTokenizer", "BERT", {{"bert-chinese.txt", "vocab.txt"}}},
      {"RobertaTokenizer",
       "RoBERTa",
       {{"gpt2-encoder.json", "vocab.json"}, {"gpt2-merges.txt", "merges.txt"}}},
      {"XLNetTokenizer", "XLNet", {{"sentencepiece-zh.model", "spiece.model"}}}};
  const std::vector<std::string> texts = golden::texts_of(data / "sst2/dev.tsv");
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const testing::TemporaryFolder folder;
    for (const auto& [from, to] : one.files)
      std::filesystem::copy_file(data / "vocab" / from, folder / to);
    write_file(folder / "tokenizer_config.json",
               Json::make_object({{"tokenizer_class", one.kind}}).to_string());
    expect_files_cut_alike(folder.path(), {texts.begin(), texts.begin() + 200});
  }
}

}  // namespace
}  // namespace ink
