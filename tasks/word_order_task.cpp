// Word order as a task: characters → O B I E, judged by F1 over exact spans.
#include <algorithm>

#include "tasks/task.h"
#include "tasks/word_order.h"
#include "text/character.h"
#include "text/utf8.h"

namespace ink {
namespace {

struct Judgement {
  TagPredictions predictions;
  ClassMetrics spans = {};
  int64_t sentences_right = 0;
};

std::string text_of(std::span<const std::string> units) {
  std::string text;
  for (const std::string& unit : units) text += unit;
  return text;
}

std::string tags_as_text(std::span<const int32_t> tags) {
  std::string text;
  for (const int32_t tag : tags) text += order_labels().name(tag);
  return text;
}

void add(Judgement& judged, const TaggedSentence& sentence, std::span<const int32_t> said) {
  const std::vector<OrderError> truth = order_errors(sentence.tags), predicted = order_errors(said);
  judged.spans.support += std::ssize(truth);
  judged.spans.predicted += std::ssize(predicted);
  for (const OrderError& e : predicted)
    judged.spans.correct += std::ranges::find(truth, e) != truth.end();
  judged.sentences_right +=
      corrected(sentence.units, predicted) == corrected(sentence.units, truth);
}

Scores scores_of(const Judgement& judged, int64_t sentences) {
  const ClassMetrics& m = judged.spans;
  return {.score = m.f1(),
          .metrics = {{"precision", m.precision()},
                      {"recall", m.recall()},
                      {"f1", m.f1()},
                      {"sentence_accuracy", static_cast<double>(judged.sentences_right) /
                                                static_cast<double>(sentences)},
                      {"loss", judged.predictions.loss}},
          .examples = sentences};
}

TaskSet word_order_set(TaggedText read, const TokenOptions& tokens) {
  const auto text = std::make_shared<const TaggedText>(std::move(read));
  const auto features = std::make_shared<const Features>(tagged_features(*text, tokens));
  const auto judge = [text, features](const LogitsOf& logits) -> Judged {
    Judgement judged{predict_tags(logits, *features)};
    for (size_t i = 0; i < text->size(); ++i)
      add(judged, text->items[i], judged.predictions.tags[i]);
    const Scores scores = scores_of(judged, features->size());
    return {scores, [text, said = std::move(judged.predictions.tags)](int64_t i) {
              const auto at = static_cast<size_t>(i);
              const TaggedSentence& s = text->items[at];
              return Json::make_object(
                  {{"line", s.line},
                   {"text", text_of(s.units)},
                   {"tags", tags_as_text(s.tags)},
                   {"predicted", tags_as_text(said[at])},
                   {"corrected", text_of(corrected(s.units, order_errors(said[at])))}});
            }};
  };
  return {order_labels(), features, judge, tag_logits};
}

std::pair<TaskSet, TaskSet> read_both(const TaskData& data, const Labels* /*known*/, uint64_t seed,
                                      const TokenOptions& tokens) {
  return read_both_sets(word_order_set, data, &order_labels(), seed, tokens);
}

TaskSet read(const std::filesystem::path& file, const ReadOptions& options,
             const Labels& /*labels*/, const TokenOptions& tokens) {
  return read_set(word_order_set, file, options, order_labels(), tokens);
}

bool done_by(const ModelConfig& config) {
  return tags_tokens(config) && config.labels == order_labels().names();
}

Labels labels_of(const ModelConfig& config) {
  check(done_by(config),
        "labels: this model does not correct word order; run inkstone finetune "
        "--task word-order first (then its labels are O, B, I and E)");
  return order_labels();
}

std::vector<Json> predict(const Model& model, const std::vector<std::string>& lines,
                          int64_t first_line, const TokenOptions& tokens) {
  labels_of(model.config);
  std::vector<std::vector<std::string>> units(lines.size());
  for (size_t i = 0; i < lines.size(); ++i)
    for (const char32_t c : decode_utf8(lines[i]))
      if (!is_whitespace(c)) units[i].push_back(encode_utf8(std::u32string(1, c)));
  const auto tags = predict_line_tags(model, units, first_line, tokens);
  std::vector<Json> all;
  for (size_t i = 0; i < lines.size(); ++i)
    all.push_back(
        Json::make_object({{"corrected", text_of(corrected(units[i], order_errors(tags[i])))},
                           {"tags", tags_as_text(tags[i])}}));
  return all;
}

}  // namespace

const Task& word_order_task() {
  static const Task task{.name = "word-order",
                         .judged_by = "F1",
                         .heads = {.tagging = true},
                         .problem_type = "",
                         .done_by = done_by,
                         .labels_of = labels_of,
                         .set_dropout = set_tagging_dropout,
                         .read_both = read_both,
                         .read = read,
                         .loss = tagging_loss,
                         .predict = predict,
                         .trivial = [](const TaskSet&) { return Trivial(); }};
  return task;
}

}  // namespace ink
