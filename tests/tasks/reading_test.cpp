// Questions: what files say, what becomes of contexts as windows, answers and their scores.
#include <gtest/gtest.h>

#include "nn/session.h"
#include "tasks/answer_scores.h"
#include "tasks/question_features.h"
#include "tests/tasks/helpers.h"
#include "tests/tasks/toy_reading.h"

namespace ink {
namespace {

using Words = std::vector<std::string>;

std::string file_of(const std::string& context, const std::string& questions) {
  return R"({"version": "1", "data": [{"title": "t", "paragraphs": [{"context": ")" + context +
         R"(", "qas": [)" + questions + "]}]}]}";
}
const std::string kBoth =
    R"({"id": "q1", "question": "谁?", "answers": [{"text": "乙丙", "answer_start": 1}]},
       {"id": "q2", "question": "何?", "answers": [{"text": "甲", "answer_start": 7},
                                                  {"text": "庚", "answer_start": 0}]})";

TEST(Questions, ReadsSquadsForm) {
  const Questions q = parse_questions(file_of("甲乙丙丁甲", kBoth), "q.json");
  ASSERT_EQ(q.size(), 2u);
  EXPECT_EQ(q.items[0].text, "谁?");
  EXPECT_EQ(q.items[0].answers[0].place, (Span{1, 3}));
  EXPECT_EQ(q.items[1].answers[0].place, (Span{0, 1})) << "it does not stand where it should";
  EXPECT_EQ(q.items[1].answers[1].place.size(), 0) << "it stands nowhere";
  EXPECT_EQ(q.items[0].context, q.items[1].context);
  EXPECT_EQ(q.items[0].group, q.items[1].group);
}

TEST(Questions, SayWhatTheyCannotRead) {
  const auto parse = [](const std::string& text) { parse_questions(text, "q.json"); };
  EXPECT_ERROR(parse("[]"), "q.json: expected a JSON file of SQuAD's form");
  EXPECT_ERROR(parse(R"({"data": []})"), "q.json: expected questions, found none");
  EXPECT_ERROR(parse(file_of("", kBoth)), "context: expected a text, got ''");
  EXPECT_ERROR(parse(file_of("　 ", kBoth)), "context: expected a text, got '　 '");
  EXPECT_ERROR(parse(file_of("甲 乙", R"({"id": "x", "question": "谁",
                   "answers": [{"text": " ", "answer_start": 1}]})")),
               "q.json: question 'x': expected an answer that is part of the context, got ' '");
  EXPECT_ERROR(parse(file_of("甲", R"({"id": "x", "question": "谁"})")),
               "q.json: question 'x': expected an answer in `answers`");
  EXPECT_EQ(parse_questions(file_of("甲", R"({"question": "谁"})"), "q.json", false).items[0].id,
            "1");
}

TEST(AnswerScores, CompareWords) {
  EXPECT_EQ(answer_words("The U.S. Senate, 中国 x"), (Words{"us", "senate", "中", "国", "x"}));
  const Words truths = {"the cat", "black cat sat"};
  EXPECT_EQ(score_answer("Cat.", truths).exact, 1);
  EXPECT_NEAR(score_answer("cat sat down", truths).f1, 2.0 * 2 / (3 + 3), 1e-12);
  EXPECT_EQ(score_answer("dog", truths).f1, 0);
  EXPECT_NEAR(score_answer("北京市", Words{"北京"}).f1, 0.8, 1e-12);
}

TEST(QuestionFeatures, WindowsHoldTheAnswerOrPointAtTheFirstToken) {
  const ToyTask toy("windows");
  const Tokenizer tokenizer = Tokenizer::load(toy.folder / "model");
  std::string context;
  for (int i = 0; i < 12; ++i) context += ToyTask::character(i);
  const std::string answer = ToyTask::character(9) + ToyTask::character(10);
  const Questions q = parse_questions(
      file_of(context, R"({"id": "q", "question": ")" + ToyTask::character(1) +
                           R"(", "answers": [{"text": ")" + answer + R"(", "answer_start": 9}]})"),
      "q.json");
  const QuestionFeatures f = question_features(q, {tokenizer, 11}, true);
  ASSERT_GE(f.windows.size(), 2);
  int held = 0;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < f.windows.size(); ++i) rows.push_back(i);
  const FeatureBatch batch = f.windows.batch(rows);
  const AnswerEnds ends = answer_ends(batch);
  for (int64_t i = 0; i < f.windows.size(); ++i) {
    EXPECT_EQ(f.question[static_cast<size_t>(i)], 0);
    EXPECT_LE(f.windows.length(i), 11);
    EXPECT_EQ(f.windows.decisions(i), f.windows.length(i));
    const int32_t start = ends.starts.data<int32_t>()[i], end = ends.ends.data<int32_t>()[i];
    const Encoding& window = f.windows[i].encoding;
    if (start > 0) {
      ++held;
      EXPECT_EQ(window.offsets[static_cast<size_t>(start)], (Span{9, 10}));
      EXPECT_EQ(window.offsets[static_cast<size_t>(end)], (Span{10, 11}));
    } else {
      EXPECT_EQ(end, 0) << "[CLS]";
    }
  }
  EXPECT_GE(held, 1);
  EXPECT_LT(held, f.windows.size());
  EXPECT_ERROR(question_features(q, {tokenizer, 6}, true),
               "question 'q': has 1 tokens, which leave no room for its context in a max_length of "
               "6; raise it (--max-length), or shorten the question");
  Questions lost = q;
  lost.items[0].answers[0].place = {};
  EXPECT_ERROR(question_features(lost, {tokenizer, 11}, true),
               "expected an answer that stands in the context");
  EXPECT_FALSE(question_features(lost, {tokenizer, 11}, false).windows.labelled(0));
}

// Where the answers to "?" about a context start and end, when read in windows of 16 tokens.
std::vector<int32_t> ends_of(const Tokenizer& tokenizer, const std::string& context,
                             const std::string& answer, int64_t at) {
  const Json truth = Json::make_object({{"text", answer}, {"answer_start", at}});
  const Json question =
      Json::make_object({{"id", "q"}, {"question", "?"}, {"answers", Json::make_array({truth})}});
  const QuestionFeatures f = question_features(
      parse_questions(file_of(context, question.to_string()), "q.json"), {tokenizer, 16}, true);
  const std::vector<int64_t> first = {0};
  const AnswerEnds ends = answer_ends(f.windows.batch(first));
  return {ends.starts.data<int32_t>()[0], ends.ends.data<int32_t>()[0]};
}

TEST(QuestionFeatures, AnswersBeginAndEndWithTokens) {
  const ToyTask toy("edges");
  const Tokenizer tokenizer = Tokenizer::load(toy.folder / "model");
  const std::string a = ToyTask::character(3), b = ToyTask::character(4), zero_width = "\u200B";
  const auto plain = ends_of(tokenizer, a + b + a, b, 1);
  EXPECT_EQ(plain, (std::vector<int32_t>{4, 4})) << "behind [CLS] ? [SEP] and a token";
  EXPECT_EQ(ends_of(tokenizer, a + " " + b + " " + a, " " + b + " ", 1), plain);
  EXPECT_EQ(ends_of(tokenizer, a + zero_width + b + zero_width + a, zero_width + b, 1), plain);
  std::string longer;
  for (int i = 0; i < 24; ++i) longer += ToyTask::character(i);
  EXPECT_ERROR(ends_of(tokenizer, longer, longer, 0),
               "q.json: question 'q': its answer is longer than what is read of the context at "
               "once; raise max_length (--max-length)");
}

TEST(Reading, LearnsJudgesAndAnswers) {
  const ToyReading toy("reading");
  const FinetuneResult result = finetune(toy.options("out"));
  EXPECT_GT(result.dev.metric("f1"), 0.9);
  EXPECT_GT(result.dev.metric("exact_match"), 0.9);
  EXPECT_EQ(result.dev.score, result.dev.metric("f1"));
  EXPECT_EQ(result.dev.examples, 80);
  const ModelConfig config = ModelConfig::read(toy.folder / "out" / "config.json");
  EXPECT_EQ(config.architectures, std::vector<std::string>{"BertForQuestionAnswering"});
  const Session session(toy.folder / "out");
  const Tokenizer tokenizer = Tokenizer::load(toy.folder / "out");
  const std::string key = ToyTask::character(24);
  std::string context;
  for (const int i : {3, 25, 7, 24, 1}) context += ToyTask::character(i);
  const std::vector<Json> said =
      reading_task().predict(session.model(), {key + '\t' + context}, 1, {tokenizer, 16});
  EXPECT_EQ(said.at(0).string("answer"), key);
  EXPECT_GT(said.at(0).real("probability"), 0.1) << "chance has 1/64";
  EXPECT_ERROR(reading_task().predict(session.model(), {"no tab"}, 7, {tokenizer, 16}),
               "line 7: expected a question and behind a tab the text");
  EXPECT_ERROR(reading_task().predict(session.model(), {"who\t \t"}, 7, {tokenizer, 16}),
               "line 7: expected a question and behind a tab the text");
  EXPECT_ERROR(reading_task().labels_of(ModelConfig()),
               "this model does not answer questions (its config.json names no class such as "
               "BertForQuestionAnswering)");
}

}  // namespace
}  // namespace ink
