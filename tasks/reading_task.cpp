// Reading comprehension as a task: a question and a text → the part of the text that answers it,
// judged by the words it has in common with the true answers.
#include <algorithm>
#include <cmath>
#include <memory>

#include "autograd/tape.h"
#include "tasks/answer_scores.h"
#include "tasks/question_features.h"
#include "tasks/split.h"
#include "tasks/task.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

constexpr int64_t kLongestAnswer = 50;  // tokens

Tensor span_logits(const Model& model, const Packed& batch, const EncoderOptions& options) {
  check(model.span.has_value(), "reading: this model has no head for spans; fine-tune it first");
  return model.span->logits(model.body(batch, options).hidden, options.random);
}

// ── what a model says ───────────────────────────────────────────────────────────────────────────

struct Said {
  Span bytes = {};              // of the context
  double score = -1e300;        // start + end, as logits: windows of a question compete
  double probability = 0;       // of both in their window
  double loss = 0, losses = 0;  // Σ −log p of true starts and ends, and how many these are
};

// log Σ e^z over the tokens of a sequence, of its starts (0) or ends (1).
double log_sum(const float* logits, int64_t tokens, int which) {
  double most = -1e300, sum = 0;
  for (int64_t t = 0; t < tokens; ++t) most = std::max<double>(most, logits[2 * t + which]);
  for (int64_t t = 0; t < tokens; ++t) sum += std::exp(logits[2 * t + which] - most);
  return most + std::log(sum);
}

// logits (T, 2) of a window's tokens
void take_best(const Encoding& window, const float* logits, Said& said) {
  const int64_t T = window.size();
  const double all = log_sum(logits, T, 0) + log_sum(logits, T, 1);
  const auto in_context = [&](int64_t t) { return window.texts[static_cast<size_t>(t)] == 1; };
  for (int64_t s = 0; s < T; ++s) {
    if (!in_context(s)) continue;
    for (int64_t e = s; e < std::min(T, s + kLongestAnswer) && in_context(e); ++e) {
      const double score = double{logits[2 * s]} + logits[2 * e + 1];
      if (score <= said.score) continue;
      said.score = score;
      said.probability = std::exp(score - all);
      said.bytes = {window.bytes[static_cast<size_t>(s)].begin,
                    window.bytes[static_cast<size_t>(e)].end};
    }
  }
}

void add_losses(const Feature& window, const float* logits, Said& said) {
  for (int64_t t = 0; t < window.encoding.size(); ++t)
    for (const int which : {0, 1}) {
      const int32_t target = window.targets[static_cast<size_t>(t)];
      if (target == kIgnore || !(target & (1 << which))) continue;
      said.loss += log_sum(logits, window.encoding.size(), which) - logits[2 * t + which];
      ++said.losses;
    }
}

// For each question the best part of any of its windows.
std::vector<Said> answers_of(const LogitsOf& logits, const QuestionFeatures& features,
                             size_t questions) {
  const Pause pause;
  std::vector<Said> all(questions);
  for (const std::vector<int64_t>& rows : features.windows.plan(kInferencePlan)) {
    const Tensor z = on_host(logits(features.windows.batch(rows)));  // (N, 2)
    const float* of_window = z.data<float>();
    for (const int64_t row : rows) {
      const Feature& window = features.windows[row];
      const int64_t T = window.encoding.size();
      check(std::all_of(of_window, of_window + 2 * T, [](float x) { return std::isfinite(x); }),
            "the model gives nan for question ", window.line, "; its weights may be damaged");
      Said& said = all[static_cast<size_t>(features.question[static_cast<size_t>(row)])];
      take_best(window.encoding, of_window, said);
      add_losses(window, of_window, said);
      of_window += 2 * T;
    }
  }
  return all;
}

std::string text_of(const Question& question, const Said& said) {
  return question.context->substr(static_cast<size_t>(said.bytes.begin),
                                  static_cast<size_t>(said.bytes.size()));
}

std::vector<std::string> texts_of(const Question& question) {
  std::vector<std::string> texts;
  for (const Answer& answer : question.answers) texts.push_back(answer.text);
  return texts;
}

Scores scores_of(const Questions& questions, const std::vector<Said>& said) {
  double exact = 0, f1 = 0, loss = 0, losses = 0;
  for (size_t i = 0; i < said.size(); ++i) {
    const AnswerScore score =
        score_answer(text_of(questions.items[i], said[i]), texts_of(questions.items[i]));
    exact += score.exact;
    f1 += score.f1;
    loss += said[i].loss;
    losses += said[i].losses;
  }
  const auto n = static_cast<double>(said.size());
  return {.score = f1 / n,
          .metrics = {{"exact_match", exact / n},
                      {"f1", f1 / n},
                      {"loss", losses > 0 ? loss / losses : 0}},
          .examples = static_cast<int64_t>(said.size())};
}

// ── data ────────────────────────────────────────────────────────────────────────────────────────

TaskSet reading_set(Questions read, const TokenOptions& tokens, bool answered) {
  const auto questions = std::make_shared<const Questions>(std::move(read));
  const auto features =
      std::make_shared<const QuestionFeatures>(question_features(*questions, tokens, answered));
  const auto judge = [questions, features](const LogitsOf& logits) -> Judged {
    const auto said = answers_of(logits, *features, questions->size());
    return {scores_of(*questions, said), [questions, said](int64_t i) {
              const Question& question = questions->items[static_cast<size_t>(i)];
              const std::vector<std::string> texts = texts_of(question);
              return Json::make_object(
                  {{"id", question.id},
                   {"answers", Json::make_array({texts.begin(), texts.end()})},
                   {"predicted", text_of(question, said[static_cast<size_t>(i)])}});
            }};
  };
  return {Labels(), {features, &features->windows}, judge, span_logits};
}

std::pair<TaskSet, TaskSet> read_both(const TaskData& data, const Labels* /*known*/, uint64_t seed,
                                      const TokenOptions& tokens) {
  Questions train = read_questions(data.train), dev{{}, train.source};
  if (!data.dev.empty()) {
    dev = read_questions(data.dev);
  } else {
    std::vector<std::string> groups;
    for (const Question& q : train.items) groups.push_back(q.group);
    const std::vector<bool> chosen =
        choose_groups(groups, data.dev_fraction, Random(seed), train.source);
    Questions rest{{}, train.source};
    for (size_t i = 0; i < train.size(); ++i)
      (chosen[i] ? dev : rest).items.push_back(std::move(train.items[i]));
    train = std::move(rest);
  }
  TaskSet first = reading_set(std::move(train), tokens, true);
  return {std::move(first), reading_set(std::move(dev), tokens, false)};
}

TaskSet read(const std::filesystem::path& file, const ReadOptions& options,
             const Labels& /*labels*/, const TokenOptions& tokens) {
  return reading_set(read_questions(file, options.labelled), tokens, false);
}

// ── the task ────────────────────────────────────────────────────────────────────────────────────

bool done_by(const ModelConfig& config) {
  return heads_from(*config.family, config.architectures).span;
}

Labels labels_for(const ModelConfig& config) {
  check(done_by(config),
        "labels: this model does not answer questions (its config.json names no class such as ",
        architectures_of(*config.family, {.span = true}).front(),
        "); run inkstone finetune --task reading first");
  return {};
}

MicroLoss loss(const Model& model, const FeatureBatch& batch, const EncoderOptions& options) {
  const AnswerEnds truth = answer_ends(batch);
  const Tensor logits = span_logits(model, batch.inputs, options);
  return {.loss = model.span->loss(logits, batch.inputs.offsets, truth.starts, truth.ends),
          .weight = static_cast<double>(batch.rows.size()),
          .tokens = batch.inputs.tokens()};
}

std::vector<Json> predict(const Model& model, const std::vector<std::string>& lines,
                          int64_t first_line, const TokenOptions& tokens) {
  labels_for(model.config);
  Questions questions{{}, "standard input"};
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string number = std::to_string(first_line + static_cast<int64_t>(i));
    const size_t tab = lines[i].find('\t');
    check(tab != std::string::npos && tab > 0 && is_visible(lines[i].substr(tab + 1)), "",
          questions.source, ": line ", number,
          ": expected a question and behind a tab the text that answers it");
    questions.items.push_back(
        {.id = number,
         .text = lines[i].substr(0, tab),
         .context = std::make_shared<const std::string>(lines[i].substr(tab + 1))});
  }
  const QuestionFeatures features = question_features(questions, tokens, false);
  const auto logits = [&](const FeatureBatch& batch) {
    return span_logits(model, batch.inputs, {});
  };
  std::vector<Json> all;
  const std::vector<Said> said = answers_of(logits, features, questions.size());
  for (size_t i = 0; i < said.size(); ++i)
    all.push_back(Json::make_object(
        {{"answer", text_of(questions.items[i], said[i])}, {"probability", said[i].probability}}));
  return all;
}

void set_dropout(Model& model, double probability) {
  model.config.span_dropout = model.span->dropout_probability = probability;
}

}  // namespace

const Task& reading_task() {
  static const Task task{.name = "reading",
                         .judged_by = "F1",
                         .heads = {.span = true},
                         .problem_type = "",
                         .done_by = done_by,
                         .labels_of = labels_for,
                         .set_dropout = set_dropout,
                         .read_both = read_both,
                         .read = read,
                         .loss = loss,
                         .predict = predict,
                         .trivial = [](const TaskSet&) { return Trivial(); }};
  return task;
}

}  // namespace ink
