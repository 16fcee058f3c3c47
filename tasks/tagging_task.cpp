// Tagging as a task: units of a sentence → BIO tags, judged by F1 over whole entities.
#include <algorithm>

#include "tasks/entities.h"
#include "tasks/tagged.h"
#include "tasks/task.h"
#include "text/character.h"
#include "text/normalize.h"
#include "text/utf8.h"

namespace ink {
namespace {

// Units that the model did not read are in no entity, so that entities lost there are misses.
std::vector<int32_t> filled(std::vector<int32_t> tags, size_t units, int32_t outside) {
  tags.resize(units, outside);
  return tags;
}

Json names_of(std::span<const int32_t> tags, const Labels& labels) {
  Json names = Json::make_array();
  for (const int32_t tag : tags) names.append(labels.name(tag));
  return names;
}

struct Judgement {
  TagPredictions predictions;
  EntityCounts counts;
};

Scores scores_of(const Judgement& judged, const BioTags& bio, int64_t sentences) {
  const ClassMetrics all = judged.counts.all();
  Scores scores{.score = all.f1(),
                .metrics = {{"precision", all.precision()},
                            {"recall", all.recall()},
                            {"f1", all.f1()},
                            {"loss", judged.predictions.loss}},
                .examples = sentences};
  for (size_t t = 0; t < bio.types().size(); ++t)
    scores.classes.emplace_back(bio.types()[t], judged.counts.of(t));
  return scores;
}

TaskSet tagging_set(TaggedText read, const TokenOptions& tokens) {
  const auto text = std::make_shared<const TaggedText>(std::move(read));
  const auto features = std::make_shared<const Features>(tagged_features(*text, tokens));
  const auto judge = [text, features,
                      bio = BioTags(text->labels, text->source)](const LogitsOf& logits) -> Judged {
    Judgement judged{predict_tags(logits, *features), EntityCounts(bio.types().size())};
    for (size_t i = 0; i < text->size(); ++i) {
      const TaggedSentence& s = text->items[i];
      std::vector<int32_t>& tags = judged.predictions.tags[i];
      tags = filled(std::move(tags), s.units.size(), bio.outside());
      judged.counts.add(bio.entities(s.tags), bio.entities(tags));
    }
    const auto all = std::make_shared<const Judgement>(std::move(judged));
    return {scores_of(*all, bio, features->size()), [text, all](int64_t i) {
              const auto at = static_cast<size_t>(i);
              const TaggedSentence& s = text->items[at];
              const std::vector<int32_t>& said = all->predictions.tags[at];
              return Json::make_object({{"line", s.line},
                                        {"tags", names_of(s.tags, text->labels)},
                                        {"predicted", names_of(said, text->labels)}});
            }};
  };
  return {text->labels, features, judge, tag_logits};
}

std::pair<TaskSet, TaskSet> read_both(const TaskData& data, const Labels* known, uint64_t seed,
                                      const TokenOptions& tokens) {
  return read_both_sets(tagging_set, data, known, seed, tokens);
}

TaskSet read(const std::filesystem::path& file, const ReadOptions& options, const Labels& labels,
             const TokenOptions& tokens) {
  return read_set(tagging_set, file, options, labels, tokens);
}

// A line with Han characters has one unit a character, as Chinese data do; another one a word
// between blanks.
std::vector<Span> units_of(std::u32string_view line) {
  const bool characters = std::ranges::any_of(line, is_bert_han);
  std::vector<Span> units;
  for (int32_t i = 0; i < std::ssize(line); ++i) {
    if (is_whitespace(line[static_cast<size_t>(i)])) continue;
    if (!characters && !units.empty() && units.back().end == i)
      units.back().end = i + 1;
    else
      units.push_back({i, i + 1});
  }
  return units;
}

Json entity_json(const Entity& e, std::span<const Span> units, std::u32string_view line,
                 const BioTags& bio) {
  const int32_t begin = units[static_cast<size_t>(e.begin)].begin,
                end = units[static_cast<size_t>(e.end) - 1].end;
  const auto at = static_cast<size_t>(begin);
  return Json::make_object({{"type", bio.types()[static_cast<size_t>(e.type)]},
                            {"text", encode_utf8(line.substr(at, static_cast<size_t>(end) - at))},
                            {"begin", begin},
                            {"end", end}});
}

std::vector<Json> predict(const Model& model, const std::vector<std::string>& lines,
                          int64_t first_line, const TokenOptions& tokens) {
  const BioTags bio(tags_of(model.config), "config.json");
  std::vector<std::u32string> decoded;
  std::vector<std::vector<Span>> spans;
  std::vector<std::vector<std::string>> units(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    decoded.push_back(decode_utf8(lines[i]));
    spans.push_back(units_of(decoded[i]));
    for (const Span& u : spans[i])
      units[i].push_back(
          encode_utf8(std::u32string_view(decoded[i])
                          .substr(static_cast<size_t>(u.begin), static_cast<size_t>(u.size()))));
  }
  const auto tags = predict_line_tags(model, units, first_line, tokens);
  std::vector<Json> all;
  for (size_t i = 0; i < lines.size(); ++i) {
    Json entities = Json::make_array();
    for (const Entity& e : bio.entities(tags[i]))
      entities.append(entity_json(e, spans[i], decoded[i], bio));
    all.push_back(Json::make_object({{"entities", entities}}));
  }
  return all;
}

}  // namespace

const Task& tagging_task() {
  static const Task task{.name = "tagging",
                         .judged_by = "F1",
                         .heads = {.tagging = true},
                         .problem_type = "",
                         .done_by = tags_tokens,
                         .labels_of = tags_of,
                         .set_dropout = set_tagging_dropout,
                         .read_both = read_both,
                         .read = read,
                         .loss = tagging_loss,
                         .predict = predict,
                         .trivial = [](const TaskSet&) { return Trivial(); }};
  return task;
}

}  // namespace ink
