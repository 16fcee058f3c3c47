// Tagged text: what files say, what becomes of units as tokens, entities and their counts.
#include "tasks/tagged.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "nn/session.h"
#include "tasks/entities.h"
#include "tasks/finetune.h"
#include "tensor/file.h"
#include "tests/scratch_folder.h"
#include "tests/tasks/helpers.h"
#include "tests/tasks/toy_tagging.h"

namespace ink {
namespace {

std::vector<std::string> names(const TaggedText& text, size_t sentence) {
  std::vector<std::string> all;
  for (const int32_t tag : text.items[sentence].tags) all.push_back(text.labels.name(tag));
  return all;
}

using Names = std::vector<std::string>;

TEST(Tagged, ReadsUnitsAndTags) {
  const TaggedText t = parse_tagged("中 B-ORG\n共\tI-ORG\r\n\n \n致 O\n", "x.txt");
  ASSERT_EQ(t.size(), 2u);
  EXPECT_EQ(t.items[0].units, (Names{"中", "共"}));
  EXPECT_EQ(names(t, 0), (Names{"B-ORG", "I-ORG"}));
  EXPECT_EQ(t.items[1].units, Names{"致"});
  EXPECT_EQ(t.items[1].line, 5);
  EXPECT_EQ(t.labels.names(), (Names{"B-ORG", "I-ORG", "O"}));
}

TEST(Tagged, ReadsCoNLL2003) {
  const TaggedText t = parse_tagged(
      "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n-DOCSTART- -X- O O\n\n"
      "Rome NNP I-NP I-LOC\nParis NNP I-NP B-LOC\nBonn NNP I-NP I-ORG\nUN NNP I-NP I-ORG\n",
      "eng.train");
  ASSERT_EQ(t.size(), 2u) << "-DOCSTART- is no sentence";
  EXPECT_EQ(names(t, 0), (Names{"B-ORG", "O"})) << "IOB1 begins entities with I";
  EXPECT_EQ(names(t, 1), (Names{"B-LOC", "B-LOC", "B-ORG", "I-ORG"}));
  EXPECT_NE(t.items[0].group, t.items[1].group);
}

TEST(Tagged, NamesTheLineOfWhatItCannotRead) {
  EXPECT_ERROR(parse_tagged("中 O\n共\n", "x.txt"), "x.txt:2: expected a unit and its tag");
  EXPECT_ERROR(parse_tagged(" \n\n", "x.txt"), "x.txt: expected tagged sentences");
  EXPECT_ERROR(parse_tagged("中 O\n\xFF O\n", "x.txt"), "x.txt:2: expected UTF-8");
  const Labels labels({"O", "B-LOC"});
  EXPECT_ERROR(parse_tagged("中 O\n共 B-LOX\n", "x.txt", &labels, "mend it"),
               "x.txt:2: unknown label 'B-LOX'; known labels: O, B-LOC; mend it");
  EXPECT_ERROR(read_tagged("/nonexistent/x.txt"), "/nonexistent/x.txt");
}

TEST(Tagged, UnitsAloneNeedNoTags) {
  const std::filesystem::path folder = scratch_folder("ink_untagged");
  create_folders(folder);
  write_file(folder / "x.txt", "中\n共 B-LOX\n\n致 x y\n");
  const Labels labels({"O", "B-LOC"});
  const TaggedText text = read_untagged(folder / "x.txt", labels);
  ASSERT_EQ(text.size(), 2u);
  EXPECT_EQ(text.items[0].units, (Names{"中", "共"}));
  EXPECT_TRUE(text.items[0].tags.empty());
  EXPECT_EQ(text.items[1].line, 4);
  EXPECT_EQ(text.labels, labels);
  std::filesystem::remove_all(folder);
}

TEST(Tagged, WritesWhatItReads) {
  const std::string text = "中 B-X\n共 I-X\n\n致 O\n\n";
  const TaggedText t = parse_tagged(text, "x");
  EXPECT_EQ(as_lines(t.items[0], t.labels) + as_lines(t.items[1], t.labels), text);
}

TEST(Tagged, DocumentsStayWholeWhenAFileIsSplit) {
  const auto folder = scratch_folder("ink_tagged");
  create_folders(folder);
  std::string text;
  for (int d = 0; d < 10; ++d)
    text += "-DOCSTART- O\n\nd" + std::to_string(d) + " O\n\nd" + std::to_string(d) + " O\n\n";
  write_file(folder / "x.txt", text);
  const auto [train, dev] = read_both_tagged({.train = folder / "x.txt", .dev = {}}, nullptr, 1);
  EXPECT_EQ(train.size(), 18u);
  ASSERT_EQ(dev.size(), 2u);
  EXPECT_EQ(dev.items[0].units, dev.items[1].units) << "both sentences of one document";
  std::filesystem::remove_all(folder);
}

class TaggedTokens : public testing::Test {
 protected:
  const Tokenizer tokenizer{
      Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "中", "ink", "##stone", "a"})};
  // Token strings and tags; "-" where a token has none.
  static std::pair<Names, Names> shown(const Features& f, int64_t i, const Tokenizer& tokenizer,
                                       const Labels& labels) {
    Names tokens, tags;
    for (const int32_t id : f[i].encoding.ids)
      tokens.emplace_back(tokenizer.vocabulary().token(id));
    for (const int32_t tag : f[i].targets) tags.push_back(tag == kIgnore ? "-" : labels.name(tag));
    return {tokens, tags};
  }
};

TEST_F(TaggedTokens, TheFirstTokenOfAUnitHasItsTag) {
  const TaggedText text = parse_tagged("inkstone B-X\n中 I-X\n囧 O\n\xE2\x80\x8B O\nA O\n", "x");
  const Features f = tagged_features(text, {tokenizer, 16});
  const auto [tokens, tags] = shown(f, 0, tokenizer, text.labels);
  EXPECT_EQ(tokens, (Names{"[CLS]", "ink", "##stone", "中", "[UNK]", "[UNK]", "a", "[SEP]"}))
      << "a unit that the normalizer deletes is unknown too";
  EXPECT_EQ(tags, (Names{"-", "B-X", "-", "I-X", "O", "O", "O", "-"}));
  EXPECT_FALSE(f[0].truncated);
  const FeatureBatch batch = f.batch(std::vector<int64_t>{0, 0});
  EXPECT_EQ(batch.labels.size(), 16) << "one for each token of both";
}

TEST_F(TaggedTokens, UnitsBeyondTheLengthAreLost) {
  const TaggedText text = parse_tagged("中 B-X\ninkstone I-X\n中 O\n", "x");
  const Features f = tagged_features(text, {tokenizer, 4});
  const auto [tokens, tags] = shown(f, 0, tokenizer, text.labels);
  EXPECT_EQ(tokens, (Names{"[CLS]", "中", "ink", "[SEP]"}));
  EXPECT_EQ(tags, (Names{"-", "B-X", "I-X", "-"}));
  EXPECT_TRUE(f[0].truncated);
  EXPECT_EQ(f.truncated(), 1);
}

class Entities : public testing::Test {
 protected:
  const Labels labels{{"O", "B-LOC", "I-LOC", "B-PER", "I-PER"}};
  const BioTags bio{labels, "x"};
  std::vector<Entity> found(const Names& tags) const {
    std::vector<int32_t> ids;
    for (const std::string& tag : tags) ids.push_back(labels.id_of(tag, "x"));
    return bio.entities(ids);
  }
};

TEST_F(Entities, BeginWithBAndTakeWhatFollows) {
  const int32_t loc = 0, per = 1;
  EXPECT_EQ(bio.types(), (Names{"LOC", "PER"}));
  EXPECT_EQ(found({"B-LOC", "I-LOC", "O", "B-PER"}),
            (std::vector<Entity>{{0, 2, loc}, {3, 4, per}}));
  EXPECT_EQ(found({"B-LOC", "B-LOC", "I-LOC"}), (std::vector<Entity>{{0, 1, loc}, {1, 3, loc}}));
  EXPECT_EQ(found({"I-LOC", "I-LOC", "O"}), std::vector<Entity>{}) << "strict: nothing began";
  EXPECT_EQ(found({"B-LOC", "I-PER", "I-LOC"}), (std::vector<Entity>{{0, 1, loc}}));
  EXPECT_EQ(found({"B-LOC", "O", "I-LOC"}), (std::vector<Entity>{{0, 1, loc}}));
}

TEST_F(Entities, CountWhereBordersAndTypeAgree) {
  EntityCounts counts(2);
  counts.add(found({"B-LOC", "I-LOC", "O", "B-PER"}), found({"B-LOC", "I-LOC", "O", "B-LOC"}));
  counts.add(found({"B-LOC", "I-LOC", "O"}), found({"B-LOC", "O", "O"}));
  EXPECT_EQ(counts.of(0).support, 2);
  EXPECT_EQ(counts.of(0).predicted, 3);
  EXPECT_EQ(counts.of(0).correct, 1);
  EXPECT_EQ(counts.of(1).support, 1);
  EXPECT_DOUBLE_EQ(counts.all().precision(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(counts.all().recall(), 1.0 / 3);
}

TEST_F(Entities, RefuseOtherTags) {
  EXPECT_ERROR(BioTags(Labels({"O", "NN"}), "x.txt"),
               "x.txt: expected tags O, B-TYPE and I-TYPE, got 'NN'");
  EXPECT_ERROR(BioTags(Labels({"B-X"}), "x.txt"), "x.txt: expected a tag O");
}

TEST(Tagging, LearnsEntitiesAndGoesOn) {
  const ToyTagging task("tagging");
  const FinetuneResult result = finetune(task.options("out"));
  EXPECT_GT(result.dev.metric("f1"), 0.95);
  EXPECT_EQ(result.dev.score, result.dev.metric("f1"));
  ASSERT_EQ(result.dev.classes.size(), 2u);
  EXPECT_EQ(result.dev.classes[0].first, "LOC");
  EXPECT_EQ(result.dev.examples, 80);

  const Session session(task.folder / "out");
  const Tokenizer tokenizer = Tokenizer::load(task.folder / "out");
  const TokenOptions tokens{tokenizer, 16};
  const Labels labels = tagging_task().labels_of(session.model().config);
  const TaskSet dev = tagging_task().read(task.folder / "dev.txt", {}, labels, tokens);
  const Judged judged = dev.judge(session.model());
  EXPECT_EQ(judged.scores.score, result.dev.score) << "the best model is what was written";
  EXPECT_EQ(judged.prediction(0).array("tags").size(),
            judged.prediction(0).array("predicted").size());

  const std::string line = ToyTask::character(0) + " " + ToyTask::character(ToyTask::kCharacters) +
                           ToyTask::character(1);
  const std::vector<Json> said =
      tagging_task().predict(session.model(), {line, "", " "}, 1, tokens);
  ASSERT_EQ(said.size(), 3u);
  EXPECT_EQ(said[0].to_string(), R"({"entities": [{"type": "PER", "text": ")" + line.substr(4) +
                                     R"(", "begin": 2, "end": 4}]})");
  EXPECT_EQ(said[1].array("entities").size(), 0u);

  FinetuneOptions again = task.options("again");
  again.model = task.folder / "out";
  again.fit.epochs = 1;
  again.fit.learning_rate = 1e-6;
  EXPECT_GT(finetune(again).dev.score, 0.9) << "the head goes on, it does not begin anew";
}

TEST(Tagging, LostEntitiesAreMisses) {
  const ToyTagging task("tagging_long");
  ASSERT_GT(finetune(task.options("out")).dev.score, 0.95);
  const Session session(task.folder / "out");
  const Tokenizer tokenizer = Tokenizer::load(task.folder / "out");
  const Labels labels = tagging_task().labels_of(session.model().config);
  const std::string entity =
      ToyTask::character(ToyTask::kCharacters) + " B-PER\n" + ToyTask::character(1) + " I-PER\n";
  write_file(task.folder / "long.txt", entity + entity);
  const TaskSet all = tagging_task().read(task.folder / "long.txt", {}, labels, {tokenizer, 16});
  EXPECT_EQ(all.judge(session.model()).scores.metric("recall"), 1);
  const TaskSet cut = tagging_task().read(task.folder / "long.txt", {}, labels, {tokenizer, 4});
  const Scores scores = cut.judge(session.model()).scores;
  EXPECT_EQ(scores.metric("recall"), 0.5);
  EXPECT_EQ(scores.metric("precision"), 1);
}

TEST(Tagging, AHeadOfAnotherTaskIsNotTaken) {
  const ToyTagging task("tagging_head");
  FinetuneOptions classify = task.ToyTask::options("classifier");
  classify.fit.epochs = 1;
  finetune(classify);
  write_file(task.folder / "one.txt", ToyTask::character(1) + " O\n" + ToyTask::character(2) +
                                          " B-X\n" + ToyTask::character(3) + " I-X\n");
  FinetuneOptions o = task.options("out");
  o.model = task.folder / "classifier";  // whose tensor `classifier` has three rows as well
  o.data.train = o.data.dev = task.folder / "one.txt";
  o.fit.epochs = 1;
  o.fit.learning_rate = 1e-9;
  finetune(o);
  const Model before = load_model(task.folder / "classifier"),
              after = load_model(task.folder / "out");
  const Tensor a = before.parameters.find("classifier.weight")->value,
               b = after.parameters.find("classifier.weight")->value;
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_GT(std::abs(a.data<float>()[0] - b.data<float>()[0]), 1e-4);
  EXPECT_ERROR(tagging_task().labels_of(before.config), "does not tag tokens");
}

TEST(Task, IsFoundByName) {
  EXPECT_EQ(&task_named("word-order"), &word_order_task());
  EXPECT_ERROR(task_named("tagging2"),
               "expected classification, multi-label, reading, regression, tagging or word-order");
  EXPECT_ERROR(Scores().metric("f1"), "no metric f1");
}

}  // namespace
}  // namespace ink
