// Word order: the worked example of the paper, what the generator promises, and that it is learned.
#include "tasks/word_order.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "nn/session.h"
#include "tasks/finetune.h"
#include "tensor/file.h"
#include "tensor/parallel.h"
#include "tests/scratch_folder.h"
#include "tests/tasks/helpers.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace ink {
namespace {

std::vector<int32_t> tags_from(const std::string& names) {
  std::vector<int32_t> tags;
  for (const char c : names) tags.push_back(order_labels().id_of(std::string(1, c), "x"));
  return tags;
}

std::string tags_of(const TaggedSentence& s) {
  std::string names;
  for (const int32_t tag : s.tags) names += order_labels().name(tag);
  return names;
}

std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> all;
  for (const char32_t c : decode_utf8(text)) all.push_back(encode_utf8(std::u32string(1, c)));
  return all;
}

std::string text_of(const std::vector<std::string>& units) {
  std::string text;
  for (const std::string& unit : units) text += unit;
  return text;
}

using Errors = std::vector<OrderError>;

TEST(WordOrder, CorrectsTheExampleOfThePaper) {
  const Errors errors = order_errors(tags_from("OOOBIEOO"));
  EXPECT_EQ(errors, (Errors{{3, 5, 6}}));
  EXPECT_EQ(text_of(corrected(characters("我每天一个吃苹果"), errors)), "我每天吃一个苹果");
}

TEST(WordOrder, MakesTheExampleOfThePaper) {
  const std::vector<std::u32string> words = {U"我", U"每天", U"吃", U"一个", U"苹果"};
  bool made = false;
  for (uint64_t i = 0; i < 200 && !made; ++i) {
    Draws draws(Random(1).split(i));
    const TaggedSentence s = disordered(words, {.corrupt = 1}, draws);
    made = text_of(s.units) == "我每天一个吃苹果" && tags_of(s) == "OOOBIEOO";
  }
  EXPECT_TRUE(made);
}

TEST(WordOrder, SpansAreBIE) {
  EXPECT_EQ(order_errors(tags_from("BEBIIEE")), (Errors{{0, 1, 2}, {2, 5, 7}}));
  EXPECT_EQ(order_errors(tags_from("BIOE")), Errors{}) << "no E behind it";
  EXPECT_EQ(order_errors(tags_from("IEEBB")), Errors{}) << "no B before it";
  EXPECT_EQ(order_errors(tags_from("BBE")), (Errors{{1, 2, 3}}));
  EXPECT_EQ(text_of(corrected(characters("bacde"), order_errors(tags_from("BEBIE")))), "abecd");
  EXPECT_ERROR(corrected({"a"}, Errors{{0, 1, 2}}), "expected an error within 1 units");
}

const std::vector<std::u32string> kWords = {U"我们", U"在", U"北京", U"，", U"学习",
                                            U"中文", U"和", U"数学", U"。"};

TEST(WordOrder, OneOfTheRunsIsASingleWord) {
  const auto run = [&](size_t begin, size_t count) {
    std::string text;
    for (size_t w = begin; w < begin + count; ++w) text += encode_utf8(kWords[w]);
    return text;
  };
  std::set<std::string> single, all;  // words, and runs of one to three of them
  for (size_t w = 0; w < kWords.size(); ++w) {
    single.insert(run(w, 1));
    for (size_t count = 1; count <= 3 && w + count <= kWords.size(); ++count)
      all.insert(run(w, count));
  }
  std::set<std::string> seen;
  const std::string clean = run(0, kWords.size());
  for (uint64_t i = 0; i < 500; ++i) {
    Draws draws(Random(1).split(i));
    const TaggedSentence s = disordered(kWords, {.corrupt = 1}, draws);
    const Errors errors = order_errors(s.tags);
    ASSERT_EQ(errors.size(), 1u);
    const OrderError e = errors[0];
    const auto part = [&](int32_t begin, int32_t end) {
      return text_of({s.units.begin() + begin, s.units.begin() + end});
    };
    const std::string y = part(e.begin, e.split), x = part(e.split, e.end);
    EXPECT_TRUE(all.contains(x) && all.contains(y)) << x << ' ' << y;
    EXPECT_TRUE(single.contains(x) || single.contains(y)) << x << ' ' << y;
    EXPECT_EQ((x + y).find("，"), std::string::npos);
    EXPECT_NE(text_of(s.units), clean);
    EXPECT_EQ(text_of(corrected(s.units, errors)), clean);
    seen.insert(x + '|' + y);
  }
  // 我们 在 北京: 2 pairs of words, 1 of a word and two, 1 of two and a word; 学习 中文 和 数学: 3 pairs,
  // 2 + 2 with two words, 1 + 1 with three.
  EXPECT_EQ(seen.size(), 13u);
}

TEST(WordOrder, SwapsThatChangeNothingAreNone) {
  Draws draws{Random(1)};
  const std::vector<std::u32string> same = {U"哈", U"哈哈", U"，", U"哈"};
  EXPECT_EQ(tags_of(disordered(same, {.corrupt = 1}, draws)), "OOOOO");
  const std::vector<std::u32string> blanks = {U"a", U" ", U"b"};
  EXPECT_EQ(text_of(disordered(blanks, {.corrupt = 1}, draws).units), "ab");
  EXPECT_ERROR(disordered(same, {.longest = 0}, draws), "expected longest and most");
}

TEST(WordOrder, CorruptsTheShareItIsToldTo) {
  int64_t with_error = 0, several = 0;
  constexpr int64_t kCount = 4000;
  for (uint64_t i = 0; i < kCount; ++i) {
    Draws draws(Random(3).split(i));
    const TaggedSentence s = disordered(kWords, {.most = 2}, draws);
    const Errors errors = order_errors(s.tags);
    with_error += !errors.empty();
    several += errors.size() == 2;
    ASSERT_LE(errors.size(), 2u);
    EXPECT_EQ(text_of(corrected(s.units, errors)), "我们在北京，学习中文和数学。");
  }
  EXPECT_NEAR(static_cast<double>(with_error) / kCount, 0.5, 4 * 0.5 / std::sqrt(kCount));
  EXPECT_GT(several, kCount / 10);
}

// Sentences of a grammar: subject, verb, object, two or three times; a word is one character.
class ToyGrammar : public testing::Test {
 protected:
  static constexpr int kWordsOfAKind = 5;
  const std::filesystem::path folder = scratch_folder("ink_word_order");

  static std::string word(int kind, uint64_t i) {
    return encode_utf8(std::u32string(
        1, static_cast<char32_t>(0x4E00 + kind * kWordsOfAKind + static_cast<int>(i))));
  }
  void SetUp() override {
    std::filesystem::remove_all(folder);
    create_folders(folder);
    Draws draws{Random(1)};
    std::string text, words;
    for (int d = 0; d < 400; ++d) {
      for (int s = 0; s < 4; ++s) {
        for (uint64_t times = 2 + draws.below(2); times > 0; --times)
          for (int kind = 0; kind < 3; ++kind) text += word(kind, draws.below(kWordsOfAKind));
        text += "。";
      }
      text += "\n\n";
    }
    std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "。"};
    for (int kind = 0; kind < 3; ++kind) {
      for (uint64_t i = 0; i < kWordsOfAKind; ++i) {
        words += word(kind, i) + " 10\n";
        tokens.push_back(word(kind, i));
      }
    }
    write_file(folder / "text.txt", text);
    write_file(folder / "words.txt", words);
    ModelConfig c;
    c.vocab_size = static_cast<int64_t>(tokens.size());
    c.hidden_size = 32;
    c.max_position_embeddings = 32;
    c.initializer_range = 0.1;
    c.set_layers(2, 4, 64);
    save_model(Model(c, {}, random_values(Random(5))), folder / "model");
    Tokenizer(Vocabulary(tokens)).save(folder / "model");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  WordOrderOptions data(const std::string& out, uint64_t seed = 1) const {
    return {.corpus = {folder / "text.txt"}, .out = folder / out, .seed = seed};
  }
  WordOrderResult make(const WordOrderOptions& options) const {
    return make_word_order(options, Segmenter::load({.dictionary = folder / "words.txt"}));
  }
  std::string file(const std::string& name) const { return read_file(folder / name, 1 << 24); }
  std::set<std::string> sentences(const std::string& name) const {
    std::set<std::string> all;
    for (const TaggedSentence& s : read_tagged(folder / name, &order_labels()).items)
      EXPECT_TRUE(all.insert(text_of(corrected(s.units, order_errors(s.tags)))).second)
          << "the same sentence twice";
    return all;
  }
};

TEST_F(ToyGrammar, FilesAreAFunctionOfTheSeed) {
  const int before = threads();
  set_threads(1);
  const WordOrderResult one = make(data("a"));
  set_threads(3);
  make(data("b"));
  make(data("c", 2));
  set_threads(before);
  for (const char* name : {"train.txt", "dev.txt", "test.txt"}) {
    EXPECT_EQ(file(std::string("a/") + name), file(std::string("b/") + name));
    EXPECT_NE(file(std::string("a/") + name), file(std::string("c/") + name));
  }
  EXPECT_EQ(one.documents, 400);
  EXPECT_NEAR(static_cast<double>(one.train.sentences + one.dev.sentences + one.test.sentences),
              1600, 50)
      << "all but those that were there before";
}

TEST_F(ToyGrammar, DocumentsAndSentencesAreInOneFileOnly) {
  write_file(folder / "text.txt", file("text.txt") + file("text.txt"));
  const WordOrderResult r = make(data("out"));
  std::set<std::string> all;
  for (const char* name : {"out/train.txt", "out/dev.txt", "out/test.txt"})
    for (const std::string& s : sentences(name)) EXPECT_TRUE(all.insert(s).second) << s;
  EXPECT_EQ(r.documents, 800);
  EXPECT_NEAR(static_cast<double>(r.dev.sentences) / 1600, 0.1, 0.07);
  EXPECT_NEAR(static_cast<double>(r.train.with_error) / static_cast<double>(r.train.sentences), 0.5,
              0.07);
}

// A document that is longer than what is read at once comes in pieces.
TEST_F(ToyGrammar, PiecesOfADocumentAreInOneFile) {
  std::map<std::string, std::set<int>> documents;  // sentence → the documents it is in
  std::istringstream text(file("text.txt"));
  std::string lines;
  int document = 0;
  for (std::string line; std::getline(text, line); ++document) {
    const std::string stop = "。";
    for (size_t at = 0, end = 0; (end = line.find(stop, at)) != std::string::npos; at = end) {
      end += stop.size();
      documents[line.substr(at, end - at)].insert(document);
      lines += line.substr(at, end - at) + '\n';
    }
    lines += '\n';
  }
  write_file(folder / "text.txt", lines);
  WordOrderOptions options = data("out");
  options.block_bytes = 16;
  make(options);
  std::map<int, std::set<std::string>> files;  // of a document
  for (const char* name : {"out/train.txt", "out/dev.txt", "out/test.txt"})
    for (const std::string& s : sentences(name))
      if (documents.at(s).size() == 1) files[*documents.at(s).begin()].insert(name);
  EXPECT_GT(files.size(), 300u);
  for (const auto& [number, of] : files) EXPECT_EQ(of.size(), 1u) << number;
}

TEST_F(ToyGrammar, TakesSoManySentencesOfSuchLengths) {
  WordOrderOptions options = data("out");
  options.train_sentences = 50;
  options.dev_sentences = options.test_sentences = 7;
  options.longest = 7;
  const WordOrderResult r = make(options);
  EXPECT_EQ(r.train.sentences, 50);
  EXPECT_EQ(r.dev.sentences, 7);
  EXPECT_EQ(sentences("out/train.txt").size(), 50u);
  for (const TaggedSentence& s : read_tagged(folder / "out/train.txt").items)
    EXPECT_EQ(s.units.size(), 7u);
  options.shortest = options.longest = 30;
  EXPECT_ERROR(make(options), "expected sentences of 30 to 30 characters");
  options.shortest = 31;
  EXPECT_ERROR(make(options), "got 31 to 30");
  options.dev_share = 1;
  EXPECT_ERROR(make(options), "shares of dev and test");
}

TEST_F(ToyGrammar, IsLearned) {
  WordOrderOptions options = data("data");
  options.disorder.longest = 1;  // of longer runs in so small a grammar several explain a sentence
  make(options);
  FinetuneOptions o;
  o.task = &word_order_task();
  o.model = folder / "model";
  o.out = folder / "out";
  o.data.train = folder / "data/train.txt";
  o.data.dev = folder / "data/dev.txt";
  o.max_length = 32;
  o.fit.epochs = 20;
  o.fit.batch_size = 16;
  o.fit.learning_rate = 3e-3;
  const FinetuneResult result = finetune(o);
  EXPECT_GT(result.dev.metric("f1"), 0.8) << "of one span in dozens; by chance a few hundredths";
  EXPECT_GT(result.dev.metric("sentence_accuracy"), 0.8) << "half of them are right already";

  const Session session(folder / "out");
  const Tokenizer tokenizer = Tokenizer::load(folder / "out");
  const TokenOptions tokens{tokenizer, 32};
  const TaskSet test = word_order_task().read(folder / "data/test.txt", {}, order_labels(), tokens);
  EXPECT_GT(test.judge(session.model()).scores.score, 0.8);
  const std::string wrong =
      word(0, 1) + word(2, 1) + word(1, 1) + word(0, 2) + word(1, 2) + word(2, 2) + "。";
  const Json said = word_order_task().predict(session.model(), {"", wrong}, 1, tokens)[1];
  EXPECT_EQ(said.string("tags"), "OBEOOOO");
  EXPECT_EQ(said.string("corrected"),
            word(0, 1) + word(1, 1) + word(2, 1) + word(0, 2) + word(1, 2) + word(2, 2) + "。");
  EXPECT_ERROR(word_order_task().labels_of(ModelConfig::read(folder / "model" / "config.json")),
               "does not correct word order");
}

}  // namespace
}  // namespace ink
